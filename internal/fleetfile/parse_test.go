package fleetfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
)

// allFields is what the files all-fields.* ask for.
var allFields = []Entry{
	{
		Name: "www-example-com", Line: 3,
		Wanted: inventory.Wanted{
			Domains: []string{"*.app.example.com", "example.com", "www.example.com"}, KeyType: inventory.RSA4096,
			Directory: "https://acme-staging-v02.api.letsencrypt.org/directory", Profile: "tlsserver", PreferredChain: "ISRG Root X2",
			Fallback: &inventory.Fallback{Directory: "https://acme.zerossl.com/v2/DV90", Profile: "classic", PreferredChain: "USERTrust ECC Certification Authority"},
			DNS:      inventory.DNS{Provider: "route53", ZoneID: "Z0123456789ABC", RoleARN: "arn:aws:iam::123456789012:role/dns/example.com", ExternalID: "customer-7"},
			ReuseKey: true,
			Secret: inventory.Secret{
				KMSKeyID: "arn:aws:kms:eu-central-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef",
				Replicas: []string{"eu-west-1", "us-gov-west-1"},
				Tags:     map[string]string{"team": "web", "cost centre": "4711", "empty": ""},
			},
			ACM: []inventory.ACM{
				{ARN: "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000"},
				{ARN: "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000001"},
			},
			RevokeOnCompromise: true,
		},
	},
	{
		Name: "plain", Line: 31,
		Wanted: inventory.Wanted{
			Domains: []string{"xn--bcher-kva.example"}, KeyType: inventory.EC256, Directory: letsTest.Directory, Enabled: true,
		},
	},
}

