package boulder

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/lab/ca"
)

// weather is a network and a CA on a bad day: what goes wrong depends on the seed and on a
// request's number alone.
type weather struct {
	seed  uint64
	kills []time.Duration // after which, from the beginning on, the worker is killed at its next request
	wfe   time.Duration   // after which the CA's front door is restarted
	armed atomic.Bool     // it is to be killed
	hit   atomic.Int64    // how often it was
	busy  atomic.Int64    // 503s so far
}

// How often what goes wrong does.
const (
	lostShare = 0.05
	cutShare  = 0.05
	busyShare = 0.05
)

// forecast draws the moments from the time in which the fleet could be done.
func forecast(seed uint64, within time.Duration) *weather {
	dice := rand.New(rand.NewPCG(seed, seed))
	moment := func(from, to float64) time.Duration {
		return time.Duration((from + (to-from)*dice.Float64()) * float64(within)).Round(time.Second)
	}
	return &weather{seed: seed, kills: []time.Duration{moment(0.01, 0.1), moment(0.5, 0.7), moment(0.85, 1)}, wfe: moment(0.2, 0.45)}
}

// begin lets it go wrong until stopped.
func (w *weather) begin(t *testing.T, r *rig) (stop func()) {
	faults := r.CA.Fail(ca.Faults{Lost: lostShare, Cut: cutShare, Seed: w.seed})
	busy := r.CA.OnBefore(w.isBusy)
	kill := r.CA.OnBefore(func(q ca.Request) ca.Verdict {
		if q.Method != http.MethodPost || !w.armed.CompareAndSwap(true, false) {
			return ca.Pass()
		}
		w.hit.Add(1)
		r.Kill()
		return ca.Cut()
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.strike(ctx, t, r) }()
	return func() { cancel(); <-done; kill(); busy(); faults() }
}

// isBusy refuses as a load balancer does.
func (w *weather) isBusy(q ca.Request) ca.Verdict {
	if rand.New(rand.NewPCG(^w.seed, uint64(q.Seq))).Float64() >= busyShare {
		return ca.Pass()
	}
	w.busy.Add(1)
	return ca.ServiceBusy(asked)
}

// strike does each at its moment.
func (w *weather) strike(ctx context.Context, t *testing.T, r *rig) {
	began := time.Now()
	todo := map[time.Duration]func(){w.wfe: func() {
		if err := r.Boulder.Restart(context.WithoutCancel(ctx), "wfe2"); err != nil {
			t.Error(err)
		}
	}}
	for _, at := range w.kills {
		todo[at] = func() { w.armed.Store(true) }
	}
	for _, at := range slices.Sorted(maps.Keys(todo)) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(began.Add(at))):
			todo[at]()
		}
	}
}

func TestAFleetWithFaultsIsDoneInOneAndAHalfTimes(t *testing.T) {
	whole(t)
	const n = 40
	domains := []string{"weather-one.com", "weather-two.com", "weather-three.com", "weather-four.com"}
	r := start(t, small)
	r.Watch(t)
	all := r.fleet(t, n, domains...)
	r.Apply(t, all...)
	best := allowed(small, n, len(domains), 0)
	quiet := best + best/10
	w := forecast(12, best)
	var c comparison
	began := time.Now()
	end := w.begin(t, r)
	stop := r.watched(t, &c)
	took := r.makespan(t, began, all, 3*best)
	stop()
	end()
	tally := ca.Count(r.CA.Requests())
	t.Logf("%d certificates over %d domains in %s; without faults %s: %.2f times; %d kills after %v, wfe2 anew after %s; "+
		"%d requests, %d lost, %d cut, %d busy, %d bad nonces, %d denied", n, len(domains), took.Round(100*time.Millisecond), quiet,
		took.Seconds()/quiet.Seconds(), w.hit.Load(), w.kills, w.wfe, tally.Requests, tally.Lost, tally.Cut, w.busy.Load(), tally.BadNonces, r.denied())
	if most := quiet + quiet/2; took > most {
		t.Errorf("it took %s; one and a half times of %s is %s", took, quiet, most)
	}
	if int(w.hit.Load()) != len(w.kills) {
		t.Errorf("the worker was killed %d times", w.hit.Load())
	}
	r.counts(t, n, n)
	c.check(t)
}
