"""What moto works out again at each request though it is always the same. Same answers, in half the time."""
import functools

import jsonpath_ng.ext as jsonpath
import moto.backends as backends
import moto.core.responses as core
import moto.core.serialize as serialize
import moto.moto_server.werkzeug_app as werkzeug_app
from moto.dynamodb.parsing.expressions import UpdateExpressionParser


def correct() -> None:
    modules_listed_once()
    methods_listed_once()
    names_translated_once()
    update_expressions_parsed_once()
    event_paths_parsed_once()


def modules_listed_once() -> None:
    """Each request lists moto's own folder, with a stat for each of its 170 services."""
    listed = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: listed

    lookup = functools.lru_cache(None)(werkzeug_app.DomainDispatcherApplication.get_backend_for_host)
    werkzeug_app.DomainDispatcherApplication.get_backend_for_host = lookup


def methods_listed_once() -> None:
    core.method_names_from_class = functools.lru_cache(None)(core.method_names_from_class)
    core.camelcase_to_underscores = functools.lru_cache(None)(core.camelcase_to_underscores)


def names_translated_once() -> None:
    serialize.xform_name = functools.lru_cache(None)(serialize.xform_name)


def update_expressions_parsed_once() -> None:
    """They are parsed twice in an update. Whoever changes the result copies it first (validators.py)."""
    UpdateExpressionParser.make = staticmethod(functools.lru_cache(1024)(UpdateExpressionParser.make))


def event_paths_parsed_once() -> None:
    """Each event that goes to a target builds the grammar of JSONPath eight times over, which takes a quarter of a second."""
    jsonpath.parse = functools.lru_cache(64)(jsonpath.parse)
