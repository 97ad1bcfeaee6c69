package byhand

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/lab"
)

// keeper waits for what a person does.
type keeper struct {
	out   io.Writer
	cloud *lab.Cloud
	dir   string // Boulder's
}

// run shows the buckets at each line, and follows the file of limits.
func (k keeper) run(ctx context.Context, enter <-chan struct{}) {
	saved := k.saved()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-enter:
			k.show(ctx)
		case <-look.C:
			if now := k.saved(); now.After(saved) {
				saved = now
				k.reload(ctx)
			}
		}
	}
}

// saved is when the file of limits was; the zero time while an editor replaces it.
func (k keeper) saved() time.Time {
	about, err := os.Stat(filepath.Join(k.dir, "limits.yml"))
	if err != nil {
		return time.Time{}
	}
	return about.ModTime()
}

func (k keeper) reload(ctx context.Context) {
	if err := k.cloud.Boulder.Reload(ctx); err != nil {
		fmt.Fprintf(k.out, "limits.yml was saved, and the CA doesn't start with it: %v\nCorrect it and save it again.\n", err)
		return
	}
	fmt.Fprintln(k.out, "limits.yml was saved, and is in force. Tell certpace the same: certpace budgets set LIMIT --burst N --count N --period D")
}

// show prints each bucket that isn't full, on both sides.
func (k keeper) show(ctx context.Context) {
	now := time.Now()
	pairs, err := k.cloud.Buckets(ctx, now)
	if err != nil {
		fmt.Fprintln(k.out, "buckets:", err)
		return
	}
	fmt.Fprint(k.out, buckets(pairs, now))
}

func buckets(pairs []lab.Pair, now time.Time) string {
	if len(pairs) == 0 {
		return "every bucket of the CA's is full\n"
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"limit", "key", "full at the CA in", "at certpace in", "later by"})
	for _, p := range pairs {
		t.AppendRow(table.Row{p.Key.Limit, p.Key.Subject, wait(p.CA, now), wait(p.Certpace, now), later(p)})
	}
	return t.Render() + "\n"
}

func wait(at, now time.Time) string {
	if !at.After(now) {
		return "full"
	}
	return at.Sub(now).Round(100 * time.Millisecond).String()
}

func later(p lab.Pair) string {
	if early := p.Early(); early > 0 {
		return "EARLIER by " + early.Round(time.Millisecond).String()
	}
	return p.Certpace.Sub(p.CA).Round(time.Millisecond).String()
}
