package emulator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/miekg/dns"

	"github.com/certpace/certpace/internal/lab/nameserver"
)

// newZone makes a public zone and gives its name, with a dot, and its id.
func newZone(t *testing.T) (name, id string) {
	t.Helper()
	name = unique(t) + ".test."
	return name, makeZone(t, name, false)
}

func makeZone(t *testing.T, name string, private bool) (id string) {
	t.Helper()
	made, err := shared(t).route53.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: &name, CallerReference: aws.String(unique(t)),
		HostedZoneConfig: &types.HostedZoneConfig{PrivateZone: private}})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(*made.HostedZone.Id, "/hostedzone/")
}

// change is "ACTION name TYPE value|value", with a TTL of 60 s.
func change(line string) types.Change {
	fields := strings.SplitN(line, " ", 4)
	set := &types.ResourceRecordSet{Name: &fields[1], Type: types.RRType(fields[2]), TTL: aws.Int64(60)}
	for _, value := range strings.Split(fields[3], "|") {
		set.ResourceRecords = append(set.ResourceRecords, types.ResourceRecord{Value: &value})
	}
	return types.Change{Action: types.ChangeAction(fields[0]), ResourceRecordSet: set}
}

func apply(t *testing.T, zone string, changes ...types.Change) (*types.ChangeInfo, error) {
	t.Helper()
	got, err := theCloud.route53.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{Changes: changes}})
	if err != nil {
		return nil, err
	}
	return got.ChangeInfo, nil
}

