package renew

import (
	"context"
	"sync"
	"time"
)

// batch is the deliveries of one invocation.
type batch struct {
	*Worker
	work     context.Context // ends Margin before the deadline
	owner    string
	deadline time.Time // of the invocation
	ledger   *ledger
}

// run carries the deliveries out, up to AtOnce of them side by side: while one waits for the DNS, another speaks to the CA. What speaks of
// the same certificate stays in line, and what was held by another certificate of the same names has its turn once that one is through.
func (b *batch) run(ctx context.Context, deliveries []Delivery) []Result {
	results := make([]Result, len(deliveries))
	all := make([]int, len(deliveries))
	for i := range all {
		all[i] = i
	}
	b.pass(ctx, deliveries, all, results)
	if again := held(deliveries, results); len(again) > 0 {
		b.pass(ctx, deliveries, again, results)
	}
	return results
}

func (b *batch) pass(ctx context.Context, deliveries []Delivery, which []int, results []Result) {
	var wait sync.WaitGroup
	free := make(chan struct{}, max(1, b.AtOnce))
	for _, line := range lines(deliveries, which) {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			for _, i := range line {
				results[i] = b.one(ctx, deliveries[i])
			}
		})
	}
	wait.Wait()
}

func (b *batch) one(ctx context.Context, d Delivery) Result {
	r := b.begin(d)
	var res Result
	if err := r.guarded(func() error { res = r.one(ctx); return nil }); err != nil {
		res = r.panicked(ctx, err)
	}
	res.MessageID = d.MessageID
	return res
}

func (b *batch) begin(d Delivery) *run {
	return &run{
		batch: b, job: d.Job, wish: d.Job.wish(), received: d.Received,
		log: b.Log.With("certificate", d.Job.Certificate, "job", d.Job.ID),
	}
}

// lines groups deliveries by certificate, in the order of their first appearance.
func lines(deliveries []Delivery, which []int) [][]int {
	at := map[string]int{}
	var out [][]int
	for _, i := range which {
		name := deliveries[i].Job.Certificate
		n, known := at[name]
		if !known {
			n = len(out)
			at[name] = n
			out = append(out, nil)
		}
		out[n] = append(out[n], i)
	}
	return out
}

// held lists the deliveries that found their names held by another certificate of this very batch.
func held(deliveries []Delivery, results []Result) []int {
	ours := map[string]bool{}
	for _, d := range deliveries {
		ours[d.Job.Certificate] = true
	}
	var again []int
	for i, r := range results {
		if r.heldBy != "" && r.heldBy != deliveries[i].Job.Certificate && ours[r.heldBy] {
			again = append(again, i)
		}
	}
	return again
}