func TestFleetFiles(t *testing.T) {
	for name, file := range map[string]string{
		"YAML with every field": "all-fields.yaml",
		"JSON with tabs, escapes, CRLF, nulls and a byte-order mark":      "all-fields-tabs.json",
		"JSON on one line, as jsonencode writes it, means the same thing": "all-fields-one-line.json",
	} {
		t.Run(name, func(t *testing.T) {
			entries, faults := Parse(content(t, "testdata/fleets/"+file), letsTest)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			opts := cmp.Options{}
			if strings.HasSuffix(file, ".json") {
				opts = append(opts, cmpopts.IgnoreFields(Entry{}, "Line"))
			}
			if diff := cmp.Diff(allFields, entries, opts); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSmallFiles(t *testing.T) {
	for name, file := range map[string]string{
		"a list without certificates is a fleet of none":     "certificates: []\n",
		"an empty document at the end holds nothing":         "certificates: []\n---\n",
		"an end mark and a directive are no second document": "%YAML 1.2\n---\ncertificates: []\n...\n",
	} {
		t.Run(name, func(t *testing.T) {
			if entries, faults := Parse([]byte(file), letsTest); len(faults) > 0 || len(entries) != 0 {
				t.Errorf("%d entries, faults: %v", len(entries), faults)
			}
		})
	}
}

func TestAsManyNamesAsAllowed(t *testing.T) {
	for name, c := range map[string]struct {
		n       int
		profile string
		pattern string
	}{
		"a hundred names of one registered domain": {MaxNames, "", "n%d.example.com"},
		"ninety-seven registered domains":          {MaxRegisteredDomains, "classic", "example-%d.com"},
		"twenty-five names in the short profiles":  {MaxNamesShort, "shortlived", "n%d.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			e := Entry{Name: "www-x", Wanted: inventory.Wanted{Profile: c.profile}}
			for i := range c.n {
				e.Wanted.Domains = append(e.Wanted.Domains, fmt.Sprintf(c.pattern, i))
			}
			if _, faults := Parse(encode(t, e), letsTest); len(faults) > 0 {
				t.Errorf("with %d names: %v", c.n, faults)
			}
			e.Wanted.Domains = append(e.Wanted.Domains, fmt.Sprintf(c.pattern, c.n))
			if _, faults := Parse(encode(t, e), letsTest); len(faults) != 1 {
				t.Errorf("with %d names: %v", c.n+1, faults)
			}
		})
	}
}

// Whatever stands in a file, its faults are all reported, each once.
func TestEveryFaultIsReportedOnce(t *testing.T) {
	faulty := map[string]string{
		"unknown field":   "domains: [ok.example], colour: blue",
		"U-label":         "domains: [ok.example, bücher.example]",
		"final dot":       "domains: [ok.example.]",
		"address":         "domains: [192.0.2.1, ok.example]",
		"wildcard":        "domains: ['a.*.example']",
		"twice":           "domains: [ok.example, OK.example]",
		"no names":        "domains: []",
		"no domains":      "enabled: true",
		"misspelt":        "domain: [ok.example]",
		"key type":        "domains: [ok.example], key_type: rsa1024",
		"directory":       "domains: [ok.example], acme_directory: 'http://ca.example'",
		"second CA":       "domains: [ok.example], fallback: {acme_directory: 'https://ca.example/2'}",
		"no second CA":    "domains: [ok.example], fallback: {}",
		"region":          "domains: [ok.example], secret: {replicas: [mars]}",
		"tag":             "domains: [ok.example], secret: {tags: {serial: '1'}}",
		"role":            "domains: [ok.example], dns: {role_arn: x}",
		"zone":            "domains: [ok.example], dns: {zone_id: x}",
		"KMS key":         "domains: [ok.example], secret: {kms_key_id: 'x y'}",
		"boolean as text": "domains: [ok.example], enabled: 'no'",
		"number as text":  "domains: [ok.example], profile: 12",
		"key twice":       "domains: [ok.example], enabled: true, enabled: false",
	}
	kinds := make([]string, 0, len(faulty))
	for k := range faulty {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	rapid.Check(t, func(t *rapid.T) {
		picked := rapid.SliceOfN(rapid.SampledFrom(append(kinds, "")), 1, 40).Draw(t, "kinds")
		var file strings.Builder
		file.WriteString("certificates:\n")
		var want []int
		for i, k := range picked {
			fields := "domains: [ok.example]"
			if k != "" {
				fields = faulty[k]
				want = append(want, i+2)
			}
			fmt.Fprintf(&file, "- {name: c%d, %s}\n", i, fields)
		}
		entries, faults := Parse([]byte(file.String()), letsTest)
		var got []int
		for _, f := range faults {
			got = append(got, f.Line)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("faults on lines %v, wanted %v:\n%s\n%v", got, want, file.String(), faults)
		}
		if len(want) == 0 && len(entries) != len(picked) {
			t.Fatalf("%d entries of %d", len(entries), len(picked))
		}
	})
}

// What can be wanted can be written down and read again.
func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfNDistinct(anyEntry(), 0, 5, func(e Entry) string { return e.Name }).Draw(t, "entries")
		got, faults := Parse(encode(t, entries...), letsTest)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if diff := cmp.Diff(entries, got, cmpopts.IgnoreFields(Entry{}, "Line"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func anyEntry() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		label := rapid.StringMatching(`[a-z0-9]([a-z0-9][a-z0-9-]?[a-z0-9]){0,3}`)
		domain := rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"", "*."}).Draw(t, "wildcard") + label.Draw(t, "label") + rapid.SampledFrom([]string{".example.com", ".example.co.uk", ".xn--p1ai"}).Draw(t, "domain")
		}).Filter(func(d string) bool { _, fault := normalize(d); return fault == "" })
		domains := rapid.SliceOfNDistinct(domain, 1, 8, rapid.ID).Draw(t, "domains")
		slices.Sort(domains)
		return Entry{
			Name: rapid.StringMatching(`[a-z0-9][a-z0-9\-_.]{0,127}`).Draw(t, "name"),
			Wanted: inventory.Wanted{
				Domains: domains, KeyType: rapid.SampledFrom(inventory.KeyTypes()).Draw(t, "key type"), Directory: letsTest.Directory,
				Profile:  rapid.SampledFrom([]string{"", "classic", "shortlived"}).Draw(t, "profile"),
				Fallback: rapid.SampledFrom([]*inventory.Fallback{nil, {Directory: "https://b.example/"}, {Directory: "https://c.example:8443/d", Profile: "shortlived", PreferredChain: "R 1"}}).Draw(t, "second CA"),
				Secret: inventory.Secret{
					Replicas: rapid.SampledFrom([][]string{nil, {"eu-west-1"}, {"eu-west-1", "ap-southeast-5"}}).Draw(t, "replicas"),
					Tags:     rapid.MapOfN(rapid.StringMatching(`[a-z ]{0,9}x`), rapid.StringMatching(`[\pL0-9 _.:/=+@-]{0,20}`), 0, 3).Draw(t, "tags"),
				},
				Enabled: rapid.Bool().Draw(t, "enabled"), ReuseKey: rapid.Bool().Draw(t, "reuse"),
			},
		}
	})
}

// encode writes entries as a fleet file.
func encode(t interface{ Fatal(...any) }, entries ...Entry) []byte {
	list := make([]map[string]any, len(entries))
	for i, e := range entries {
		text, err := json.Marshal(e.Wanted)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &list[i]); err != nil {
			t.Fatal(err)
		}
		delete(list[i], "since")
		for k, v := range list[i] {
			if v == "" {
				delete(list[i], k)
			}
		}
		list[i]["name"] = e.Name
	}
	out, err := json.MarshalIndent(map[string]any{"certificates": list}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return out
}
