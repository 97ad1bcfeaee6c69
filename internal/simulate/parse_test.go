package simulate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/budget"
)

const whole = `
start: 2026-12-01T01:00:00+01:00
duration: 2160h
seed: 7
ca: {lifetime: 1080h, ari: false}
limits: letsencrypt
overrides: {new-orders-per-account: {burst: 10000, count: 10000, period: 3h}}
worker: {seconds_per_issuance: 8}
tick: 10m
planner_share: 1.0
failures: {validation: 0.02, unavailable: 0.01}
broken: {share: 0.5, from: 1h, for: 168h}
revoke: {share: 0.25, at: 72h, deadline: 24h}
fleet: {certificates: 12, domains_per_certificate: 2, registered_domains: 3, issued_over: 100h}
`

func wholeScenario() Scenario {
	raised := budget.Limit{Burst: 10000, Count: 10000, Period: 3 * time.Hour}
	return Scenario{
		Start: epoch, Duration: 90 * day, Seed: 7, CA: CA{Lifetime: 45 * day}, Set: budget.SetLetsEncrypt,
		Limits:    budget.LetsEncrypt().With(budget.Limits{budget.NewOrdersPerAccount: raised}),
		Overrides: budget.Limits{budget.NewOrdersPerAccount: raised},
		Issuance:  8 * time.Second, Tick: 10 * time.Minute, PlannerShare: 1,
		Failures: Failures{0.02, 0.01}, Broken: Broken{0.5, time.Hour, 168 * time.Hour}, Revoke: Revoke{0.25, 72 * time.Hour, day},
		Fleet: Fleet{Certificates: 12, DomainsPer: 2, RegisteredDomains: 3, PerSet: 1, IssuedOver: 100 * time.Hour},
	}
}

