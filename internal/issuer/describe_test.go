package issuer

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestDescribe(t *testing.T) {
	for name, tc := range map[string]struct {
		url   string
		fault fault
		kind  renew.Kind
		why   reason.Reason
		says  string
	}{
		"a directory says what its CA offers":    {url: caDirectory},
		"what isn't https is never asked":        {url: "http://ca.test/directory", kind: renew.Never, why: reason.Configuration, says: "https URL"},
		"a web page is no directory":             {url: caDirectory, fault: answers(200, "<html>welcome</html>"), kind: renew.Never, why: reason.Configuration, says: "give the URL of an ACME directory"},
		"nor is what isn't there":                {url: caDirectory, fault: answers(404, "no"), kind: renew.Never, why: reason.Configuration, says: "404"},
		"nor what has moved":                     {url: caDirectory, fault: answers(301, "", "Location", "https://ca.test/new"), kind: renew.Never, why: reason.Configuration, says: "moved to https://ca.test/new"},
		"an overloaded CA is one all the same":   {url: caDirectory, fault: answers(503, "busy"), kind: renew.Later, why: reason.CAUnavailable, says: "503"},
		"one that doesn't answer is found later": {url: caDirectory, fault: fault{before: true}, kind: renew.Later, why: reason.CAUnavailable, says: "didn't answer"},
		"JSON that breaks off is not believed":   {url: caDirectory, fault: fault{cut: true}, kind: renew.Later, why: reason.CAUnavailable, says: "didn't answer"},
		"JSON of something else is no directory": {url: caDirectory, fault: answers(200, `{"newOrder":"x"}`), kind: renew.Never, why: reason.Configuration, says: "the answer is none"},
		"null is no directory":                   {url: caDirectory, fault: answers(200, "null"), kind: renew.Never, why: reason.Configuration, says: "the answer is none"},
		"a meta of another form is no directory": {url: caDirectory, fault: answers(200, `{"newNonce":"https://ca.test/n","newAccount":"https://ca.test/a","newOrder":"https://ca.test/o","meta":[]}`), kind: renew.Never, why: reason.Configuration, says: "the answer is none"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(t)
				f.meta = map[string]any{"caaIdentities": []string{"ca.test"}, "externalAccountRequired": true, "profiles": map[string]string{"b": "…", "a": "…"}}
				f.fault = func(seen, int) fault { return tc.fault }
				got, err := newIssuer(f, &memory{}).Describe(t.Context(), tc.url)
				if tc.says == "" {
					if err != nil || !slices.Equal(got.Profiles, []string{"a", "b"}) || !slices.Equal(got.Identities, []string{"ca.test"}) || !got.Bound {
						t.Errorf("%+v, %v", got, err)
					}
				} else {
					var failed *renew.Failure
					if !errors.As(err, &failed) || failed.Kind != tc.kind || failed.Reason != tc.why || !strings.Contains(err.Error(), tc.says) {
						t.Errorf("%v, want %q", err, tc.says)
					}
				}
				for _, s := range f.log {
					if s.kind != "directory" {
						t.Errorf("it asked for %s", s.kind)
					}
				}
			})
		})
	}
}
