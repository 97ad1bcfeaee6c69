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

// A directory that can't be used is a matter of configuration, whichever call reads it, and the
// message names what is wrong with it.
func TestADirectoryThatCannotBeUsedIsConfiguration(t *testing.T) {
	rest := `"newAccount":"https://ca.test/account","newOrder":"https://ca.test/new"}`
	for name, row := range map[string]struct{ body, says string }{
		"of http:// URLs":              {`{"newNonce":"http://ca.internal.test/acme/new-nonce","newAccount":"http://ca.internal.test/acme/new-account","newOrder":"http://ca.internal.test/acme/new-order"}`, `newNonce is "http://ca.internal.test/acme/new-nonce", which is not an https URL`},
		"with one http:// URL":         {`{"newNonce":"https://ca.test/nonce","newAccount":"https://ca.test/account","newOrder":"http://ca.test/new"}`, `newOrder is "http://ca.test/new"`},
		"without newNonce":             {`{` + rest, "it names no newNonce"},
		"without newOrder":             {`{"newNonce":"https://ca.test/nonce","newAccount":"https://ca.test/account"}`, "it names no newOrder"},
		"without newAccount":           {`{"newNonce":"https://ca.test/nonce","newOrder":"https://ca.test/new"}`, "it names no newAccount"},
		"of ACME's first version":      {`{"new-reg":"https://ca.test/r","new-authz":"https://ca.test/a","new-cert":"https://ca.test/c"}`, "first version"},
		"with a user in a URL":         {`{"newNonce":"https://me:pw@ca.test/nonce",` + rest, "newNonce is"},
		"with a number for a URL":      {`{"newNonce":7,` + rest, "it names no newNonce"},
		"that is a list":               {`[]`, "the answer is none"},
		"that is JSON nested too deep": {strings.Repeat("[", 100_000), "the answer is none"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(t)
				f.fault = func(s seen, _ int) fault {
					if s.kind == "directory" {
						return answers(200, row.body)
					}
					return fault{}
				}
				i := newIssuer(f, &memory{})
				_, opened := i.OpenAccount(t.Context(), "0", caDirectory, freely)
				_, described := i.Describe(t.Context(), caDirectory)
				for _, err := range []error{opened, described} {
					if got := failure(t, err); got.Kind != renew.Never || got.Reason != reason.Configuration {
						t.Errorf("%v %s: %v", got.Kind, got.Reason, err)
					}
					contains(t, err.Error(), row.says, caDirectory)
				}
				if len(f.requests("account")) > 0 {
					t.Error("an account was asked for")
				}
			})
		})
	}
	for name, body := range map[string]string{
		"relative URLs":          `{"newNonce":"/nonce","newAccount":"account","newOrder":"//ca.test/new"}`,
		"a byte order mark":      "\xef\xbb\xbf" + `{"newNonce":"https://ca.test/nonce","newAccount":"https://ca.test/account","newOrder":"https://ca.test/new"}`,
		"both versions' entries": `{"new-reg":"https://ca.test/r","newNonce":"https://ca.test/nonce","newAccount":"https://ca.test/account","newOrder":"https://ca.test/new"}`,
		"a meta of other kinds":  `{"newNonce":"https://ca.test/nonce","newAccount":"https://ca.test/account","newOrder":"https://ca.test/new","meta":{"website":7,"caaIdentities":"ca.test","profiles":{"a":null},"externalAccountRequired":"false"}}`,
	} {
		t.Run("one with "+name+" is taken", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(t)
				f.fault = func(s seen, _ int) fault {
					if s.kind == "directory" {
						return answers(200, body)
					}
					return fault{}
				}
				h, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", caDirectory, freely)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := h.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
