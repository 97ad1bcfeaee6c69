package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/reason"
)

func TestDetailIsTheContract(t *testing.T) {
	s := event.Subject{Certificate: "www", Domains: []string{"a.example.com"}, SecretARN: "arn:x", VersionID: "v1"}
	at := time.Date(2026, 12, 1, 10, 0, 0, 999, time.FixedZone("CET", 3600))
	for name, tc := range map[string]struct {
		event event.Event
		kind  event.Kind
		want  string
	}{
		"a failure has its next attempt in UTC": {
			event.Failed(s, reason.ZoneNotFound, "no zone", at), "Certificate Renewal Failed",
			`{"schema_version":1,"deployment":"","certificate":"www","domains":["a.example.com"],"secret_arn":"arn:x","version_id":"v1","reason":"zone-not-found","message":"no zone","next_attempt":"2026-12-01T09:00:00Z"}`,
		},
		"a pause has none, and an empty list is no null": {
			event.Paused(event.Subject{Certificate: "www"}, "paused"), "Account Paused",
			`{"schema_version":1,"deployment":"","certificate":"www","domains":[],"secret_arn":"","version_id":"","reason":"account-paused","message":"paused","next_attempt":null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(tc.event.Detail)
			if err != nil || string(got) != tc.want || tc.event.Kind != tc.kind {
				t.Errorf("%s\n got %s, %v\nwant %s", tc.event.Kind, got, err, tc.want)
			}
		})
	}
}
