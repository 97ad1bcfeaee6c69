"""When a change of Route 53 reaches DNS.

A change is PENDING for Propagation.delay seconds. Then it is INSYNC, and in the same moment what the
lab's name server reads holds it: nothing is served before, also no deletion.
"""
import os
from collections import deque
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow

from . import serving


class Change:
    def __init__(self, change_id: str, zone_id: str, zone: dict[str, Any] | None, comment: str | None) -> None:
        self.id, self.zone_id, self.zone, self.comment = change_id, zone_id, zone, comment
        self.at, self.submitted_at, self.status = serving.now(), utcnow(), "PENDING"

    def info(self) -> dict[str, str | datetime | None]:
        return {"Id": f"/change/{self.id}", "Status": self.status, "SubmittedAt": self.submitted_at, "Comment": self.comment}


class Propagation:
    delay = float(os.environ.get("CERTPACE_EMULATOR_DNS_DELAY") or 0)  # seconds, of all accounts

    def __init__(self) -> None:
        self.changes: dict[str, Change] = {}
        self.pending: deque[Change] = deque()
        self.served: dict[str, dict[str, Any]] = {}  # by zone id
        self.version = 0  # of what is served

    def submit(self, change_id: str, zone_id: str, zone: Any, comment: str | None) -> Change:
        """Takes the zone as it is now, or None where it was deleted."""
        change = Change(change_id, zone_id, zone and view(zone), comment)
        self.changes[change_id] = change
        self.pending.append(change)
        return change

    def change(self, change_id: str) -> Change | None:
        self.settle()
        return self.changes.get(change_id)

    def settle(self) -> None:
        """Serves what is due, in the order in which it was submitted."""
        due = serving.now() - Propagation.delay
        while self.pending and self.pending[0].at <= due:
            change = self.pending.popleft()
            change.status = "INSYNC"
            self.version += 1
            if change.zone:
                self.served[change.zone_id] = change.zone
            else:
                self.served.pop(change.zone_id, None)

    def zones(self) -> list[dict[str, Any]]:
        self.settle()
        return list(self.served.values())


def view(zone: Any) -> dict[str, Any]:
    """A zone as a name server needs it. Aliases have no values, and certpace none of them."""
    records = [
        {"name": rrset.name.replace(r"\052", "*"), "type": rrset.type, "ttl": int(rrset.ttl), "values": list(rrset.records)}
        for rrset in zone.rrsets
        if rrset.records
    ]
    return {"id": zone.resource_id, "name": zone.name, "private": bool(zone.private_zone), "records": records}
