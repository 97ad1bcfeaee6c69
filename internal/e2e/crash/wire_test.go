package crash

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/emulator"
)

// call is one outside call of a worker: the n-th of its name.
type call struct {
	name string // "dynamodb:PutItem", "acme POST new-order"
	n    int
}

func (c call) String() string { return fmt.Sprintf("%s #%d", c.name, c.n) }

// looksAgain says whether the call is one more look at what the CA or the DNS takes its time for: how many there are is a matter of time.
func (c call) looksAgain() bool {
	return c.n > 2 && (c.name == orderLook || c.name == changeLook)
}

// The calls that tests look for by their names.
const (
	orderLook  = "acme POST order"
	changeLook = "route53:GetChange"

	newOrder  = "acme POST new-order"
	challenge = "acme POST challenge"
	finalize  = "acme POST finalize"
	keyRead   = "secretsmanager:GetSecretValue"
	handBack  = "sqs:ChangeMessageVisibility"
)

// fate is what becomes of a call.
type fate int

const (
	untouched    fate = iota
	killedBefore      // the worker is killed; nothing of the call is done
	killedAfter       // the call is done; the worker is killed before it has the answer
	answerLost        // the call is done; the connection is cut instead of answering
	failedDone        // the call is done, and answered with an internal error; to what the client repeats too, without doing it
	stalled           // the call is done, and not answered before the invocation is over
	twoWorkers        // before the call is done, another worker gets the same job, and does what it can
)

func (f fate) String() string {
	return [...]string{"untouched", "killed before", "killed after", "answer lost", "error but done", "stalled", "two workers"}[f]
}

func (f fate) kills() bool { return f == killedBefore || f == killedAfter }

// fates are those that a point may meet.
var fates = []fate{killedBefore, killedAfter, answerLost, failedDone, stalled, twoWorkers}

// wire is all that a deployment's worker does outside, in order, and what is done to it.
type wire struct {
	of     *witness.Neighbour
	remove []func()

	mu        sync.Mutex
	counts    map[string]int
	calls     []call
	aim       call
	fate      fate
	hit       bool
	aws, acme int // number of the call that was hit, where the cloud or the CA counts it
	over      chan struct{}
	ailing    bool // Secrets Manager doesn't answer any more, once the CA was told to look
	meanwhile func()
	others    sync.WaitGroup // what is done meanwhile; whoever made the call may have given it up
	hidden    int            // messages that the worker asked the queue to hide
}

func newWire(n *witness.Neighbour) *wire {
	w := &wire{of: n}
	w.reset(call{}, untouched)
	w.remove = []func(){n.AWS.Before(w.beforeAWS), n.AWS.After(w.afterAWS), n.CA.OnBefore(w.beforeACME), n.CA.OnAfter(w.afterACME)}
	return w
}

// reset forgets what was done and takes aim.
func (w *wire) reset(aim call, f fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts, w.calls, w.aim, w.fate, w.hit, w.aws, w.acme, w.hidden = map[string]int{}, nil, aim, f, false, 0, 0, 0
	w.over = make(chan struct{})
}

// ail has Secrets Manager answer nothing once the CA was told to look at a value, until it is told otherwise.
func (w *wire) ail(so bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ailing = so
}

// ails says whether a call is one that isn't answered.
func (w *wire) ails(c emulator.Call) bool {
	return w.ailing && c.Name() == keyRead && w.counts[challenge] > 0
}

// count gives a call its number, and says whether it is the one that was aimed at.
func (w *wire) count(name string) (aimed bool) {
	w.counts[name]++
	c := call{name, w.counts[name]}
	w.calls = append(w.calls, c)
	if w.hit || c != w.aim || w.fate == untouched {
		return false
	}
	w.hit = true
	return true
}

func (w *wire) beforeAWS(c emulator.Call) emulator.Verdict {
	if c.Key != w.of.AccessKey {
		return emulator.Pass
	}
	w.mu.Lock()
	w.hide(c)
	if c.Attempt > 1 {
		defer w.mu.Unlock()
		if w.ails(c) || w.hit && w.fate == failedDone && c.Name() == w.aim.name && !slices.Contains(w.calls, call{w.aim.name, w.aim.n + 1}) {
			return emulator.Unavailable
		}
		return emulator.Pass
	}
	aimed, ails := w.count(c.Name()), w.ails(c)
	if aimed {
		w.aws = c.Seq
	}
	w.mu.Unlock()
	if ails {
		return emulator.Unavailable
	}
	if !aimed {
		return emulator.Pass
	}
	switch w.fate {
	case killedBefore:
		w.of.Kill()
		return emulator.CutBefore
	case answerLost:
		return emulator.CutAfter
	case failedDone:
		return emulator.FailAfter
	case twoWorkers:
		w.interrupt()
	}
	return emulator.Pass
}

func (w *wire) interrupt() {
	w.others.Add(1)
	defer w.others.Done()
	w.meanwhile()
}

// hide notes that the worker hides a message for a time of its own.
func (w *wire) hide(c emulator.Call) {
	var in struct{ VisibilityTimeout *int }
	if c.Name() == handBack && json.Unmarshal(c.Body, &in) == nil && in.VisibilityTimeout != nil && *in.VisibilityTimeout > 0 {
		w.hidden++
	}
}

func (w *wire) afterAWS(c emulator.Call, _ emulator.Answer) {
	if c.Key != w.of.AccessKey || !w.met(func() bool { return w.aws == c.Seq }) {
		return
	}
	switch w.fate {
	case killedAfter:
		w.of.Kill()
	case stalled:
		<-w.over
	}
}

func (w *wire) beforeACME(r ca.Request) ca.Verdict {
	w.mu.Lock()
	aimed := w.count("acme " + r.Method + " " + string(r.Kind))
	if aimed {
		w.acme = r.Seq
	}
	w.mu.Unlock()
	switch {
	case aimed && w.fate == killedBefore:
		w.of.Kill()
		return ca.Cut()
	case aimed && w.fate == twoWorkers:
		w.interrupt()
	}
	return ca.Pass()
}

func (w *wire) afterACME(r ca.Request) ca.Verdict {
	if !w.met(func() bool { return w.acme == r.Seq }) {
		return ca.Pass()
	}
	switch w.fate {
	case killedAfter:
		w.of.Kill()
		return ca.Cut()
	case answerLost:
		return ca.Cut()
	case failedDone:
		return ca.Problem(500, "serverInternal", "it was done all the same")
	case stalled:
		<-w.over
	}
	return ca.Pass()
}

func (w *wire) met(so func() bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hit && so()
}

// release answers what was stalled.
func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.over:
	default:
		close(w.over)
	}
}

func (w *wire) end() {
	w.release()
	for _, remove := range w.remove {
		remove()
	}
}

// seen are the calls so far.
func (w *wire) seen() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

func (w *wire) wasHit() bool { return w.met(func() bool { return true }) }

func (w *wire) hides() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hidden
}
