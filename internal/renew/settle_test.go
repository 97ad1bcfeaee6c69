package renew_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// hanging is a bus, and a DNS that takes nothing away, of which no answer comes.
type hanging struct{ renew.DNS }

func (hanging) Publish(ctx context.Context, _ ...event.Event) error { return never(ctx) }

// silent is a DNS that publishes, and of which no answer comes when something is to be removed.
type silent struct{ renew.DNS }

func (silent) Remove(ctx context.Context, _ []renew.Record) error { return never(ctx) }

func never(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestACallThatHangsAfterAFailureLeavesTimeToHandTheJobBack(t *testing.T) {
	for name, breakIt := range map[string]func(*renew.Worker){
		"telling the bus":       func(r *renew.Worker) { r.Bus = hanging{} },
		"removing values":       func(r *renew.Worker) { r.DNS = silent{r.DNS} },
		"both, one after other": func(r *renew.Worker) { r.Bus, r.DNS = hanging{}, silent{r.DNS} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.now = time.Now()
				w.want(t, "www", "a.example")
				w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "Accept"), failed
				worker := w.worker()
				breakIt(worker)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began := time.Now()
				r := worker.Run(ctx, "one", []renew.Delivery{{MessageID: "m", Job: scheduled("www")}})[0]
				if took := time.Since(began); r.Done || r.Reason != reason.CAUnavailable || took > 20*time.Second {
					t.Errorf("%+v after %s", r, took)
				}
				if c := w.certificate(t, "www"); c.Status.Failures != 1 {
					t.Errorf("it wasn't written down: %+v", c.Status)
				}
			})
		})
	}
}
