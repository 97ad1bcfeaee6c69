package metric_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/metric"
	"github.com/certpace/certpace/internal/reason"
)

func at() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 5e6, time.UTC) }

func TestCount(t *testing.T) {
	for name, c := range map[string]struct {
		count func(*metric.Emitter)
		want  string
	}{
		"a metric has its deployment and its shard": {
			func(e *metric.Emitter) { e.Count(metric.JobsPlanned, 12) },
			`{"Deployment":"prod","JobsPlanned":12,"Shard":"0","_aws":{"CloudWatchMetrics":[{"Namespace":"certpace","Dimensions":[["Deployment","Shard"]],"Metrics":[{"Name":"JobsPlanned","Unit":"Count"}]}],"Timestamp":1796083200005}}`,
		},
		"one with a reason is counted under those two alone as well, so that an alarm can watch the whole": {
			func(e *metric.Emitter) { e.Count(metric.MessagesRefused, 1, metric.Reason(reason.BadMessage)) },
			`{"Deployment":"prod","MessagesRefused":1,"Reason":"bad-message","Shard":"0","_aws":{"CloudWatchMetrics":[{"Namespace":"certpace","Dimensions":[["Deployment","Shard"],["Deployment","Shard","Reason"]],"Metrics":[{"Name":"MessagesRefused","Unit":"Count"}]}],"Timestamp":1796083200005}}`,
		},
		"what is measured may be a fraction, and below 0, and is no count": {
			func(e *metric.Emitter) { e.Gauge(metric.HoursToExpiry, -1.5) },
			`{"Deployment":"prod","HoursToExpiry":-1.5,"Shard":"0","_aws":{"CloudWatchMetrics":[{"Namespace":"certpace","Dimensions":[["Deployment","Shard"]],"Metrics":[{"Name":"HoursToExpiry","Unit":"None"}]}],"Timestamp":1796083200005}}`,
		},
		"a share is in percent": {
			func(e *metric.Emitter) { e.Gauge(metric.LifeLeftPercent, 9.75) },
			`{"Deployment":"prod","LifeLeftPercent":9.75,"Shard":"0","_aws":{"CloudWatchMetrics":[{"Namespace":"certpace","Dimensions":[["Deployment","Shard"]],"Metrics":[{"Name":"LifeLeftPercent","Unit":"Percent"}]}],"Timestamp":1796083200005}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c.count(metric.New(&out, at, "prod", "0"))
			if diff := cmp.Diff(c.want+"\n", out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// CloudWatch takes a line only where every dimension and metric that it declares is a field of it.
func TestEveryLineDeclaresWhatItHas(t *testing.T) {
	var out bytes.Buffer
	e := metric.New(&out, at, "prod", "0")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			e.Count(metric.JobsDeferred, i, metric.Reason("rate-limited"))
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 50 {
		t.Fatalf("%d lines", len(lines))
	}
	seen := map[string]bool{}
	for _, line := range lines {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		var declared struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Dimensions [][]string
					Metrics    []struct{ Name string }
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &declared); err != nil {
			t.Fatal(err)
		}
		directive := declared.AWS.CloudWatchMetrics[0]
		for _, set := range directive.Dimensions {
			for _, d := range set {
				if _, ok := fields[d].(string); !ok {
					t.Errorf("dimension %s isn't there: %s", d, line)
				}
			}
		}
		n, ok := fields[directive.Metrics[0].Name].(float64)
		if !ok {
			t.Errorf("the metric isn't there: %s", line)
		}
		seen[fmt.Sprint(n)] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d of 50 counts arrived", len(seen))
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAMetricThatCannotBeWrittenIsLostQuietly(*testing.T) {
	metric.New(broken{}, at, "prod", "0").Count(metric.TicksCompleted, 1)
}
