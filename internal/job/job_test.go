package job_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want job.Job
	}{
		"only the certificate is required": {
			`{"certificate":"www"}`, job.Job{V: 1, Certificate: "www", Reason: job.Manual, ID: "m-1"},
		},
		"what is given replaces the defaults": {
			`{"v":1,"certificate":"www","reason":"revoked","job":"j-1","force":true}`,
			job.Job{V: 1, Certificate: "www", Reason: job.Revoked, ID: "j-1", Force: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := job.Parse(tc.body, "m-1")
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		why  reason.Reason
		says string
	}{
		"what isn't JSON":                      {`certificate: www`, reason.BadMessage, "not a JSON object"},
		"a message without a certificate":      {`{}`, reason.BadMessage, "certificate: missing"},
		"a name that can't be a certificate's": {`{"certificate":"a#b"}`, reason.BadMessage, "certificate:"},
		"an unknown field, a typing error":     {`{"certificate":"www","forse":true}`, reason.BadMessage, "forse"},
		"an unknown reason":                    {`{"certificate":"www","reason":"because"}`, reason.BadMessage, "reason:"},
		"something after the object":           {`{"certificate":"www"}{}`, reason.BadMessage, ""},
		"a body that is far too long":          {`{"certificate":"` + strings.Repeat("a", 5000) + `"}`, reason.BadMessage, "bytes"},
		"a future version, whatever its fields": {
			`{"v":2,"certs":["www"]}`, reason.UnsupportedVersion, "version 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := job.Parse(tc.body, "m-1")
			var r *job.Refusal
			if !errors.As(err, &r) || r.Reason != tc.why || !strings.Contains(r.Message, tc.says) {
				t.Errorf("got %v, want %s: …%s…", err, tc.why, tc.says)
			}
		})
	}
}

func TestIDIsTheSameForTheSameNeedOnly(t *testing.T) {
	a := job.ID("www", job.Renewal, "2026-12-01")
	if a != job.ID("www", job.Renewal, "2026-12-01") {
		t.Error("the same need got two ids")
	}
	for _, other := range []string{job.ID("www", job.Manual, "2026-12-01"), job.ID("ww", job.Renewal, "2026-12-01"), job.ID("www", job.Renewal, "2026-12-02")} {
		if a == other {
			t.Error("two needs share an id")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"v":1,"certificate":"www","reason":"renewal","job":"x","force":true}`)
	f.Add(`{"certificate":"www"}`)
	f.Add(`{"v":9}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		j, err := job.Parse(body, "m-1")
		if err != nil {
			var r *job.Refusal
			if !errors.As(err, &r) || r.Message == "" {
				t.Fatalf("an error that isn't a refusal: %v", err)
			}
			return
		}
		again, err := job.Parse(j.Encode(), "other")
		if err != nil || again != j {
			t.Fatalf("%+v became %+v, %v", j, again, err)
		}
	})
}

// What a refused body tells to send is taken.
func TestHintsWorkWhenFollowed(t *testing.T) {
	_, err := job.Parse(`{"certificate":"www","reason":"fun"}`, "m-1")
	_, list, _ := strings.Cut(err.Error(), "; use ")
	words := strings.FieldsFunc(strings.ReplaceAll(list, " or ", ","), func(r rune) bool { return r == ',' || r == ' ' })
	if len(words) != 5 {
		t.Errorf("%q", words)
	}
	for _, w := range words {
		if _, err := job.Parse(`{"certificate":"www","reason":"`+w+`"}`, "m-1"); err != nil {
			t.Errorf("%s: %v", w, err)
		}
	}
	for _, wrong := range []string{"renew, please", `{"cert":"www"}`} {
		_, err := job.Parse(wrong, "m-1")
		_, body, _ := strings.Cut(err.Error(), "; send ")
		if _, err := job.Parse(strings.ReplaceAll(body, "<name>", "www"), "m-1"); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
