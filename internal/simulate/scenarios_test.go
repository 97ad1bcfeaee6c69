package simulate

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The repository's smaller scenarios, whole: no denial, nothing expired, the backlog as fast as it can be, and flat after the first lifetime; and a
// second CA says the same of every order. The larger ones are for `make bench`.
func TestNoScenarioOfTheRepositoryIsDenied(t *testing.T) {
	all, err := filepath.Glob("../../scenarios/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, at := range all {
		s, fleet, err := Load(at)
		if err != nil {
			t.Errorf("%s: %v", at, err)
			continue
		}
		if len(fleet) > 10_000 || s.Duration > 2160*time.Hour {
			continue
		}
		ran++
		t.Run(filepath.Base(at), func(t *testing.T) {
			m, events := carried(t, s, fleet)
			if m.Denied != 0 || m.Orders == 0 {
				t.Errorf("%d orders, %d denied: %v", m.Orders, m.Denied, m.Denials)
			}
			if most := max(1.01*m.Bound, m.Bound+s.Tick.Seconds()); m.Expired != 0 || m.Unfinished != 0 || float64(m.Makespan) > most {
				t.Errorf("%d expired, %d unfinished, makespan %d; want at most %f", m.Expired, m.Unfinished, m.Makespan, most)
			}
			if most := int(math.Ceil(1.5 * m.SteadyMean)); m.SteadyPeak > most {
				t.Errorf("%d in an hour after the first lifetime; want at most %d", m.SteadyPeak, most)
			}
			checkReplay(t, s, fleet, events, m)
			checkOrders(t, s, fleet, events)
		})
	}
	if ran < 4 {
		t.Errorf("%d scenarios were small enough; want at least 4", ran)
	}
}

// 95 fit between the revocation and its deadline, one every quarter of an hour, the first a second after the full hour: of 100, five are lost
// whatever the planner does, and no more.
func TestARevocationThatNoWorkerCouldMeetHasLostCauses(t *testing.T) {
	s := parsed(t, head+"duration: 240h\nworker: {seconds_per_issuance: 900}\nrevoke: {share: 1, at: 10h, deadline: 24h}\n"+
		"fleet: {certificates: 100, registered_domains: 100, issued_over: 100h}\n")
	fleet := Generate(s)
	m, events := carried(t, s, fleet)
	if m.LostCauses != 5 || m.Lapsed != 5 || m.Expired != 0 || *m.LeastDaysLeft >= 0 {
		t.Errorf("%+v; want five lost causes, and no other to lapse", m)
	}
	checkReplay(t, s, fleet, events, m)
}

func TestReplayRefusesWhatIsNoRecord(t *testing.T) {
	s := parsed(t, head+"duration: 24h\nfleet: {certificates: 1}\n")
	const order = `{"t":"2026-12-01T00:00:01Z","account":1,"event":"order","names":["a.example"],"renewal":"none"}` + "\n"
	for name, tc := range map[string]struct{ text, want string }{
		"an unknown event":          {`{"t":"2026-12-01T00:00:01Z","account":1,"event":"sold","names":[]}`, `line 1: event: "sold" is unknown`},
		"time that runs backwards":  {order + `{"t":"2026-12-01T00:00:00Z","account":1,"event":"issued","names":["a.example"]}`, "line 2: 2026-12-01T00:00:00Z lies before"},
		"a renewal without dates":   {`{"t":"2026-12-01T00:00:01Z","account":1,"event":"order","names":["a.example"],"renewal":"ari"}`, "don't go together"},
		"what isn't JSON":           {order + "order", "line 2: "},
		"a field that nobody knows": {`{"time":1}`, `unknown field "time"`},
	} {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, errorOf(Replay(strings.NewReader(tc.text), s, Generate(s), lastTwo)), tc.want, "events: ")
		})
	}
	t.Run("an order that isn't what it says is counted", func(t *testing.T) {
		got, err := Replay(strings.NewReader(`{"t":"2026-12-01T00:00:01Z","account":1,"event":"order","names":["a.example"],"renewal":"same_set"}`), s, nil, lastTwo)
		if want := (Replayed{Orders: 1, Miscounted: 1}); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	})
}
