package dns

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// policy is a TXT record set of challenge1 with what makes it other than simple.
func policy(change func(*types.ResourceRecordSet), values ...string) types.ResourceRecordSet {
	s := setOf(challenge1, 60, values...)
	change(s)
	return *s
}

func identified(more func(*types.ResourceRecordSet)) func(*types.ResourceRecordSet) {
	return func(s *types.ResourceRecordSet) {
		s.SetIdentifier = new("eu")
		more(s)
	}
}

// What stands at a challenge's name and can't hold its value is said to be that, whichever call
// meets it first.
func TestWhatStandsAtTheNameIsNamed(t *testing.T) {
	for name, row := range map[string]struct {
		stands types.ResourceRecordSet
		says   []string
	}{
		"multivalue answers":    {policy(identified(func(s *types.ResourceRecordSet) { s.MultiValueAnswer = new(true) }), `"old"`), []string{"a multivalue answer", `SetIdentifier "eu"`}},
		"a weight":              {policy(identified(func(s *types.ResourceRecordSet) { s.Weight = new(int64(0)) }), `"old"`), []string{"a weighted policy", `SetIdentifier "eu"`}},
		"a latency":             {policy(identified(func(s *types.ResourceRecordSet) { s.Region = types.ResourceRecordSetRegionEuCentral1 }), `"old"`), []string{"a latency policy", `SetIdentifier "eu"`}},
		"a failover":            {policy(identified(func(s *types.ResourceRecordSet) { s.Failover = types.ResourceRecordSetFailoverPrimary }), `"old"`), []string{"a failover policy", `SetIdentifier "eu"`}},
		"a place":               {policy(identified(func(s *types.ResourceRecordSet) { s.GeoLocation = &types.GeoLocation{CountryCode: new("*")} }), `"old"`), []string{"a geolocation policy", `SetIdentifier "eu"`}},
		"a distance":            {policy(identified(func(s *types.ResourceRecordSet) { s.GeoProximityLocation = &types.GeoProximityLocation{} }), `"old"`), []string{"a geoproximity policy", `SetIdentifier "eu"`}},
		"a network":             {policy(identified(func(s *types.ResourceRecordSet) { s.CidrRoutingConfig = &types.CidrRoutingConfig{} }), `"old"`), []string{"an IP-based policy", `SetIdentifier "eu"`}},
		"a policy that is new":  {policy(identified(func(*types.ResourceRecordSet) {}), `"old"`), []string{"a routing policy", `SetIdentifier "eu"`}},
		"an alias":              {policy(func(s *types.ResourceRecordSet) { s.AliasTarget = &types.AliasTarget{DNSName: new("x.example.com.")} }), []string{"an alias of x.example.com."}},
		"a traffic policy's":    {policy(func(s *types.ResourceRecordSet) { s.TrafficPolicyInstanceId = new("tp-1") }, `"old"`), []string{"the traffic policy instance tp-1"}},
		"a CNAME":               {policy(func(s *types.ResourceRecordSet) { s.Type = types.RRTypeCname }, "x.example.net."), []string{"a CNAME to x.example.net.", "no other record may stand"}},
		"a CNAME with a policy": {policy(identified(func(s *types.ResourceRecordSet) { s.Type, s.Weight = types.RRTypeCname, new(int64(1)) }), "x.example.net."), []string{"a CNAME to x.example.net.", `SetIdentifier "eu"`}},
		"a CNAME that is a alias": {policy(func(s *types.ResourceRecordSet) {
			s.Type, s.AliasTarget = types.RRTypeCname, &types.AliasTarget{DNSName: new("x.example.net.")}
		}), []string{"a CNAME to x.example.net."}},
	} {
		says := append(row.says, challenge1, "remove it", "hosted zone Z1")
		t.Run(name+", when nothing was read", func(t *testing.T) {
			f, s, _ := newTest(t)
			f.zone("Z1", "example.com.").others = []types.ResourceRecordSet{row.stands}
			err := s.route53.publish(t.Context(), []renew.Record{record("Z1", "example.com", "v")})
			failed(t, err, renew.Never, reason.Configuration, says...)
		})
		t.Run(name+", when it was read", func(t *testing.T) {
			f, s, _ := newTest(t)
			z := f.zone("Z1", "example.com.").with("_acme-challenge.a.example.com.", 60, `"foreign"`)
			z.others = []types.ResourceRecordSet{row.stands}
			err := s.route53.publish(t.Context(), []renew.Record{record("Z1", "a.example.com", "v"), record("Z1", "example.com", "v")})
			failed(t, err, renew.Never, reason.Configuration, says...)
		})
		t.Run(name+", and there is nothing to remove", func(t *testing.T) {
			f, s, _ := newTest(t)
			f.zone("Z1", "example.com.").others = []types.ResourceRecordSet{row.stands}
			if err := s.route53.remove(t.Context(), []renew.Record{record("Z1", "example.com", "v")}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Somebody may put it there between the reading and the change.
func TestWhatComesToStandAtTheNameIsNamedInRoute53sWords(t *testing.T) {
	f, s, _ := newTest(t)
	z := f.zone("Z1", "example.com.")
	f.hook = func(op string, nth int) verdict {
		if op == "ChangeResourceRecordSets" { // never seen by the listing
			z.others = []types.ResourceRecordSet{policy(identified(func(*types.ResourceRecordSet) {}), `"old"`)}
		} else {
			z.others = nil
		}
		return verdict{}
	}
	err := s.route53.publish(t.Context(), []renew.Record{record("Z1", "example.com", "v")})
	failed(t, err, renew.Never, reason.Configuration, challenge1, "cannot be created", "remove what stands there")
}

func TestOurValueInAPolicysRecordSetIsToldWhenItIsToGo(t *testing.T) {
	f, s, _ := newTest(t)
	f.zone("Z1", "example.com.").others = []types.ResourceRecordSet{
		policy(identified(func(s *types.ResourceRecordSet) { s.MultiValueAnswer = new(true) }), `"old"`),
		policy(func(s *types.ResourceRecordSet) { s.SetIdentifier, s.MultiValueAnswer = new("us"), new(true) }, `"v"`),
	}
	err := s.route53.remove(t.Context(), []renew.Record{record("Z1", "example.com", "v")})
	failed(t, err, renew.Never, reason.Configuration, challenge1, `SetIdentifier "eu"`, "remove it")
}

// Nothing but a person takes other people's values away.
func TestMoreValuesThanAChangeHoldsAreForAPerson(t *testing.T) {
	f, s, _ := newTest(t)
	f.zone("Z1", "example.com.").with(challenge1, 60, slices.Repeat([]string{`"` + string(make([]byte, 43)) + `"`}, 400)...)
	err := s.route53.publish(t.Context(), []renew.Record{record("Z1", "example.com", "v")})
	failed(t, err, renew.Never, reason.Configuration, challenge1, "400 values", "remove old values there")
}

// One job's name is its own trouble also where another one's is occupied.
func TestAnOccupiedNameHoldsNobodyElseUp(t *testing.T) {
	f, s, _ := newTest(t)
	z := f.zone("Z1", "example.com.")
	z.others = []types.ResourceRecordSet{policy(identified(func(s *types.ResourceRecordSet) { s.MultiValueAnswer = new(true) }), `"old"`)}
	errs := together(t, 6, func(i int) error {
		domain := []string{"example.com", "a.example.com", "b.example.com"}[i%3]
		return s.route53.publish(t.Context(), []renew.Record{record("Z1", domain, "v")})
	})
	for i, err := range errs {
		if i%3 == 0 {
			failed(t, err, renew.Never, reason.Configuration, challenge1)
		} else if err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
}
