package renew

import (
	"fmt"
	"testing"

	"github.com/certpace/certpace/internal/job"
)

func deliveries(names ...string) (ds []Delivery) {
	for i, n := range names {
		ds = append(ds, Delivery{MessageID: fmt.Sprint(i), Job: Job{Job: job.New(n, job.First, "j")}})
	}
	return ds
}

func TestWhatSpeaksOfOneCertificateStaysInLine(t *testing.T) {
	ds := deliveries("a", "b", "a", "c", "b")
	if got := fmt.Sprint(lines(ds, []int{0, 1, 2, 3, 4})); got != "[[0 2] [1 4] [3]]" {
		t.Error(got)
	}
}

func TestWhatWasHeldByItsOwnBatchHasAnotherTurn(t *testing.T) {
	ds := deliveries("ec", "rsa", "other", "self")
	results := []Result{{Issued: true}, {heldBy: "ec"}, {heldBy: "somebody-else"}, {heldBy: "self"}}
	if got := fmt.Sprint(held(ds, results)); got != "[1]" {
		t.Error(got)
	}
}
