package fleetfile

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// peak runs something and tells by how much the heap grew at most meanwhile, in bytes. It looks
// every millisecond.
func peak(do func()) uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	heap := func() uint64 { metrics.Read(sample); return sample[0].Value.Uint64() }
	runtime.GC()
	before, most := heap(), uint64(0)
	done, seen := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(seen)
		for {
			most = max(most, heap())
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	do()
	close(done)
	<-seen
	return most - min(most, before)
}

// BenchmarkParse reads a file of 20,000 certificates in pieces and as a whole: what the heap holds
// at most for each of them.
func BenchmarkParse(b *testing.B) {
	const n = 20_000
	var yaml, json strings.Builder
	yaml.WriteString("certificates:\n")
	json.WriteString(`{"certificates":[`)
	for i := range n {
		fmt.Fprintf(&yaml, "- name: www-%d\n  domains: [www.d%d.example.com]\n", i, i)
		fmt.Fprintf(&json, "%s{\"name\":\"www-%d\",\"domains\":[\"www.d%d.example.com\"]}\n", strings.Repeat(",", min(i, 1)), i, i)
	}
	json.WriteString("]}")
	for name, row := range map[string]struct {
		text string
		size int
	}{"YAML": {yaml.String(), pieceSize}, "JSON": {json.String() + "\n", pieceSize}, "YAML as a whole": {yaml.String(), MaxBytes}} {
		b.Run(name, func(b *testing.B) {
			var most uint64
			for b.Loop() {
				most = max(most, peak(func() {
					if entries, faults := parseIn([]byte(row.text), letsTest, row.size); len(entries) != n {
						b.Fatal(faults)
					}
				}))
			}
			b.ReportMetric(float64(most)/n, "peak-bytes/certificate")
		})
	}
}
