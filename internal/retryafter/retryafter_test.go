package retryafter

import (
	"strconv"
	"testing"
	"time"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"0": 0, "3": 3 * time.Second, " 120 ": 2 * time.Minute, "007": 7 * time.Second,
		"31536000": Longest, "31536001": Longest, "99999999999999999999999": Longest,
		"Tue, 01 Dec 2026 12:01:00 GMT":   time.Minute,
		"Tuesday, 01-Dec-26 12:01:00 GMT": time.Minute,
		"Tue Dec  1 12:01:00 2026":        time.Minute,
		"Tue, 01 Dec 2026 11:59:00 GMT":   0,
		"Fri, 31 Dec 9999 23:59:59 GMT":   Longest,
	} {
		if got, ok := Parse(value, now); !ok || got != want {
			t.Errorf("%q: got %v, %v; want %v", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "  ", "-1", "+5", "1.5", "soon", "1h", "Tue, 01 Dec 2026 12:01:00 CET", "２"} {
		if got, ok := Parse(value, now); ok || got != 0 {
			t.Errorf("%q: got %v, %v", value, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "3", "-3", "Tue, 01 Dec 2026 12:01:00 GMT", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := Parse(value, now)
		if got < 0 || got > Longest || !ok && got != 0 {
			t.Errorf("%q: got %v, %v", value, got, ok)
		}
		if n, err := strconv.ParseUint(value, 10, 24); err == nil && (!ok || got != min(time.Duration(n)*time.Second, Longest)) {
			t.Errorf("%q: got %v, %v", value, got, ok)
		}
	})
}
