package byhand

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/lab"
)

func TestOnlyAFolderOfAnEarlierRunIsEmptied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	o := Options{Dir: dir, Tick: time.Second}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("what an earlier run left is still there")
	}
	running := []byte(strconv.Itoa(os.Getppid()))
	if err := os.WriteFile(filepath.Join(dir, marker), running, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.check(); err == nil || !strings.Contains(err.Error(), "keeps a lab up: end it, or give another folder") {
		t.Errorf("where a lab is up the message is %v", err)
	}
	other := t.TempDir()
	notes := filepath.Join(other, "notes")
	if err := os.WriteFile(notes, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Dir = other
	if err := o.check(); err == nil || !strings.Contains(err.Error(), "which has something else in it: give a folder") {
		t.Errorf("the message is %v", err)
	}
	if _, err := os.Stat(notes); err != nil {
		t.Error("somebody's notes are gone")
	}
}

func TestBadFlagsAreNamed(t *testing.T) {
	err := Run(context.Background(), io.Discard, Options{Dir: t.TempDir(), Tick: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "-tick is 1ms: give a second or more") {
		t.Errorf("the message is %v", err)
	}
}

func TestBucketsStandBesideEachOther(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return now.Add(time.Duration(s * float64(time.Second))) }
	key := func(n budget.Name, subject string) budget.Key {
		return budget.Key{CA: "127.0.0.1:19000", Limit: n, Subject: subject}
	}
	got := buckets([]lab.Pair{
		{Key: key(budget.NewOrdersPerAccount, "0"), CA: at(29), Certpace: at(58.9)},
		{Key: key(budget.CertificatesPerRegisteredDomain, "example-lab.com"), CA: at(20), Certpace: at(19)},
	}, now)
	for _, want := range []string{"│ new-orders-per-account             │ 0               │ 29s               │ 58.9s          │ 29.9s         │", "│ EARLIER by 1s │"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q isn't in\n%s", want, got)
		}
	}
	if got := buckets(nil, now); got != "every bucket of the CA's is full\n" {
		t.Errorf("with none it says %q", got)
	}
}

func TestQuotedTextIsOneWord(t *testing.T) {
	for text, want := range map[string]string{"a b": `'a b'`, "it's": `'it'\''s'`, "": `''`} {
		if got := quote(text); got != want {
			t.Errorf("%q becomes %s", text, got)
		}
	}
}
