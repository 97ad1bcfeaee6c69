package dns

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// simple says whether a record set is one of TXT that holds values and nothing else.
func simple(s *types.ResourceRecordSet) bool {
	return s.Type == types.RRTypeTxt && s.SetIdentifier == nil && s.AliasTarget == nil && s.TrafficPolicyInstanceId == nil
}

// occupied says why no challenge value can stand beside a record set, naming it and what to do. It
// is nil for a simple one and for none, and where all that is wanted is that values go which aren't
// in it.
func occupied(s *types.ResourceRecordSet, name string, ds []delta) error {
	wanted := func(d delta) bool { return d.name == name && (!d.remove || slices.Contains(valuesOf(s), d.value)) }
	if s == nil || simple(s) || !slices.ContainsFunc(ds, wanted) {
		return nil
	}
	return fmt.Errorf("%s %s; remove it, or make it a simple record set of type TXT", name, standing(s))
}

// standing words a record set that isn't simple.
func standing(s *types.ResourceRecordSet) string {
	var what string
	switch target := ""; {
	case s.Type == types.RRTypeCname:
		if s.AliasTarget != nil {
			target = aws.ToString(s.AliasTarget.DNSName)
		} else if values := valuesOf(s); len(values) > 0 {
			target = values[0]
		}
		what = fmt.Sprintf("has a CNAME to %s, beside which no other record may stand", target)
	case s.AliasTarget != nil:
		what = fmt.Sprintf("has a TXT record set that is an alias of %s", aws.ToString(s.AliasTarget.DNSName))
	case s.TrafficPolicyInstanceId != nil:
		what = fmt.Sprintf("has a TXT record set that is made by the traffic policy instance %s", *s.TrafficPolicyInstanceId)
	default:
		what = "has a TXT record set with " + routing(s)
	}
	if s.SetIdentifier != nil {
		what += fmt.Sprintf(" (SetIdentifier %q)", *s.SetIdentifier)
	}
	return what
}

// routing names the policy of a record set as Route 53's console does.
func routing(s *types.ResourceRecordSet) string {
	switch {
	case aws.ToBool(s.MultiValueAnswer):
		return "a multivalue answer policy"
	case s.Weight != nil:
		return "a weighted policy"
	case s.Region != "":
		return "a latency policy"
	case s.Failover != "":
		return "a failover policy"
	case s.GeoLocation != nil:
		return "a geolocation policy"
	case s.GeoProximityLocation != nil:
		return "a geoproximity policy"
	case s.CidrRoutingConfig != nil:
		return "an IP-based policy"
	}
	return "a routing policy"
}

// stands keeps what decides about a name: its CNAME, or its record set of type TXT. Of several with
// a routing policy it is the first, with the values of all.
func stands(read map[string]*types.ResourceRecordSet, s types.ResourceRecordSet) {
	name := canonicalName(*s.Name)
	switch first := read[name]; {
	case s.Type != types.RRTypeTxt && s.Type != types.RRTypeCname:
	case first == nil || simple(first):
		read[name] = &s
	case !oneSet(first, &s):
		first.ResourceRecords = append(slices.Clone(first.ResourceRecords), s.ResourceRecords...)
	}
}

// oneSet says whether two are one record set, seen on two pages.
func oneSet(a, b *types.ResourceRecordSet) bool {
	return a.Type == b.Type && aws.ToString(a.SetIdentifier) == aws.ToString(b.SetIdentifier)
}
