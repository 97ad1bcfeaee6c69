package demo

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/lambda"
)

// tally counts what the mapping delivered.
type tally struct {
	mu                sync.Mutex
	batches, messages int
}

func (t *tally) add(b lambda.Batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches++
	t.messages += len(b.IDs)
}

// sum holds the whole run to what it promises, and says so.
func (s *show) sum() error {
	s.heading("The sum")
	orders, issued := len(s.cloud.CA.Orders()), len(s.cloud.CA.Issued())
	requests := s.cloud.CA.Requests()
	denied, most := 0, 0
	for _, r := range requests {
		if r.Status == http.StatusTooManyRequests {
			denied++
		}
		if r.Kind != ca.KindDirectory {
			most = max(most, r.InFlight)
		}
	}
	values, err := s.cloud.ChallengeValues(s)
	if err != nil {
		return err
	}
	s.tally.mu.Lock()
	batches, messages := s.tally.batches, s.tally.messages
	s.tally.mu.Unlock()
	s.line("  certificates issued       %d, from %d orders: one each, the killed one included", issued, orders)
	s.line("  requests to the CA        %d, never more than %d at once; rate limits met: %d", len(requests), most, denied)
	s.line("  worker                    %d batches with %d messages, %d process starts, 1 killed", batches, messages, s.cloud.Renew.ColdStarts())
	s.line("  left in the DNS           %d challenge values", len(values))
	s.line("  time                      %s", time.Since(s.began).Round(time.Second))
	if issued != orders || denied > 0 || most > 1 || len(values) > 0 {
		return fmt.Errorf("that isn't what was promised: %d certificates from %d orders, %d denials, %d requests at once, %v in the DNS", issued, orders, denied, most, values)
	}
	return nil
}
