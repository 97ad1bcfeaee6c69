"""Route 53: changes take time, batches are checked and atomic, listings are in order."""
import string
from typing import Any

from moto.core.responses import ActionResult
from moto.moto_api._internal import mock_random
from moto.route53.exceptions import InvalidInput, Route53ClientError
from moto.route53.models import FakeZone, RecordSet, Route53Backend
from moto.route53.responses import Route53

from .batch import BadInput, Refused, canonical, changed
from .propagation import Propagation

NAME_SERVERS = [f"ns-{n}.certpace-lab.test" for n in range(1, 5)]
LARGEST_PAGE = 300


def correct() -> None:
    zones_have_a_real_apex()
    changes_take_time()
    batches_are_checked()
    zones_are_listed_in_order()
    record_sets_are_listed_by_canonical_name()


def zones_have_a_real_apex() -> None:
    """The SOA's value is a printed Python dict and name servers lack their dot, so that no client
    finds the zone in DNS."""
    create, init = Route53Backend.create_hosted_zone, Route53Backend.__init__

    def start(self: Any, region_name: str, account_id: str) -> None:
        init(self, region_name, account_id)
        self.propagation = Propagation()

    def create_hosted_zone(self: Any, name: str, *args: Any, **kwargs: Any) -> FakeZone:
        zone = create(self, canonical(name), *args, **kwargs)
        zone.delegation_set.name_servers = list(NAME_SERVERS)
        soa = f"{NAME_SERVERS[0]}. hostmaster.certpace-lab.test. 1 7200 900 1209600 86400"
        zone.rrsets = [_record_set(zone.name, "NS", 172_800, [f"{n}." for n in NAME_SERVERS]), _record_set(zone.name, "SOA", 900, [soa])]
        return zone

    Route53Backend.__init__ = start
    Route53Backend.create_hosted_zone = create_hosted_zone


def _record_set(name: str, kind: str, ttl: int, values: list[str]) -> RecordSet:
    return RecordSet({"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": values})


def changes_take_time() -> None:
    """Each change is INSYNC at once and has the same id. See propagation.py."""
    create, delete = Route53.create_hosted_zone, Route53.delete_hosted_zone

    def create_hosted_zone(self: Any) -> ActionResult:
        answer = create(self)
        return _with_change(self, answer, answer.result["HostedZone"].resource_id)

    def delete_hosted_zone(self: Any) -> ActionResult:
        return _with_change(self, delete(self), _bare(self._get_param("Id")))

    def get_change(self: Any) -> ActionResult:
        change = self.backend.propagation.change(_bare(self._get_param("Id")))
        if change is None:
            raise Route53ClientError("NoSuchChange", f"Could not find resource with ID: {_bare(self._get_param('Id'))}")
        return ActionResult({"ChangeInfo": change.info()})

    Route53.create_hosted_zone = create_hosted_zone
    Route53.delete_hosted_zone = delete_hosted_zone
    Route53.get_change = get_change


def _bare(identifier: str) -> str:
    return identifier.rsplit("/", 1)[-1]


def _with_change(handler: Any, answer: ActionResult, zone_id: str, comment: str | None = None) -> ActionResult:
    change_id = "C" + "".join(mock_random.choice(string.ascii_uppercase + string.digits) for _ in range(20))
    change = handler.backend.propagation.submit(change_id, zone_id, handler.backend.zones.get(zone_id), comment)
    answer.result["ChangeInfo"] = change.info()
    return answer


def batches_are_checked() -> None:
    """Moto takes unquoted TXT values and deletions of what isn't there, creates a second record set
    of the same name, and stops in the middle of a batch. See batch.py."""

    def change_resource_record_sets(self: Any) -> ActionResult:
        zone = self.backend.get_hosted_zone(_bare(self._get_param("HostedZoneId")))
        try:
            zone.rrsets = changed(zone.name, zone.rrsets, self._get_param("ChangeBatch.Changes") or [], RecordSet)
        except Refused as refused:
            raise Route53ClientError("InvalidChangeBatch", f"[{', '.join(refused.messages)}]")
        except BadInput as bad:
            raise InvalidInput(str(bad))
        return _with_change(self, ActionResult({}), zone.resource_id, self._get_param("ChangeBatch.Comment"))

    Route53.change_resource_record_sets = change_resource_record_sets


def _reversed(name: str) -> list[str]:
    """Route 53 sorts by labels from the right: com.example.www."""
    return canonical(name).rstrip(".").split(".")[::-1]


def zones_are_listed_in_order() -> None:
    """ListHostedZonesByName starts at a name and goes on; moto answers only zones of exactly that
    name, so a client that trusts the first answer works here and takes the wrong zone at AWS."""

    def list_hosted_zones_by_name(self: Any) -> ActionResult:
        start, after, most = self._get_param("DNSName"), self._get_param("HostedZoneId"), self._get_int_param("MaxItems", 100)
        zones = sorted(self.backend.zones.values(), key=lambda zone: (_reversed(zone.name), zone.resource_id))
        if start:
            first = (_reversed(start), _bare(after or ""))
            zones = [zone for zone in zones if (_reversed(zone.name), zone.resource_id) >= first]
        result = {"DNSName": start, "HostedZoneId": after, "HostedZones": zones[:most], "IsTruncated": len(zones) > most, "MaxItems": most}
        if len(zones) > most:
            result |= {"NextDNSName": zones[most].name, "NextHostedZoneId": zones[most].resource_id}
        return ActionResult(result)

    Route53.list_hosted_zones_by_name = list_hosted_zones_by_name


def record_sets_are_listed_by_canonical_name() -> None:
    """Names are stored in lower case with a dot, and a star as \\052; the start of a page is compared so too."""

    def list_resource_record_sets(self: Any, zone_id: str, start_type: str, start_name: str, max_items: int) -> Any:
        zone, most = self.get_hosted_zone(_bare(zone_id)), min(max_items, LARGEST_PAGE)
        found = sorted(zone.rrsets, key=lambda rrset: (_reversed(rrset.name), rrset.type))
        if start_name:
            first = (_reversed(start_name), start_type or "")
            found = [rrset for rrset in found if (_reversed(rrset.name), rrset.type) >= first]
        following = found[most] if len(found) > most else None
        return found[:most], following and following.name, following and following.type, following is not None

    Route53Backend.list_resource_record_sets = list_resource_record_sets