func TestParse(t *testing.T) {
	t.Run("every field is read", func(t *testing.T) {
		if diff := cmp.Diff(wholeScenario(), parsed(t, whole)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("JSON is YAML", func(t *testing.T) {
		s := parsed(t, `{"start":"2026-12-01T00:00:00Z","duration":"24h","limits":{"failed-authorizations":{"burst":1,"count":2,"period":"1h"}},"fleet":{"file":"p.jsonl"}}`)
		want := budget.Limits{budget.FailedAuthorizations: {Burst: 1, Count: 2, Period: time.Hour}}
		if diff := cmp.Diff(want, s.Limits); diff != "" || s.Set != "" || s.Fleet.File != "p.jsonl" {
			t.Errorf("%+v\n%s", s, diff)
		}
	})
	t.Run("what is left out is the product's default", func(t *testing.T) {
		s := parsed(t, "start: 2026-12-01T00:00:00Z\nduration: 24h\nfleet: {certificates: 1}\n")
		want := Scenario{
			Start: epoch, Duration: day, CA: CA{90 * day, true}, Set: budget.SetLetsEncrypt, Limits: budget.LetsEncrypt(), Overrides: budget.Limits{},
			Issuance: 12 * time.Second, Tick: 15 * time.Minute, PlannerShare: 1, Revoke: Revoke{Deadline: day},
			Fleet: Fleet{Certificates: 1, DomainsPer: 1, RegisteredDomains: 1, PerSet: 1},
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}
	})
}

func TestParseRefusesNonsenseWithFieldValueAndFix(t *testing.T) {
	base := map[string]string{"start": "2026-12-01T00:00:00Z", "duration": "24h", "fleet": "{certificates: 5}"}
	for name, tc := range map[string]struct {
		field, value string // of the base, instead
		want         []string
	}{
		"a burst of 0":                        {"overrides", "{new-orders-per-account: {burst: 0, count: 1, period: 3h}}", []string{"overrides.new-orders-per-account.burst: 0 ", "give"}},
		"a negative count":                    {"overrides", "{new-orders-per-account: {burst: 1, count: -4, period: 3h}}", []string{"overrides.new-orders-per-account.count: -4 ", "give"}},
		"a negative period":                   {"limits", "{failed-authorizations: {burst: 1, count: 1, period: -1h}}", []string{"limits.failed-authorizations.period: -1h0m0s ", "give a positive duration"}},
		"a period that is no duration":        {"limits", "{failed-authorizations: {burst: 1, count: 1, period: 7d}}", []string{`limits.failed-authorizations.period: "7d" `, "write it as Go does"}},
		"an unknown limit":                    {"overrides", "{orders: {burst: 1, count: 1, period: 1h}}", []string{`overrides: limit "orders" is unknown`, "new-orders-per-account"}},
		"an override as a limit":              {"limits", "{certificates-per-registered-domain-per-account: {burst: 1, count: 1, period: 1h}}", []string{"limits.certificates-per-registered-domain-per-account: exists as an override only", "overrides"}},
		"a limit of a single key":             {"overrides", "{certificates-per-registered-domain/example.com: {burst: 1, count: 1, period: 1h}}", []string{`limit "certificates-per-registered-domain/example.com" is unknown`, "use one of"}},
		"an unknown limit set":                {"limits", "zerossl", []string{`limits: "zerossl" is unknown`, "letsencrypt-staging"}},
		"an unknown field":                    {"speed", "3", []string{`unknown field "speed"`, "correct its name"}},
		"an unknown field further in":         {"worker", "{second_per_issuance: 3}", []string{`unknown field "second_per_issuance"`, "correct its name"}},
		"an unknown field of a limit":         {"overrides", "{failed-authorizations: {burst: 1, count: 1, period: 1h, per: 3}}", []string{`unknown field "per"`}},
		"no start":                            {"start", "", []string{"start: is missing", "2026-12-01T00:00:00Z"}},
		"a start that is only a day":          {"start", "2026-12-01", []string{`start: "2026-12-01" is not a time`, "RFC 3339"}},
		"an end before the start":             {"duration", "-24h", []string{"duration: -24h0m0s is not between", "give"}},
		"no duration":                         {"duration", "", []string{"duration: is missing", "give"}},
		"half a second":                       {"duration", "1500ms", []string{"duration: 1.5s has parts of a second", "whole"}},
		"a share above one":                   {"planner_share", "80", []string{`planner_share: "80" is not a share`, "0 to 1"}},
		"a chance that is not a number":       {"failures", "{validation: NaN}", []string{`failures.validation: "NaN" is not a share`}},
		"a tick longer than a message":        {"tick", "1h", []string{"tick: 1h0m0s is not between 1s and 15m0s", "give"}},
		"a worker that takes no time":         {"worker", "{seconds_per_issuance: 0}", []string{"worker.seconds_per_issuance: 0 is out of range", "1 to 900"}},
		"a worker in words":                   {"worker", "{seconds_per_issuance: fast}", []string{`worker.seconds_per_issuance: "fast" is not a whole number`}},
		"a list for a number":                 {"seed", "[1]", []string{"a single value is wanted"}},
		"no fleet":                            {"fleet", "", []string{"fleet: is missing", "give a file"}},
		"a file and figures":                  {"fleet", "{file: a, certificates: 3}", []string{`fleet.file: "a" stands beside figures`, "not both"}},
		"no certificates":                     {"fleet", "{certificates: 0}", []string{"fleet.certificates: 0 is out of range", "give"}},
		"more certificates than memory bears": {"fleet", "{certificates: 500001}", []string{"fleet.certificates: 500001 is out of range", "from 1 to 500000"}},
		"more names than memory bears":        {"fleet", "{certificates: 400000, domains_per_certificate: 6}", []string{"400000 certificates of 6 domains have 2400000 names, and 2000000 are the most"}},
		"in use and wanted at once":           {"fleet", "{certificates: 1, issued_over: 1h, wanted_over: 1h}", []string{"fleet.wanted_over: 1h0m0s stands beside issued_over"}},
		"issued before, but over no time":     {"fleet", "{certificates: 1, issued_before: 1h}", []string{"fleet.issued_before: 1h0m0s stands without issued_over"}},
		"broken for no time":                  {"broken", "{share: 0.5}", []string{"broken.for: is missing"}},
		"a revocation after the end":          {"revoke", "{share: 0.5, at: 25h}", []string{"revoke.at: 25h0m0s is not before the end"}},
		"a truth that is neither":             {"ca", "{ari: maybe}", []string{`ca.ari: "maybe" is neither true nor false`}},
		"what YAML can't read":                {"ca", "{ari: [", []string{"line "}},
		"what nests without end":              {"ca", strings.Repeat("[", 5000), []string{"levels deep"}},
		"a field twice":                       {"seed", "1\nseed: 2", []string{"seed", "already"}},
		"a time that no certificate is in":    {"start", "0001-01-01T00:00:00Z", []string{`start: "0001-01-01T00:00:00Z" is not between 1990 and 2100`}},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for _, field := range []string{"start", "duration", "fleet"} {
				if field != tc.field {
					text.WriteString(field + ": " + base[field] + "\n")
				}
			}
			if tc.value != "" {
				text.WriteString(tc.field + ": " + tc.value + "\n")
			}
			checkRefusal(t, errorOf(Parse(strings.NewReader(text.String()))), append(tc.want, "scenario: ")...)
		})
	}
}

func errorOf[T any](_ T, err error) error { return err }

func checkRefusal(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q; want %q in it", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q; want one line", err)
	}
}

