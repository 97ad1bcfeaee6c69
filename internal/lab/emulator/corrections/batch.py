"""One change batch of Route 53: what AWS refuses, in its words, and what is left when it doesn't.

Pure: record sets in, record sets out, or Refused and nothing changed.
"""
import re
from typing import Any, Callable

MOST_RECORDS, MOST_CHARACTERS, MOST_IN_A_SET = 1_000, 32_000, 400
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*', re.DOTALL)
ESCAPE = re.compile(r"\\(?:[0-7]{3}|.)", re.DOTALL)

Key = tuple[str, str, str | None]  # name, type, set identifier


class Refused(Exception):
    """InvalidChangeBatch: nothing of the batch was done."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(messages)
        self.messages = messages


class BadInput(Exception):
    """InvalidInput: not a batch at all."""


def canonical(name: str) -> str:
    """As Route 53 stores it: lower case, a dot at the end, a star as \\052."""
    return name.lower().rstrip(".").replace("*", r"\052") + "."


def changed(zone: str, current: list[Any], changes: list[dict[str, Any]], make: Callable[[dict[str, Any]], Any]) -> list[Any]:
    if not changes:
        raise BadInput("1 validation error detected: Value '[]' at 'changeBatch.changes' failed to satisfy constraint: Member must have length greater than or equal to 1")
    wanted = [(change["Action"], _record_set(change)) for change in changes]
    _refuse(_too_much(wanted))
    _refuse([message for _, rrset in wanted for message in _malformed(zone, rrset)])
    _refuse(_contradictions(wanted))
    sets = {(r.name, r.type, r.set_identifier): r for r in current}
    _refuse([message for action, rrset in wanted for message in _apply(sets, action, rrset, make)])
    _refuse([message for action, rrset in wanted if action != "DELETE" for message in _conflicts(zone, sets, rrset)])
    return list(sets.values())


def _refuse(messages: list[str]) -> None:
    if messages:
        raise Refused(list(dict.fromkeys(messages)))


def _record_set(change: dict[str, Any]) -> dict[str, Any]:
    action, given = change["Action"], change["ResourceRecordSet"]
    if action not in ("CREATE", "DELETE", "UPSERT"):
        raise BadInput(
            f"Invalid XML ; cvc-enumeration-valid: Value '{action}' is not facet-valid with respect to enumeration "
            "'[CREATE, DELETE, UPSERT]'. It must be a value from the enumeration."
        )
    if not given.get("AliasTarget") and not (given.get("TTL") is not None and given.get("ResourceRecords")):
        raise BadInput(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], "
            f"but found none in Change with [Action={action}, Name={given['Name']}, Type={given['Type']}, SetIdentifier={given.get('SetIdentifier') or 'null'}]"
        )
    values = [record["Value"] for record in given.get("ResourceRecords") or []]
    return {**given, "Name": canonical(given["Name"]), "ResourceRecords": values}


def _key(rrset: dict[str, Any]) -> Key:
    return rrset["Name"], rrset["Type"], rrset.get("SetIdentifier")


def _too_much(wanted: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """An UPSERT counts twice: it may have to delete what is there."""
    weights = [(2 if action == "UPSERT" else 1, rrset["ResourceRecords"]) for action, rrset in wanted]
    messages = []
    if sum(weight * len(values) for weight, values in weights) > MOST_RECORDS:
        messages.append(f"Number of records limit of {MOST_RECORDS} exceeded.")
    if sum(weight * sum(map(len, values)) for weight, values in weights) > MOST_CHARACTERS:
        messages.append(f"RDATA character limit of {MOST_CHARACTERS} exceeded.")
    return messages


def _malformed(zone: str, rrset: dict[str, Any]) -> list[str]:
    name, values = rrset["Name"], rrset["ResourceRecords"]
    messages = []
    if name != zone and not name.endswith("." + zone):
        messages.append(f"RRSet with DNS name {name} is not permitted in zone {zone}")
    if name == zone and rrset["Type"] == "CNAME":
        messages.append(f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}")
    if len(values) > MOST_IN_A_SET:
        messages.append(f"Cannot have more than {MOST_IN_A_SET} records in a RRSet.")
    messages += [f"Duplicate Resource Record: '{value}'" for value in dict.fromkeys(values) if values.count(value) > 1]
    if rrset["Type"] == "TXT":
        messages += [f"Invalid Resource Record: 'FATAL problem: {fault} encountered with '{value}''" for value in values if (fault := _text_fault(value))]
    return messages


def _text_fault(value: str) -> str:
    if not STRINGS.fullmatch(value):
        return "InvalidCharacterString (Value should be enclosed in quotation marks)"
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', value, re.DOTALL)
    if any(len(ESCAPE.sub("x", text)) > 255 for text in strings):
        return "CharacterStringTooLong (Value is too long)"
    return ""


def _contradictions(wanted: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """A record set may be named once in a batch, or be deleted and then made anew."""
    actions: dict[Key, list[str]] = {}
    for action, rrset in wanted:
        actions.setdefault(_key(rrset), []).append(action)
    return [
        f"The request contains an invalid set of changes for a resource record set '{kind} {name}'"
        for (name, kind, _), done in actions.items()
        if len(done) > 1 and done != ["DELETE", "CREATE"]
    ]


def _apply(sets: dict[Key, Any], action: str, rrset: dict[str, Any], make: Callable[[dict[str, Any]], Any]) -> list[str]:
    held, named = sets.get(_key(rrset)), f"resource record set [name='{rrset['Name']}', type='{rrset['Type']}']"
    if action == "CREATE" and held:
        return [f"Tried to create {named} but it already exists"]
    if action == "DELETE" and not held:
        return [f"Tried to delete {named} but it was not found"]
    if action == "DELETE" and not _same(held, rrset):
        return [f"Tried to delete {named} but the values provided do not match the current values"]
    if action == "DELETE":
        del sets[_key(rrset)]
    else:
        sets[_key(rrset)] = make(rrset)
    return []


def _same(held: Any, rrset: dict[str, Any]) -> bool:
    """A deletion names all that it deletes; the order of values doesn't matter."""
    if rrset.get("AliasTarget"):
        return bool(held.alias_target)
    return int(held.ttl) == int(rrset["TTL"]) and sorted(held.records) == sorted(rrset["ResourceRecords"])


def _conflicts(zone: str, sets: dict[Key, Any], rrset: dict[str, Any]) -> list[str]:
    name, kind = rrset["Name"], rrset["Type"]
    others = {other for held, other, _ in sets if held == name and other != kind}
    if kind == "CNAME" and others:
        return [f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the same DNS name in zone {zone}"]
    if "CNAME" in others:
        return [
            f"RRSet of type {kind} with DNS name {name} is not permitted because a conflicting RRSet of type  CNAME "
            f"with the same DNS name already exists in zone {zone}"
        ]
    return []
