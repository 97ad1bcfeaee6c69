package failure

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/reason"
)

// refusals counts, by reason, the messages that the functions' metrics say were refused.
func refusals(w *witness.World) map[reason.Reason]int {
	counts := map[reason.Reason]int{}
	for line := range strings.Lines(w.Transcript()) {
		var m struct {
			MessagesRefused int
			Reason          reason.Reason
			AWS             *struct{ CloudWatchMetrics []json.RawMessage } `json:"_aws"`
		}
		if json.Unmarshal([]byte(line), &m) == nil && m.AWS != nil && len(m.AWS.CloudWatchMetrics) > 0 {
			counts[m.Reason] += m.MessagesRefused
		}
	}
	return counts
}

var badMessages = map[string]struct {
	body string
	why  reason.Reason
	says string
}{
	"JSON that ends early":                  {`{"certificate":"one"`, reason.BadMessage, "not a JSON object"},
	"something else than JSON":              {`renew everything, please`, reason.BadMessage, "not a JSON object"},
	"a misspelt field":                      {`{"certificate":"one","forced":true}`, reason.BadMessage, "forced"},
	"no certificate":                        {`{}`, reason.BadMessage, "certificate: missing"},
	"a name that none can have":             {`{"certificate":"../accounts"}`, reason.BadMessage, "not a certificate's name"},
	"a reason that isn't one":               {`{"certificate":"one","reason":"fun"}`, reason.BadMessage, "reason"},
	"a version of the future":               {`{"v":2,"certificate":"one","until":"tomorrow"}`, reason.UnsupportedVersion, "version 1"},
	"a certificate that isn't in the fleet": {`{"certificate":"nobody","force":true}`, reason.UnknownCertificate, "nobody"},
}

func TestAMessageThatCanNeverBeDoneIsRecordedCountedAndAcknowledged(t *testing.T) {
	w := world
	w.Watch(t)
	orders, counted := len(w.CA.Orders()), refusals(w)
	want, ids := map[reason.Reason]int{}, map[string]string{}
	for name, m := range badMessages {
		ids[name] = w.Send(t, "%s", m.body)
		want[m.why]++
	}
	outcomes := map[string]witness.Outcome{}
	for name, id := range ids {
		outcomes[name] = w.Delivered(t, id)
	}
	recorded := w.RefusedMessages(t)
	for name, m := range badMessages {
		t.Run(name, func(t *testing.T) {
			if o := outcomes[name]; !o.Acknowledged || o.Receives != 1 {
				t.Errorf("the delivery ended with %+v", o)
			}
			if r := recorded[ids[name]]; r.Reason != m.why || r.Body != m.body || r.At.IsZero() || !strings.Contains(r.Message, m.says) {
				t.Errorf("recorded is %+v", r)
			}
		})
	}
	for why, n := range want {
		if got := refusals(w)[why] - counted[why]; got != n {
			t.Errorf("%d messages were counted as %s, want %d", got, why, n)
		}
	}
	if n := w.Queued(t); n != 0 {
		t.Errorf("%d messages are on the queue", n)
	}
	if n := len(w.CA.Orders()) - orders; n != 0 {
		t.Errorf("%d orders were made", n)
	}
}
