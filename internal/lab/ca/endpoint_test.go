package ca

import (
	"testing"

	"github.com/go-acme/lego/v4/acme"
)

func TestEndpoints(t *testing.T) {
	directory, err := lab.Listen(t.Context(), Endpoint{})
	if err != nil {
		t.Fatal(err)
	}
	c, name := newClientAt(t, directory), site(t, "endpoint")
	t.Run("requests tell which address they came to, and each behaves as its own options say", func(t *testing.T) {
		first, second := c.order(t, nil, name), c.order(t, nil, name)
		if first.Location == second.Location {
			t.Error("a pending order was handed out again where it shouldn't be")
		}
		for _, r := range lab.Requests()[c.first:] {
			if !SameEndpoint(r.URL, directory) || SameEndpoint(r.URL, lab.DirectoryURL()) {
				t.Errorf("%s %s came to %s", r.Method, r.Kind, r.URL)
			}
		}
	})
	t.Run("it is the same CA", func(t *testing.T) {
		c.obtain(t, nil, "www."+name)
		if issued := lab.Issued(); len(issued) == 0 || issued[len(issued)-1].Names[0] != "www."+name {
			t.Errorf("the last certificate isn't that of %s", name)
		}
	})
}

func TestLapsing(t *testing.T) {
	for state, prepare := range map[string]func(testing.TB, *client, acme.ExtendedOrder){
		acme.StatusPending: func(testing.TB, *client, acme.ExtendedOrder) {},
		acme.StatusReady: func(t testing.TB, c *client, o acme.ExtendedOrder) {
			c.prove(t, o)
			c.settled(t, o.Location)
		},
	} {
		t.Run("an order that is "+state+" becomes invalid, without a problem, and isn't handed out again", func(t *testing.T) {
			c, name := newClient(t), site(t, "lapse-"+state)
			o := c.order(t, nil, name)
			prepare(t, c, o)
			if got := lab.StatusOf(o.Location); got != state {
				t.Fatalf("it is %s", got)
			}
			if err := lab.Lapse(o.Location); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Orders.Get(o.Location); err != nil || got.Status != acme.StatusInvalid || got.Error != nil || lab.StatusOf(o.Location) != acme.StatusInvalid {
				t.Errorf("the order is %+v (%v)", got, err)
			}
			if again := c.order(t, nil, name); again.Location == o.Location {
				t.Error("it was handed out again")
			}
		})
	}
	t.Run("one that has its certificate can't", func(t *testing.T) {
		c, name := newClient(t), site(t, "lapse-late")
		o := c.order(t, nil, name)
		c.prove(t, o)
		c.finish(t, o)
		if err := lab.Lapse(o.Location); err == nil || lab.StatusOf(o.Location) != acme.StatusValid {
			t.Errorf("it is %s now (%v)", lab.StatusOf(o.Location), err)
		}
		if err := lab.Lapse(o.Location + "x"); err == nil || lab.StatusOf(o.Location+"x") != "" {
			t.Errorf("an unknown order lapsed (%v)", err)
		}
	})
}
