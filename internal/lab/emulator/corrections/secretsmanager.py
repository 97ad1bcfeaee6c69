"""Secrets Manager: staging labels, repeated tokens, and what AWS refuses."""
import functools
import json
import re
from typing import Any

from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    ResourceNotFoundException,
    SecretNotFoundException,
    ValidationException,
)
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

LARGEST = 65_536  # bytes
MOST_TAGS = 50
TAG = re.compile(r"[\w\s.:/=+\-@]*")  # letters and digits of any script, spaces, _.:/=+-@


def correct() -> None:
    current_is_where_the_label_is()
    labels_move_only_from_where_they_are()
    tokens_name_one_content()
    missing_stages_are_named()
    deleted_secrets_are_not_written()
    large_values_are_refused()
    versions_without_labels_are_deprecated()
    tags_are_checked()


def current_is_where_the_label_is() -> None:
    """Moto keeps a default version beside the labels, and UpdateSecretVersionStage doesn't move it:
    GetSecretValue without a stage went on giving the old value."""

    def current(self: FakeSecret) -> str | None:
        holding = (v for v, version in getattr(self, "versions", {}).items() if "AWSCURRENT" in version["version_stages"])
        return next(holding, None)

    def take_over(self: FakeSecret, secret_version: dict[str, Any], version_id: str) -> None:
        previous = self.default_version_id
        self.remove_version_stages_from_old_versions(secret_version["version_stages"])
        if previous and previous != version_id:
            self.remove_version_stages_from_old_versions(["AWSPREVIOUS"])
            self.versions[previous]["version_stages"].append("AWSPREVIOUS")
        self.versions[version_id] = secret_version

    FakeSecret.default_version_id = property(current, lambda self, version_id: None)
    FakeSecret.reset_default_version = take_over


def labels_move_only_from_where_they_are() -> None:
    """Moto checks nothing but an AWSCURRENT without RemoveFromVersionId, puts one label on two
    versions, and takes a label away before it finds that it can't be put anywhere."""

    def update_secret_version_stage(
        self: Any, secret_id: str, version_stage: str, remove_from_version_id: str, move_to_version_id: str
    ) -> tuple[str, str]:
        secret = _primary(self, secret_id)
        for version_id in filter(None, (remove_from_version_id, move_to_version_id)):
            if version_id not in secret.versions:
                raise ResourceNotFoundException(f"Secrets Manager can't find the specified secret version: {version_id}.")
        holder = next((v for v, version in secret.versions.items() if version_stage in version["version_stages"]), None)
        if holder != move_to_version_id:
            _check_source(version_stage, holder, remove_from_version_id)
            _move(secret, version_stage, holder, move_to_version_id)
        return secret.arn, secret.name

    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage


def _primary(backend: Any, secret_id: str) -> FakeSecret:
    secret = backend.secrets.get(secret_id)
    if not isinstance(secret, FakeSecret):
        raise SecretNotFoundException
    return secret


def _check_source(stage: str, holder: str | None, remove_from: str | None) -> None:
    if holder and not remove_from:
        raise InvalidParameterException(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version {holder}, "
            "so you must explicitly reference that version in RemoveFromVersionId."
        )
    if remove_from and holder != remove_from:
        raise InvalidParameterException(f"Staging label {stage} is not currently attached to version {remove_from}.")


def _move(secret: FakeSecret, stage: str, source: str | None, target: str | None) -> None:
    secret.remove_version_stages_from_old_versions([stage])
    if target:
        secret.versions[target]["version_stages"].append(stage)
    if stage == "AWSCURRENT" and source:
        secret.remove_version_stages_from_old_versions(["AWSPREVIOUS"])
        secret.versions[source]["version_stages"].append("AWSPREVIOUS")


def tokens_name_one_content() -> None:
    """A ClientRequestToken is a version's id: with the same content it changes nothing, with other
    content it is refused. Moto lets it overwrite a version that is AWSPENDING."""
    exists = SecretsManagerBackend._check_with_existing_secrets_and_versions

    def check(self: Any, secret_name: str, client_request_token: str | None, secret_string: Any, secret_binary: Any, on_create: bool = False) -> Any:
        secret = self.secrets.get(secret_name)
        version = secret.versions.get(client_request_token or "") if isinstance(secret, FakeSecret) else None
        if not version or not {"secret_string", "secret_binary"} & version.keys():  # a rotation's empty version may be filled
            return exists(self, secret_name, client_request_token, secret_string, secret_binary, on_create)
        if (version.get("secret_string"), version.get("secret_binary")) == (secret_string, secret_binary):
            return secret
        raise ResourceExistsException(
            f"You can't use ClientRequestToken {client_request_token} because that value is already in use for a version of secret {secret.arn}."
        )

    SecretsManagerBackend._check_with_existing_secrets_and_versions = check


