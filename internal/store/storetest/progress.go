package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/renew"
)

var progress = []scenario{
	{"every field comes back as it was written", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		want := Advanced(i)
		got := w.advanced(i)
		want.Rev++
		w.same("what writing returns", got, want)
		taken, _ := w.claim(w.claimOf(cert, "k", "me", w.Now))
		want.Rev++
		w.same("what the next claim returns", taken, want)
	}},
	{"where a challenge is accepted isn't kept", func(w world) {
		i, _ := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		i.Records = Advanced(i).Records
		i.Records[0].URL = "https://ca.example/chall/1"
		i, err := w.Store.Progress(w.ctx(), i)
		w.ok(err)
		w.same("the challenge's URL", i.Records[0].URL, "")
	}},
	{"an old revision of one's own is lost", func(w world) {
		i, _ := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		w.advanced(i)
		i.OrderURL = "https://ca.example/order/other"
		_, err := w.Store.Progress(w.ctx(), i)
		w.fails("writing", err, renew.ErrLost)
	}},
	{"one that was never opened is lost", func(w world) {
		_, err := w.Store.Progress(w.ctx(), renew.Issuance{Key: "k", Shard: w.Shard, Certificate: "www", Owner: "me", Fence: 1, Rev: 1, Until: w.Now})
		w.fails("writing", err, renew.ErrLost)
	}},
	{"the very same again is one write", func(w world) {
		i, _ := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		i.OrderURL = "https://ca.example/order/1"
		first, err := w.Store.Progress(w.ctx(), i)
		w.ok(err)
		second, err := w.Store.Progress(w.ctx(), i)
		w.ok(err)
		w.same("the second time", second, first)
	}},
	{"letting go ends the lease at once", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		i.Until = w.Now.Add(time.Second)
		_, err := w.Store.Progress(w.ctx(), i)
		w.ok(err)
		taken, _ := w.claim(w.claimOf(cert, "k", "you", i.Until))
		w.same("who has it", taken.Owner, "you")
	}},
	{"open ones are listed in the order in which their leases end", func(w world) {
		var want []string
		for n, name := range []string{"c", "a", "b"} {
			w.claim(w.claimOf(w.stored(name), "k-"+name, "me", w.Now.Add(time.Duration(n)*time.Hour)))
			want = append(want, name)
		}
		i, cert := w.claim(w.claimOf(w.stored("closed"), "k-closed", "me", w.Now))
		_, err := w.Store.Close(w.ctx(), i, cert)
		w.ok(err)
		eventually(w, "open", want, func() (names []string) {
			for _, i := range collect(w, w.Store.EachIssuance(w.ctx())) {
				names = append(names, i.Certificate)
			}
			return names
		})
	}},
}
