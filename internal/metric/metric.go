// Package metric counts what happens, as lines in CloudWatch's embedded metric format: one JSON object a line on standard output, which
// CloudWatch Logs turns into metrics without a call, a permission or a wait.
package metric

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Namespace holds every metric.
const Namespace = "certpace"

// Name is what is counted, or measured. All but the last two are counts; every one has the
// dimensions Deployment and Shard, and those that say so a third one.
type Name string

// The metrics.
const (
	JobsPlanned        Name = "JobsPlanned"        // jobs sent by a tick
	JobsRejected       Name = "JobsRejected"       // jobs that the queue didn't take
	JobsDeferred       Name = "JobsDeferred"       // due certificates without a job; dimension Reason: why they wait
	JobsHandedBack     Name = "JobsHandedBack"     // deliveries that the worker gave back to go on later; dimension Reason
	CertificatesIssued Name = "CertificatesIssued" // new versions made current
	IssuancesFailed    Name = "IssuancesFailed"    // issuances that failed and are tried again, or need a person; dimension Reason
	RateLimitsMet      Name = "RateLimitsMet"      // 429 answers of the CA; anything above 0 means a wrong budget
	MessagesRefused    Name = "MessagesRefused"    // messages acknowledged undone; dimension Reason: bad-message, unknown-certificate, unsupported-version
	TicksCompleted     Name = "TicksCompleted"     // planner runs that went through
	Endangered         Name = "Endangered"         // certificates in use that may end before their successor is there, in each tick
	JobsUntaken        Name = "JobsUntaken"        // jobs that nobody took, two ticks after their start
	SwitchedOff        Name = "SwitchedOff"        // certificates in use that are disabled, and in the last part of their life
	WindowsMoved       Name = "WindowsMoved"       // suggested windows that a CA has moved
	FollowupsFailed    Name = "FollowupsFailed"    // what is owed beside an order and failed; dimension Kind: revoke, acm-import, secret
	EventsRefused      Name = "EventsRefused"      // events that the bus didn't take, or that aren't known to be on it
	ItemsUnreadable    Name = "ItemsUnreadable"    // items of the table that couldn't be understood, and were passed over
)

// What is measured, not counted. Each tick writes both.
const (
	HoursToExpiry   Name = "HoursToExpiry"   // least, over what is enabled and in use; below 0 once something has ended
	LifeLeftPercent Name = "LifeLeftPercent" // likewise, of the life of each
)

// Dimension tells one count from another of the same name. Its values must come from a closed list: CloudWatch charges for each.
type Dimension struct {
	Name, Value string
}

// Reason is the dimension of a closed reason.
func Reason[S ~string](r S) Dimension { return Dimension{"Reason", string(r)} }

// Kind is the dimension of a closed list of kinds.
func Kind[S ~string](k S) Dimension { return Dimension{"Kind", string(k)} }

// Emitter writes metrics. It is safe for concurrent use.
type Emitter struct {
	now               func() time.Time
	deployment, shard string

	mu sync.Mutex
	w  io.Writer
}

// New makes an emitter for a shard of a deployment that takes the time from now. Deployments of one
// account and region share the namespace.
func New(w io.Writer, now func() time.Time, deployment, shard string) *Emitter {
	return &Emitter{now: now, deployment: deployment, shard: shard, w: w}
}

// Count adds value to a metric: once under deployment and shard alone, so that an alarm can watch
// the whole, and once under them and dims. A metric that can't be written is lost; counting never
// fails what is being counted.
func (e *Emitter) Count(name Name, value int, dims ...Dimension) {
	e.write(name, e.line(name, value, "Count", dims))
}

// Gauge writes what is measured as it is now, under deployment and shard: hours in CloudWatch's
// unit None, as it knows none of hours, and shares in Percent.
func (e *Emitter) Gauge(name Name, value float64) {
	unit := "None"
	if name == LifeLeftPercent {
		unit = "Percent"
	}
	e.write(name, e.line(name, value, unit, nil))
}

func (e *Emitter) write(name Name, content map[string]any) {
	line, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("metric: encoding %s: %v", name, err)) // a map of strings, numbers and lists of them always encodes
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = e.w.Write(append(line, '\n')) // one write a line, so that lines of a shared stream don't mix
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name Name
	Unit string
}

func (e *Emitter) line(name Name, value any, unit string, dims []Dimension) map[string]any {
	sets := [][]string{{"Deployment", "Shard"}}
	line := map[string]any{}
	if len(dims) > 0 {
		all := []string{"Deployment", "Shard"}
		for _, d := range dims {
			all = append(all, d.Name)
			line[d.Name] = d.Value
		}
		sets = append(sets, all)
	}
	line["Deployment"], line["Shard"] = e.deployment, e.shard
	line[string(name)] = value
	line["_aws"] = map[string]any{
		"Timestamp":         e.now().UnixMilli(),
		"CloudWatchMetrics": []directive{{Namespace, sets, []definition{{name, unit}}}},
	}
	return line
}
