package ca

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestADoorIsAWayOfItsOwnToTheSameCA(t *testing.T) {
	door, err := lab.Door(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.Close)
	door.Bear(Edge{Rate: 0.001})
	before := len(lab.Requests())
	for _, url := range []string{door.DirectoryURL(), lab.DirectoryURL()} {
		response, err := labHTTP(t).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if !strings.Contains(string(body), strings.TrimSuffix(url, pathDirectory)) {
			t.Errorf("the directory names another address: %s", body)
		}
	}
	if n := len(door.Requests()); n != 1 {
		t.Errorf("the door saw %d requests", n)
	}
	if n := len(lab.Requests()) - before; n != 1 {
		t.Errorf("the CA's own door saw %d", n)
	}
}

func TestADoorHandsPendingOrdersOutAgainOrNot(t *testing.T) {
	door, err := lab.Door(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.Close)
	for at, again := range map[*CA]bool{door: false, lab: true} {
		c, name := newClientAt(t, at.DirectoryURL()), site(t, fmt.Sprint("door-", again))
		if first, second := c.order(t, nil, name), c.order(t, nil, name); again != (first.Location == second.Location) {
			t.Errorf("an order that is pending was handed out again: %t, want %t", !again, again)
		}
		c.obtain(t, nil, "www."+name)
		if issued := at.Issued(); len(issued) == 0 || issued[len(issued)-1].Names[0] != "www."+name {
			t.Errorf("the last certificate isn't that of %s", name)
		}
	}
}

func TestHowAnEdgeRefuses(t *testing.T) {
	door, err := lab.Door(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.Close)
	for _, e := range []Edge{{}, {HTML: true}, {Silent: true}, {HTML: true, Silent: true}} {
		e.Rate = 0.001
		door.Bear(e)
		var last *http.Response
		for range 2 {
			if last, err = labHTTP(t).Get(door.DirectoryURL()); err != nil {
				t.Fatal(err)
			}
			last.Body.Close()
		}
		if last.StatusCode != 503 || (last.Header.Get("Retry-After") == "") != e.Silent || (last.Header.Get("Content-Type") == "text/html") != e.HTML {
			t.Errorf("%+v: %d, Retry-After %q, %s", e, last.StatusCode, last.Header.Get("Retry-After"), last.Header.Get("Content-Type"))
		}
	}
	if c := Count(door.Requests()); c.Requests != 8 || c.Refused != 4 || c.Faults() != 4 || c.Kinds[KindDirectory] != 8 {
		t.Errorf("counted %+v", c)
	}
}

func TestFaultsMeetTheSameRequestsForTheSameSeed(t *testing.T) {
	fates := func(seed uint64) (string, Tally) {
		door, err := lab.Door(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		defer door.Close()
		defer door.Fail(Faults{Lost: 0.2, Cut: 0.2, Seed: seed})()
		var fates []string
		for range 60 {
			client := labHTTP(t)
			client.Transport.(*http.Transport).DisableKeepAlives = true // where a kept one is cut, Go asks again by itself
			response, err := client.Get(door.DirectoryURL())
			if err == nil {
				_, err = io.ReadAll(response.Body)
				response.Body.Close()
			}
			fates = append(fates, fmt.Sprint(err == nil))
		}
		return strings.Join(fates, " "), Count(door.Requests())
	}
	first, tally := fates(1)
	if again, _ := fates(1); again != first {
		t.Errorf("one seed, two fates:\n%s\n%s", first, again)
	}
	if other, _ := fates(2); other == first {
		t.Error("another seed, the same fates")
	}
	if failed := strings.Count(first, "false"); failed != tally.Lost+tally.Cut || tally.Lost < 5 || tally.Cut < 5 || tally.Requests != 60 {
		t.Errorf("%d failed, counted %+v", failed, tally)
	}
}