def missing_stages_are_named() -> None:
    """The message is all that tells a secret that isn't there from a stage that isn't there."""
    get = SecretsManagerBackend.get_secret_value

    def get_secret_value(self: Any, secret_id: str, version_id: str, version_stage: str) -> dict[str, Any]:
        secret = self.secrets.get(secret_id)
        if secret and version_stage and not any(version_stage in v["version_stages"] for v in secret.versions.values()):
            raise ResourceNotFoundException(f"Secrets Manager can't find the specified secret value for staging label: {version_stage}")
        return get(self, secret_id, version_id, version_stage)

    SecretsManagerBackend.get_secret_value = get_secret_value


def deleted_secrets_are_not_written() -> None:
    put, create = SecretsManagerBackend.put_secret_value, SecretsManagerBackend.create_secret

    @functools.wraps(put)
    def put_secret_value(self: Any, secret_id: str, *args: Any, **kwargs: Any) -> str:
        secret = self.secrets.get(secret_id)
        if secret and secret.is_deleted():
            raise InvalidRequestException("You can't perform this operation on the secret because it was marked for deletion.")
        return put(self, secret_id, *args, **kwargs)

    @functools.wraps(create)
    def create_secret(self: Any, name: str, *args: Any, **kwargs: Any) -> str:
        secret = self.secrets.get(name)
        if secret and secret.is_deleted():
            raise InvalidRequestException(
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            )
        return create(self, name, *args, **kwargs)

    SecretsManagerBackend.put_secret_value = put_secret_value
    SecretsManagerBackend.create_secret = create_secret


def large_values_are_refused() -> None:
    def refuse(self: Any) -> None:
        for member, size in (
            ("secretString", len((self._get_param("SecretString") or "").encode())),
            ("secretBinary", len(self._get_param("SecretBinary") or "") * 3 // 4),  # base64
        ):
            if size > LARGEST:
                raise ValidationException(
                    f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
                    f"Member must have length less than or equal to {LARGEST}"
                )

    _before(refuse, "create_secret", "put_secret_value", "update_secret")


def _before(check: Any, *operations: str) -> None:
    """Runs check ahead of the named operations of the API."""
    for name in operations:
        operation = getattr(SecretsManagerResponse, name)

        def checked(self: Any, operation: Any = operation) -> str:
            check(self)
            return operation(self)

        setattr(SecretsManagerResponse, name, checked)


def versions_without_labels_are_deprecated() -> None:
    """A version without a label is listed only when it is asked for, and listing doesn't date it anew."""

    def labelled(self: FakeSecret) -> dict[str, Any]:
        return {v: version["version_stages"] for v, version in self.versions.items() if version["version_stages"]}

    def list_secret_version_ids(self: Any) -> str:
        secret = self.backend.describe_secret(self._get_param("SecretId"))
        listed = [
            {"VersionId": v, "VersionStages": version["version_stages"], "CreatedDate": version["createdate"]}
            for v, version in secret.versions.items()
            if version["version_stages"] or self._get_param("IncludeDeprecated")
        ]
        return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": listed})

    FakeSecret._form_version_ids_to_stages = labelled
    SecretsManagerResponse.list_secret_version_ids = list_secret_version_ids


def tags_are_checked() -> None:
    """Among what isn't allowed are the comma and the star: a list of domains can't be a tag."""

    def refuse(self: Any) -> None:
        tags = self._get_param("Tags") or []
        if len(tags) > MOST_TAGS:
            raise InvalidParameterException(f"The number of tags can't be more than {MOST_TAGS}.")
        for tag in tags:
            _check_tag("Key", tag["Key"], 1, 128)
            _check_tag("Value", tag.get("Value", ""), 0, 256)
            if tag["Key"].lower().startswith("aws:"):
                raise InvalidParameterException("Tag keys can't start with the reserved prefix aws:.")

    _before(refuse, "create_secret", "tag_resource")


def _check_tag(member: str, text: str, least: int, most: int) -> None:
    if not least <= len(text) <= most:
        raise ValidationException(
            f"1 validation error detected: Value '{text}' at 'tags.{member.lower()}' failed to satisfy constraint: "
            f"Member must have length between {least} and {most}"
        )
    if not TAG.fullmatch(text):
        raise InvalidParameterException(
            f"Tag {member} has invalid characters: tags can only contain letters, numbers, spaces, and the following special characters: _ . : / = + - @"
        )