func mustApply(t *testing.T, zone string, lines ...string) *types.ChangeInfo {
	t.Helper()
	var changes []types.Change
	for _, line := range lines {
		changes = append(changes, change(line))
	}
	info, err := apply(t, zone, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// stored lists a zone without its apex: "name TYPE value|value".
func stored(t *testing.T, zone string) []string {
	t.Helper()
	listed, err := theCloud.route53.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, set := range listed.ResourceRecordSets {
		if set.Type == types.RRTypeNs || set.Type == types.RRTypeSoa {
			continue
		}
		var values []string
		for _, record := range set.ResourceRecords {
			values = append(values, *record.Value)
		}
		all = append(all, fmt.Sprintf("%s %s %s", *set.Name, set.Type, strings.Join(values, "|")))
	}
	return all
}

// status asks GetChange.
func status(t *testing.T, info *types.ChangeInfo) types.ChangeStatus {
	t.Helper()
	got, err := theCloud.route53.GetChange(t.Context(), &route53.GetChangeInput{Id: info.Id})
	if err != nil {
		t.Fatal(err)
	}
	return got.ChangeInfo.Status
}

// served gives the values of a name's TXT in what DNS serves.
func served(t *testing.T, name string) []string {
	t.Helper()
	zones, err := theCloud.Served(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range zones {
		for _, set := range zone.Records {
			if set.Name == name && set.Type == "TXT" {
				return set.Values
			}
		}
	}
	return nil
}

func TestAChangeIsServedOnceItIsInSync(t *testing.T) {
	zone, id := newZone(t)
	name := "_acme-challenge." + zone
	delay := func(by time.Duration) {
		t.Helper()
		if err := theCloud.SetDNSDelay(t.Context(), by); err != nil {
			t.Fatal(err)
		}
	}
	delay(time.Hour)
	made := mustApply(t, id, `CREATE `+name+` TXT "one"`)
	next := mustApply(t, id, `DELETE `+name+` TXT "one"`, `CREATE `+name+` TXT "one"|"two"`)
	if made.Status != types.ChangeStatusPending || status(t, made) != types.ChangeStatusPending || *made.Id == *next.Id {
		t.Errorf("a new change is %s, then %s; want PENDING, and an id of its own", made.Status, status(t, made))
	}
	if got := stored(t, id); !slices.Equal(got, []string{name + ` TXT "one"|"two"`}) {
		t.Errorf("it is listed as %s; want both values at once", got)
	}
	if got := served(t, name); got != nil {
		t.Errorf("it is served before it is INSYNC: %s", got)
	}

	delay(0) // both are due
	if a, b := status(t, made), status(t, next); a != types.ChangeStatusInsync || b != types.ChangeStatusInsync {
		t.Errorf("they are %s and %s; want INSYNC", a, b)
	}
	if got := served(t, name); !slices.Equal(got, []string{`"one"`, `"two"`}) {
		t.Errorf("served is %s; want both", got)
	}

	delay(time.Hour)
	gone := mustApply(t, id, `DELETE `+name+` TXT "two"|"one"`) // the order of values doesn't matter
	if got := served(t, name); len(got) != 2 || status(t, gone) != types.ChangeStatusPending {
		t.Errorf("served is %s while the deletion is %s; want both values still", got, status(t, gone))
	}
	if status(t, made) != types.ChangeStatusInsync {
		t.Error("what was INSYNC is PENDING again")
	}
	delay(0)
	if got := served(t, name); got != nil {
		t.Errorf("served is %s after the deletion", got)
	}
	t.Run("a change that isn't there is not found", func(t *testing.T) {
		_, err := theCloud.route53.GetChange(t.Context(), &route53.GetChangeInput{Id: aws.String("C0000000000000")})
		if got := code(err); got != "NoSuchChange" {
			t.Errorf("got %s; want NoSuchChange", got)
		}
	})
}

func TestABatchIsRefusedWhole(t *testing.T) {
	zone, id := newZone(t)
	at := func(line string) string { return strings.ReplaceAll(line, "@", zone) }
	mustApply(t, id, at(`CREATE held.@ TXT "a"|"b"`), at(`CREATE alias.@ CNAME elsewhere.test`))
	before := stored(t, id)
	for _, test := range []struct {
		is    string
		lines []string
		want  string
	}{
		{"text without quotes", []string{`CREATE x.@ TXT abc`},
			`[Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'abc'']`},
		{"a string of more than 255 characters", []string{`CREATE x.@ TXT "` + strings.Repeat("x", 256) + `"`}, "CharacterStringTooLong (Value is too long)"},
		{"deleting what isn't there", []string{`DELETE x.@ TXT "a"`}, `[Tried to delete resource record set [name='x.@', type='TXT'] but it was not found]`},
		{"deleting another type of a name", []string{`DELETE held.@ A 127.0.0.1`}, `[Tried to delete resource record set [name='held.@', type='A'] but it was not found]`},
		{"deleting less than there is", []string{`DELETE held.@ TXT "a"`},
			`[Tried to delete resource record set [name='held.@', type='TXT'] but the values provided do not match the current values]`},
		{"creating what is there", []string{`CREATE held.@ TXT "c"`}, `[Tried to create resource record set [name='held.@', type='TXT'] but it already exists]`},
		{"one bad change among good ones", []string{`CREATE x.@ TXT "a"`, `DELETE y.@ TXT "b"`, `UPSERT z.@ TXT "c"`, `CREATE HELD.@ TXT "c"`},
			`[Tried to delete resource record set [name='y.@', type='TXT'] but it was not found, Tried to create resource record set [name='held.@', type='TXT'] but it already exists]`},
		{"one name twice, as apex and wildcard would", []string{`CREATE x.@ TXT "a"`, `CREATE x.@ TXT "b"`}, `[The request contains an invalid set of changes for a resource record set 'TXT x.@']`},
		{"one value twice", []string{`CREATE x.@ TXT "a"|"a"`}, `[Duplicate Resource Record: '"a"']`},
		{"a name of another zone", []string{`CREATE x.other.test. TXT "a"`}, `[RRSet with DNS name x.other.test. is not permitted in zone @]`},
		{"a name that only ends like the zone", []string{`CREATE x@ TXT "a"`}, `[RRSet with DNS name x@ is not permitted in zone @]`},
		{"text beside a CNAME", []string{`CREATE alias.@ TXT "a"`}, `because a conflicting RRSet of type  CNAME with the same DNS name already exists`},
		{"a CNAME beside text", []string{`CREATE held.@ CNAME elsewhere.test`}, `as it conflicts with other records with the same DNS name`},
		{"a CNAME at the apex", []string{`CREATE @ CNAME elsewhere.test`}, `not permitted at apex in zone @`},
	} {
		t.Run(test.is, func(t *testing.T) {
			var changes []types.Change
			for _, line := range test.lines {
				changes = append(changes, change(at(line)))
			}
			_, err := apply(t, id, changes...)
			var refused *types.InvalidChangeBatch
			if !errors.As(err, &refused) || !strings.Contains(refused.ErrorMessage(), at(test.want)) {
				t.Errorf("got  %v\nwant InvalidChangeBatch: %s", err, at(test.want))
			}
			if got := stored(t, id); !slices.Equal(got, before) {
				t.Errorf("the zone holds %s; want it as before, %s", got, before)
			}
		})
	}
	t.Run("another TTL is another record set", func(t *testing.T) {
		other := change(at(`DELETE held.@ TXT "a"|"b"`))
		other.ResourceRecordSet.TTL = aws.Int64(61)
		if _, err := apply(t, id, other); code(err) != "InvalidChangeBatch" {
			t.Errorf("got %v; want it refused", err)
		}
	})
	t.Run("a zone that isn't there", func(t *testing.T) {
		if _, err := apply(t, "Z0000000000000", change(at(`CREATE x.@ TXT "a"`))); code(err) != "NoSuchHostedZone" {
			t.Errorf("got %v; want NoSuchHostedZone", err)
		}
	})
	t.Run("a deletion without values", func(t *testing.T) {
		bare := change(at(`DELETE held.@ TXT "a"`))
		bare.ResourceRecordSet.ResourceRecords = nil
		if _, err := apply(t, id, bare); code(err) != "InvalidInput" {
			t.Errorf("got %v; want InvalidInput", err)
		}
	})
}

func TestABatchIsLimited(t *testing.T) {
	zone, id := newZone(t)
	// A set of n values of the given length, quotes included.
	set := func(action, name string, n, length int) types.Change {
		var values []string
		for i := range n {
			values = append(values, fmt.Sprintf(`"%0*d"`, length-2, i))
		}
		return change(fmt.Sprintf("%s %s.%s TXT %s", action, name, zone, strings.Join(values, "|")))
	}
	for _, test := range []struct {
		is      string
		changes []types.Change
		want    string
	}{
		{"1,000 records are the most", []types.Change{set("CREATE", "a", 400, 6), set("CREATE", "b", 400, 6), set("CREATE", "c", 200, 6)}, ""},
		{"1,001 are too many", []types.Change{set("CREATE", "d", 400, 6), set("CREATE", "e", 400, 6), set("CREATE", "f", 201, 6)}, "Number of records limit of 1000 exceeded."},
		{"an UPSERT counts twice", []types.Change{set("UPSERT", "g", 400, 6), set("CREATE", "h", 201, 6)}, "Number of records limit of 1000 exceeded."},
		{"32,000 characters are the most", []types.Change{set("CREATE", "i", 320, 100)}, ""},
		{"more are too many", []types.Change{set("CREATE", "j", 320, 100), set("CREATE", "k", 1, 3)}, "RDATA character limit of 32000 exceeded."},
		{"an UPSERT's count twice", []types.Change{set("UPSERT", "l", 160, 100), set("CREATE", "m", 1, 3)}, "RDATA character limit of 32000 exceeded."},
		{"400 values are the most of a set", []types.Change{set("CREATE", "n", 401, 6)}, "Cannot have more than 400 records in a RRSet."},
	} {
		t.Run(test.is, func(t *testing.T) {
			_, err := apply(t, id, test.changes...)
			var refused *types.InvalidChangeBatch
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (!errors.As(err, &refused) || !strings.Contains(refused.ErrorMessage(), test.want)):
				t.Errorf("got %v; want %s", err, test.want)
			}
		})
	}
}

func TestNamesAreStoredAsRoute53Does(t *testing.T) {
	zone, id := newZone(t)
	mustApply(t, id, `CREATE *.WWW.`+zone+` TXT "wild"`, `CREATE a.`+zone+` TXT "a"`, `CREATE z.`+zone+` TXT "z"`)
	want := []string{`a.` + zone + ` TXT "a"`, `\052.www.` + zone + ` TXT "wild"`, `z.` + zone + ` TXT "z"`}
	if got := stored(t, id); !slices.Equal(got, want) {
		t.Errorf("listed are %s; want %s", got, want)
	}
	if got := served(t, "*.www."+zone); len(got) != 1 {
		t.Errorf("the wildcard is served as %s", got)
	}
	page, err := theCloud.route53.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &id,
		StartRecordName: aws.String("*.Www." + zone), StartRecordType: types.RRTypeTxt, MaxItems: aws.Int32(1)})
	if err != nil || len(page.ResourceRecordSets) != 1 || *page.ResourceRecordSets[0].Name != `\052.www.`+zone || !page.IsTruncated || *page.NextRecordName != "z."+zone {
		t.Errorf("a page that starts at the wildcard is %+v, %v", page, err)
	}
}

