package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/fleetfile"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

// fakeFleet is an inventory in which something happens while somebody thinks.
type fakeFleet struct {
	now   map[string]inventory.Certificate
	saved []inventory.Certificate
}

func (f *fakeFleet) Certificate(_ context.Context, name string) (inventory.Certificate, error) {
	c, ok := f.now[name]
	if !ok {
		return c, renew.ErrUnknown
	}
	return c, nil
}

func (f *fakeFleet) EachCertificate(context.Context) iter.Seq2[inventory.Certificate, error] {
	return func(yield func(inventory.Certificate, error) bool) {
		for c := range maps.Values(f.now) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (f *fakeFleet) SaveCertificates(_ context.Context, cs []inventory.Certificate) ([]string, error) {
	f.saved = append(f.saved, cs...)
	return nil, nil
}

// eleven is a fleet of as many certificates, and the file that moves all of them to another CA.
func eleven() (*fakeFleet, []fleetfile.Entry) {
	f := &fakeFleet{now: map[string]inventory.Certificate{}}
	var file []fleetfile.Entry
	for i := range many + 1 {
		name := fmt.Sprintf("c%02d", i)
		w := inventory.Wanted{Domains: []string{name + ".example"}, KeyType: inventory.EC256, Directory: "https://a.example/d", Enabled: true}
		f.now[name] = inventory.Certificate{Name: name, Rev: 1, Wanted: w}
		w.Directory = "https://b.example/d"
		file = append(file, fleetfile.Entry{Name: name, Wanted: w})
	}
	return f, file
}

func TestAnAnswerIsAppliedToWhatWasAskedOnly(t *testing.T) {
	for name, row := range map[string]struct {
		meanwhile func(c *inventory.Certificate)
		refused   bool
	}{
		"nothing happens": {func(*inventory.Certificate) {}, false},
		"a worker moves on": {func(c *inventory.Certificate) {
			c.Rev, c.Status.Message = 2, "a job starts"
		}, false},
		"somebody applies something else": {func(c *inventory.Certificate) {
			c.Rev, c.Wanted.KeyType = 2, inventory.RSA2048
		}, true},
		"somebody applies the same": {func(c *inventory.Certificate) {
			c.Rev, c.Wanted.Directory = 2, "https://b.example/d"
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f, file := eleven()
			r := &run{Context: t.Context(), commands: &commands{Output: "table"}, now: time.Now}
			r.Streams = Streams{Stdout: io.Discard, Stderr: io.Discard, Terminal: func() io.Reader {
				c := f.now["c03"]
				row.meanwhile(&c)
				f.now["c03"] = c
				return strings.NewReader("yes\n")
			}}
			err := (&applyCmd{File: "fleet.yaml"}).apply(r, f, file)
			if errors.Is(err, errRefused) != row.refused || (len(f.saved) == 0) != row.refused {
				t.Errorf("%v, and %d were written", err, len(f.saved))
			}
			for _, c := range f.saved {
				if c.Name == "c03" && c.Rev != f.now["c03"].Rev {
					t.Errorf("written on condition of rev %d, and the table has %d", c.Rev, f.now["c03"].Rev)
				}
			}
		})
	}
}

func TestAQuestionEnds(t *testing.T) {
	for name, row := range map[string]struct {
		answer string
		goOn   bool
	}{
		"yes": {"yes\n", true}, "in capitals": {" YES \r\n", true}, "y": {"y\n", true}, "without a line's end": {"yes", true},
		"no": {"no\n", false}, "nothing": {"\n", false}, "the end of the input": {"", false}, "yes in a sentence": {"yes please\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			r := &run{Context: t.Context(), Streams: Streams{Stderr: &said, Terminal: func() io.Reader { return strings.NewReader(row.answer) }}}
			err := r.confirm(confirmation{}, "this\x1b[2J\ncertpace: forged")
			if errors.Is(err, errRefused) == row.goOn || (err == nil) != row.goOn {
				t.Errorf("%v", err)
			}
			if strings.Contains(said.String(), "\x1b") || strings.Count(said.String(), "\n") != 1 {
				t.Errorf("%q", said.String())
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		silent, _ := io.Pipe()
		r := &run{Context: ctx, Streams: Streams{Stderr: io.Discard, Terminal: func() io.Reader { stop(); return silent }}}
		if err := r.confirm(confirmation{}, "this"); !errors.Is(err, context.Canceled) || !errors.Is(err, errRefused) {
			t.Errorf("%v", err)
		}
	})
}

func TestADifferenceInWords(t *testing.T) {
	for want, d := range map[string]inventory.Difference{
		"key_type: ec256 -> rsa2048":          {Field: "key_type", Old: inventory.EC256, New: inventory.RSA2048},
		"profile: (none) -> shortlived":       {Field: "profile", Old: "", New: "shortlived"},
		"enabled: true -> false":              {Field: "enabled", Old: true, New: false},
		"domains: -a.example, +b.example":     {Field: "domains", Old: []string{"a.example", "c.example"}, New: []string{"b.example", "c.example"}},
		"secret.tags: -team=web, +team=shop":  {Field: "secret.tags", Old: map[string]string{"team": "web"}, New: map[string]string{"team": "shop"}},
		"acm: +arn:x":                         {Field: "acm", Old: []inventory.ACM{}, New: []inventory.ACM{{ARN: "arn:x"}}},
		"secret.replicas: another order":      {Field: "secret.replicas", Old: []string{"a", "b"}, New: []string{"b", "a"}},
		"csr: (none) -> sha256 2d711642b726…": {Field: "csr", Old: "", New: "x"},
	} {
		if got := difference(d); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