const goodLine = `{"name":"a","domains":["B.example.com","a.example.com"],"not_before":"2026-11-01T00:00:00Z","not_after":"2027-01-30T00:00:00Z"}`

func TestReadPopulation(t *testing.T) {
	got, err := ReadPopulation(strings.NewReader(goodLine+"\n\n"+`{"name":"b","domains":["*.example.com"],"wanted_at":"2026-12-01T01:00:00.5+01:00"}`), epoch)
	want := []Member{
		{Name: "a", Domains: []string{"a.example.com", "b.example.com"}, NotBefore: epoch.Add(-30 * day), NotAfter: epoch.Add(60 * day)},
		{Name: "b", Domains: []string{"*.example.com"}, WantedAt: epoch.Add(time.Second)},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"a name twice":                      {goodLine + "\n" + goodLine, []string{`line 2: name: "a" is on line 1 already`, "give"}},
		"a name that is none":               {`{"name":"A b"}`, []string{`name: "A b" is not`}},
		"no names":                          {`{"name":"a","domains":[]}`, []string{"domains: has 0 names"}},
		"a name that is no DNS name":        {`{"name":"a","domains":["exämple.com"]}`, []string{"domains: ", "A-labels"}},
		"an unknown field":                  {`{"name":"a","domain":["a.example.com"]}`, []string{`unknown field "domain"`, "correct"}},
		"no time":                           {`{"name":"a","domains":["a.example.com"]}`, []string{"not_before, not_after: one is missing"}},
		"an end before its start":           {strings.Replace(goodLine, "2027-01", "2026-01", 1), []string{"not_after: 2026-01-30T00:00:00Z is not after not_before"}},
		"in use, and wanted":                {strings.Replace(goodLine, `"not_before"`, `"wanted_at":"2026-11-01T00:00:00Z","not_before"`, 1), []string{"wanted_at: 2026-11-01T00:00:00Z stands beside"}},
		"two objects on a line":             {goodLine + goodLine, []string{"something follows"}},
		"nothing":                           {"\n", []string{"is empty"}},
		"a line that is too long":           {`{"name":"` + strings.Repeat("a", maxLine) + `"}`, []string{"line 1: ", "bytes"}},
		"a year in which there is no such":  {strings.Replace(goodLine, "2027", "9999", 1), []string{"not_after: 9999-01-30T00:00:00Z is not between"}},
		"a not_before later than the start": {strings.ReplaceAll(goodLine, "2026-11-01T00:00:00Z", "2026-12-01T00:00:01Z"), []string{"not_before: 2026-12-01T00:00:01Z is after the start"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadPopulation(strings.NewReader(tc.text), epoch)
			checkRefusal(t, err, append(tc.want, "population: ")...)
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
	write("p.jsonl", goodLine+"\n")
	at := write("s.yaml", head+"duration: 24h\nfleet: {file: p.jsonl}\n")
	t.Run("a population is found beside its scenario", func(t *testing.T) {
		_, fleet, err := Load(at)
		if err != nil || len(fleet) != 1 {
			t.Errorf("%v, %v", fleet, err)
		}
	})
	t.Run("a population that isn't there is named", func(t *testing.T) {
		_, _, err := Load(write("bad.yaml", head+"duration: 24h\nfleet: {file: q.jsonl}\n"))
		checkRefusal(t, err, `fleet.file: "q.jsonl"`, "relative to the scenario")
	})
	t.Run("every scenario of the repository is one", func(t *testing.T) {
		all, err := filepath.Glob("../../scenarios/*.yaml")
		if err != nil || len(all) < 8 {
			t.Fatalf("%v, %v; want at least eight", all, err)
		}
		for _, at := range all {
			data, err := os.ReadFile(at)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(strings.NewReader(string(data))); err != nil {
				t.Errorf("%s: %v", at, err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add(`{"start":"2026-12-01T00:00:00Z","duration":"24h","limits":{"failed-authorizations":{"burst":1,"count":2,"period":"1h"}},"fleet":{"file":"p"}}`)
	f.Add("start: &a 2026-12-01T00:00:00Z\nduration: *a\n? [x]\n: - - !!binary x\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(strings.NewReader(text))
		if err != nil {
			if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "scenario: ") {
				t.Errorf("%q; want one line that begins with scenario:", err)
			}
			return
		}
		if err := s.Limits.Validate(); err != nil || s.Duration < time.Second || s.Tick < time.Second || s.Issuance < time.Second || (s.Fleet.File == "") == (s.Fleet.Certificates == 0) {
			t.Errorf("accepted, but makes no sense: %+v, %v", s, err)
		}
	})
}

// Nine lines that each name the one before eight times stand for gigabytes.
func TestAliasesOfAScenarioAreRefused(t *testing.T) {
	bomb := "start: 2026-12-01T00:00:00Z\nx0: &o0 {a: {burst: 1, count: 1, period: 1h}}\n"
	for i := 1; i < 10; i++ {
		bomb += fmt.Sprintf("x%d: &o%d {<<: *o%d, a: *o%d, b: *o%d, c: *o%d, d: *o%d, e: *o%d, f: *o%d, g: *o%d}\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	for text, line := range map[string]int{bomb + "limits: *o9\n": 2, "seed: 1\nlimits:\n  <<: {a: b}\n": 3} {
		_, err := Parse(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d: has a YAML anchor, alias or merge key; write the value itself", line)) {
			t.Errorf("got %v", err)
		}
	}
}

// endless is a population that never ends; what was read of it is counted.
type endless struct{ line, read int }

func (e *endless) Read(p []byte) (int, error) {
	e.line++
	n := copy(p, fmt.Sprintf("{\"name\":\"n%d\",\"domains\":[\"n%d.example.com\"],\"wanted_at\":\"2026-12-01T00:00:00Z\"}\n", e.line, e.line))
	e.read += n
	return n, nil
}

func TestAPopulationBeyondWhatMemoryBearsIsRefusedWhileItIsRead(t *testing.T) {
	for name, row := range map[string]struct {
		most, names int
		says        string
	}{
		"too many certificates": {1000, 5000, "population: line 1001: 1001 certificates with 1001 names so far, and 1000 with 5000 are the most; split the file"},
		"too many names":        {5000, 1000, "population: line 1001: 1001 certificates with 1001 names so far, and 5000 with 1000 are the most; split the file"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &endless{}
			_, err := readPopulation(e, epoch, row.most, row.names)
			if err == nil || !strings.Contains(err.Error(), row.says) || e.line > 1100 {
				t.Errorf("got %v after %d lines", err, e.line)
			}
		})
	}
}

func FuzzReadPopulation(f *testing.F) {
	f.Add(goodLine)
	f.Add(goodLine + "\n\n" + `{"name":"b","domains":["*.example.com"],"wanted_at":"2026-12-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, text string) {
		fleet, err := ReadPopulation(strings.NewReader(text), epoch)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q; want one line", err)
			}
			return
		}
		for _, m := range fleet {
			if len(m.Domains) == 0 || m.InUse() == !m.WantedAt.IsZero() || m.InUse() && (m.NotBefore.After(epoch) || !m.NotAfter.After(m.NotBefore)) {
				t.Errorf("accepted, but makes no sense: %+v", m)
			}
		}
	})
}