func TestZonesAreListedFromAName(t *testing.T) {
	zone, id := newZone(t)
	below, above := makeZone(t, "b."+zone, false), makeZone(t, "a."+zone, false)
	private := makeZone(t, zone, true)
	list := func(start string, most int32) *route53.ListHostedZonesByNameOutput {
		got, err := theCloud.route53.ListHostedZonesByName(t.Context(), &route53.ListHostedZonesByNameInput{DNSName: &start, MaxItems: &most})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	ids := func(zones []types.HostedZone) (all []string) {
		for _, zone := range zones {
			all = append(all, strings.TrimPrefix(*zone.Id, "/hostedzone/"))
		}
		return all
	}
	own := []string{id, private}
	slices.Sort(own)
	if got := ids(list(strings.ToUpper(zone), 4).HostedZones); !slices.Equal(got, []string{own[0], own[1], above, below}) {
		t.Errorf("from %s on are listed %s; want both of that name, then those below it", zone, got)
	}
	page := list(zone, 2)
	if !page.IsTruncated || *page.NextDNSName != "a."+zone || *page.NextHostedZoneId != above {
		t.Errorf("after two comes %v %v; want a.%s", aws.ToString(page.NextDNSName), aws.ToString(page.NextHostedZoneId), zone)
	}
	if got := ids(list("aa."+zone, 1).HostedZones); !slices.Equal(got, []string{below}) {
		t.Errorf("a name without a zone lists %s; want the next zone, %s", got, below)
	}
	zones, err := theCloud.Served(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range zones {
		if zone.Private != (zone.ID == private) {
			t.Errorf("zone %s is private: %v", zone.ID, zone.Private)
		}
	}
}

func TestAZoneIsFoundInDNS(t *testing.T) {
	server, err := nameserver.Start(t.Context(), nameserver.Options{Source: theCloud})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := dns01.AddRecursiveNameservers([]string{server.Addr()})(nil); err != nil {
		t.Fatal(err)
	}
	zone, id := newZone(t)
	t.Run("by lego, from a name below it", func(t *testing.T) {
		if got, err := dns01.FindZoneByFqdn("_acme-challenge.deep.www." + zone); err != nil || got != zone {
			t.Errorf("got %q, %v; want %s", got, err, zone)
		}
	})
	t.Run("and one that isn't there isn't, at once", func(t *testing.T) {
		got, err := dns01.FindZoneByFqdn("_acme-challenge.www.no-such-zone.test.")
		if err == nil || !strings.Contains(err.Error(), "could not find the start of authority") {
			t.Errorf("got %q, %v; want no start of authority", got, err)
		}
	})
	t.Run("and its values, through a delegation", func(t *testing.T) {
		mustApply(t, id, `CREATE _acme-challenge.www.`+zone+` CNAME target.`+zone, `CREATE target.`+zone+` TXT "value"`)
		answer, err := dns.Exchange(new(dns.Msg).SetQuestion("_acme-challenge.www."+zone, dns.TypeTXT), server.Addr())
		if err != nil || len(answer.Answer) != 2 || answer.Answer[1].(*dns.TXT).Txt[0] != "value" {
			t.Errorf("got %v, %v; want the CNAME and its target's value", answer, err)
		}
	})
	t.Run("and when it is deleted it is gone", func(t *testing.T) {
		mustApply(t, id, `DELETE _acme-challenge.www.`+zone+` CNAME target.`+zone, `DELETE target.`+zone+` TXT "value"`)
		got, err := theCloud.route53.DeleteHostedZone(t.Context(), &route53.DeleteHostedZoneInput{Id: &id})
		if err != nil || status(t, got.ChangeInfo) != types.ChangeStatusInsync {
			t.Fatalf("deleting it: %v, %v", got, err)
		}
		answer, err := dns.Exchange(new(dns.Msg).SetQuestion(zone, dns.TypeSOA), server.Addr())
		if err != nil || answer.Rcode != dns.RcodeNameError {
			t.Errorf("got %v, %v; want NXDOMAIN", answer, err)
		}
	})
}
