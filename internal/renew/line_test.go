package renew_test

import (
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/renew"
)

// One order is paid for and made at a time at a CA; one that is slow to make an order holds up no
// other.
func TestAnOrderAtASlowCAHoldsUpNoneAtAnother(t *testing.T) {
	w := newWorld(t)
	w.atOnce = 2
	w.want(t, "slow", "a.example")
	c := w.want(t, "quick", "b.example")
	c.Wanted.Directory = otherDirectory
	if _, err := w.table.SaveCertificate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	made := make(chan struct{})
	var once sync.Once
	waited := false
	w.interrupt = func(call string) {
		switch call {
		case "NewOrder": // the slow CA's, which is answered when the other's is
			select {
			case <-made:
				waited = true
			case <-time.After(5 * time.Second):
			}
		case "other NewOrder":
			once.Do(func() { close(made) })
		}
	}
	for _, r := range w.deliver("one", scheduled("slow"), renew.Job(scheduled("quick"))) {
		if !r.Issued {
			t.Errorf("%+v", r)
		}
	}
	if !waited {
		t.Error("the quick CA's order wasn't made while the slow one's was")
	}
}
