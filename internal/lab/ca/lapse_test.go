package ca

import (
	"testing"

	"github.com/go-acme/lego/v4/acme"
)

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
