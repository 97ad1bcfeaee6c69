package inventory_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
)

const day = 24 * time.Hour

var epoch = time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)

func held(domains ...string) inventory.Certificate {
	w := inventory.Wanted{Domains: domains, KeyType: inventory.EC256, Directory: "https://ca.example/dir", Enabled: true, Since: epoch}
	u := inventory.InUse{
		Serial: "0a", Domains: domains, KeyType: inventory.EC256, Directory: w.Directory,
		NotBefore: epoch, NotAfter: epoch.Add(90 * day), IssuedAt: epoch,
	}
	u.RenewAt = u.ChooseRenewAt("www")
	return inventory.Certificate{Name: "www", Wanted: w, InUse: &u}
}

func TestNeed(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*inventory.Certificate)
		want   inventory.Need
	}{
		"nothing in use yet: a first one, from the moment it was wanted": {
			func(c *inventory.Certificate) { c.InUse = nil }, inventory.Need{Why: inventory.NeedFirst, At: epoch},
		},
		"other names wanted: a changed one, but not on the day of issuance": {
			func(c *inventory.Certificate) { c.Wanted.Domains = []string{"b.example"} }, inventory.Need{Why: inventory.NeedChanged, At: epoch.Add(day)},
		},
		"another key type counts as a change": {
			func(c *inventory.Certificate) { c.Wanted.KeyType, c.Wanted.Since = inventory.RSA2048, epoch.Add(5*day) },
			inventory.Need{Why: inventory.NeedChanged, At: epoch.Add(5 * day)},
		},
		"a window that says now, an hour after issuance, is held back by the guard": {
			func(c *inventory.Certificate) { c.InUse.RenewAt = epoch.Add(time.Hour) }, inventory.Need{Why: inventory.NeedRenewal, At: epoch.Add(day)},
		},
		"disabled needs nothing": {
			func(c *inventory.Certificate) { c.Wanted.Enabled = false }, inventory.Need{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := held("a.example")
			tc.change(&c)
			if got := c.Need(epoch); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*inventory.Certificate)
		want   time.Time
	}{
		"nothing in use: when it was wanted": {func(c *inventory.Certificate) { c.InUse = nil }, epoch},
		"the end of what is in use":          {func(*inventory.Certificate) {}, epoch.Add(90 * day)},
		"the window of its age changes nothing": {
			func(c *inventory.Certificate) {
				c.InUse.Window = &inventory.Window{Start: epoch.Add(59 * day), End: epoch.Add(61 * day)}
			}, epoch.Add(90 * day),
		},
		"called back long before: a day after the window": {
			func(c *inventory.Certificate) {
				c.InUse.Window = &inventory.Window{Start: epoch.Add(9 * day), End: epoch.Add(10 * day)}
			}, epoch.Add(11 * day),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := held("a.example")
			tc.change(&c)
			if got := c.Deadline(); !got.Equal(tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestChooseRenewAt(t *testing.T) {
	in := func(u inventory.InUse, start, end time.Time) bool {
		at := u.ChooseRenewAt("www")
		return !at.Before(start.Truncate(time.Second)) && at.Before(end)
	}
	t.Run("without a window it lies just before the last third of the life", func(t *testing.T) {
		u := *held("a.example").InUse
		if !in(u, epoch.Add(58*day), epoch.Add(60*day)) {
			t.Errorf("at %s", u.ChooseRenewAt("www"))
		}
	})
	t.Run("below ten days it lies before the last half", func(t *testing.T) {
		u := *held("a.example").InUse
		u.NotAfter = epoch.Add(160 * time.Hour)
		if !in(u, epoch.Add(76*time.Hour), epoch.Add(80*time.Hour)) {
			t.Errorf("at %s", u.ChooseRenewAt("www"))
		}
	})
	for name, w := range map[string]inventory.Window{
		"a window that ends before it starts is ignored":             {Start: epoch.Add(30 * day), End: epoch.Add(29 * day)},
		"a window from before the certificate's own time is ignored": {Start: epoch.Add(-time.Hour), End: epoch.Add(day)},
	} {
		t.Run(name, func(t *testing.T) {
			u := *held("a.example").InUse
			u.Window = &w
			if !in(u, epoch.Add(58*day), epoch.Add(60*day)) || u.Exempt(epoch.Add(day/2)) {
				t.Errorf("at %s", u.ChooseRenewAt("www"))
			}
		})
	}
}

func TestTheChosenMomentStaysInItsWindowAndStaysChosen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := *held("a.example").InUse
		start := epoch.Add(time.Duration(rapid.Int64Range(1, int64(80*day)).Draw(t, "start")))
		w := inventory.Window{Start: start, End: start.Add(time.Duration(rapid.Int64Range(int64(time.Second), int64(3*day)).Draw(t, "width")))}
		u.Window = &w
		name := rapid.StringMatching(`[a-z0-9]{1,20}`).Draw(t, "name")
		at := u.ChooseRenewAt(name)
		if at.Before(w.Start.Truncate(time.Second)) || !at.Before(w.End) {
			t.Fatalf("%s is outside of %s to %s", at, w.Start, w.End)
		}
		if again := u.ChooseRenewAt(name); !again.Equal(at) {
			t.Fatalf("drawn twice: %s, then %s", at, again)
		}
	})
}

func TestExemptIncludesTheStartAndExcludesTheEnd(t *testing.T) {
	u := *held("a.example").InUse
	u.Window = &inventory.Window{Start: epoch.Add(59 * day), End: epoch.Add(60 * day)}
	for at, want := range map[time.Duration]bool{59*day - 1: false, 59 * day: true, 60*day - 1: true, 60 * day: false} {
		if got := u.Exempt(epoch.Add(at)); got != want {
			t.Errorf("after %s: exempt %v", at, got)
		}
	}
}

func TestWindowedMovesTheMomentOnlyWithTheWindow(t *testing.T) {
	c := held("a.example").Windowed(&inventory.Window{Start: epoch.Add(50 * day), End: epoch.Add(52 * day)})
	same := c.Windowed(&inventory.Window{Start: epoch.Add(50 * day), End: epoch.Add(52 * day)})
	if !same.InUse.RenewAt.Equal(c.InUse.RenewAt) {
		t.Error("the same window moved the moment")
	}
	moved := c.Windowed(&inventory.Window{Start: epoch.Add(3 * day), End: epoch.Add(4 * day)})
	if !moved.InUse.RenewAt.Before(epoch.Add(4 * day)) {
		t.Errorf("a window moved forward left the moment at %s", moved.InUse.RenewAt)
	}
	if c.InUse.RenewAt.Before(epoch.Add(50 * day)) {
		t.Error("the old value was changed in place")
	}
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{1: time.Minute, 2: 10 * time.Minute, 3: 100 * time.Minute, 4: day, 40: day} {
		if got := inventory.Backoff(n); got != want {
			t.Errorf("after %d failures: %s, want %s", n, got, want)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"www": true, "0-a_b.c": true, "": false, "-a": false, "A": false, "a/b": false, "a#b": false, "é": false,
	} {
		if got := inventory.ValidName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestASecretsNameIsToldByItsARN(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:secretsmanager:eu-central-1:123456789012:secret:certpace/www-AbCdEf": "certpace/www",
		"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:x-y-123456-AbCdEf":  "x-y-123456",
		"": "", "arn:www": "", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:-AbCdEf": "",
		"arn:aws:secretsmanager:eu-central-1:123456789012:secret:certpace/www": "",
	} {
		if got := (inventory.InUse{SecretARN: arn}).SecretName(); got != want {
			t.Errorf("%s is in %q, want %q", arn, got, want)
		}
	}
}
