"""Paths that AWS doesn't have: how the lab steers its cloud.

    GET    /certpace-lab/health     answers when everything is loaded
    GET    /certpace-lab/dns        what DNS serves now; with an ETag, since it is asked often
    PUT    /certpace-lab/dns-delay  {"seconds": 2.5}: how long a change stays PENDING, also those under way
    POST   /certpace-lab/deny       {"action": "route53:ChangeResourceRecordSets"}: IAM refuses it from now on
    DELETE /certpace-lab/deny       IAM refuses nothing
"""
import json
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model
from moto.route53.models import route53_backends

from .propagation import Propagation

PREFIX = "/certpace-lab/"
_denied: set[str] = set()


class BadRequest(Exception):
    pass


def correct() -> None:
    """Denials. Moto's own enforcement of IAM knows no resources, and is all or nothing."""
    act = BaseResponse.call_action

    def call_action(self: Any) -> Any:
        if _denied:
            action = f"{self.boto3_service_name}:{self._get_action()}"
            if action in _denied:
                return _refusal(self, action)
        return act(self)

    BaseResponse.call_action = call_action


def _refusal(handler: Any, action: str) -> Any:
    message = (
        f"User: arn:aws:iam::{handler.current_account}:user/lab is not authorized to perform: {action} on resource: * "
        f"because no identity-based policy allows the {action} action"
    )
    if get_service_model(handler.boto3_service_name).metadata["protocol"] in ("query", "rest-xml"):
        error = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error>"
        return 403, {"Content-Type": "text/xml"}, f"<ErrorResponse>{error}<RequestId>lab</RequestId></ErrorResponse>"
    code = "AccessDeniedException"
    return 400, {"Content-Type": "application/x-amz-json-1.0", "X-Amzn-ErrorType": code}, json.dumps({"__type": code, "message": message})


def deny(body: dict[str, Any]) -> None:
    action = str(body.get("action"))
    service, _, name = action.partition(":")
    try:
        get_service_model(service).operation_model(name)
    except Exception:
        raise BadRequest(f"action {action!r} is not an operation of a service; give one such as route53:ChangeResourceRecordSets")
    _denied.add(action)


def set_delay(body: dict[str, Any]) -> None:
    seconds = body.get("seconds")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or seconds < 0:
        raise BadRequest(f"seconds is {seconds!r}; give a number that isn't negative")
    _propagation().settle()  # what was due by the old delay stays so
    Propagation.delay = float(seconds)


def _propagation() -> Propagation:
    return route53_backends[DEFAULT_ACCOUNT_ID]["aws"].propagation


def application(cloud: Any) -> Any:
    """The cloud, and these paths in front of it."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if not path.startswith(PREFIX):
            return cloud(environ, start_response)
        try:
            status, headers, answer = _answer(environ, path.removeprefix(PREFIX))
        except (BadRequest, json.JSONDecodeError) as bad:
            status, headers, answer = "400 Bad Request", [], {"error": str(bad)}
        start_response(status, [*headers, ("Content-Type", "application/json")])
        return [] if answer is None else [json.dumps(answer).encode()]

    return app


def _answer(environ: dict[str, Any], name: str) -> tuple[str, list[tuple[str, str]], Any]:
    asked = environ["REQUEST_METHOD"], name
    if asked == ("GET", "dns"):
        return _dns(environ.get("HTTP_IF_NONE_MATCH"))
    if asked == ("PUT", "dns-delay"):
        set_delay(_body(environ))
    elif asked == ("POST", "deny"):
        deny(_body(environ))
    elif asked == ("DELETE", "deny"):
        _denied.clear()
    elif asked != ("GET", "health"):
        return "404 Not Found", [], {"error": f"there is no {asked[0]} {PREFIX}{name}"}
    return "200 OK", [], {}


def _body(environ: dict[str, Any]) -> dict[str, Any]:
    body = json.loads(environ["wsgi.input"].read() or b"{}")
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _dns(known: str | None) -> tuple[str, list[tuple[str, str]], Any]:
    propagation = _propagation()
    zones = propagation.zones()
    tag = f'"{propagation.version}"'
    if known == tag:
        return "304 Not Modified", [("ETag", tag)], None
    return "200 OK", [("ETag", tag)], {"zones": zones}
