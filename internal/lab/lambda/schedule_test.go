package lambda

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// results collects what a schedule reports, with the time since the start.
type results struct {
	mu  sync.Mutex
	all []string
}

func (r *results) from(begin time.Time) func(Result, error) {
	return func(result Result, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		word := "ok"
		switch {
		case err != nil:
			word = "not run"
		case result.FunctionError != "":
			word = "failed"
		}
		r.all = append(r.all, time.Since(begin).Round(time.Second).String()+" "+word)
	}
}

func (r *results) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.all, ", ")
}

// behaviour is what a fakeFunction does.
type behaviour struct {
	work   time.Duration
	answer func([]byte) (Result, error)
}

func TestSchedule(t *testing.T) {
	fails := func([]byte) (Result, error) { return Result{FunctionError: "Unhandled"}, nil }
	for name, row := range map[string]struct {
		options  ScheduleOptions
		function behaviour
		after    time.Duration
		want     string
	}{
		"fires at once and then at every interval":                         {ScheduleOptions{Every: 15 * time.Minute}, behaviour{}, 31 * time.Minute, "0s ok, 15m0s ok, 30m0s ok"},
		"a failed event is not tried again unless asked for":               {ScheduleOptions{Every: time.Hour}, behaviour{answer: fails}, 30 * time.Minute, "0s failed"},
		"a failed event is tried again after a minute and after two":       {ScheduleOptions{Every: time.Hour, Retries: 2}, behaviour{answer: fails}, 30 * time.Minute, "3m0s failed"},
		"the pause between tries can be set":                               {ScheduleOptions{Every: time.Hour, Retries: 2, RetryDelay: time.Second}, behaviour{answer: fails}, 30 * time.Minute, "3s failed"},
		"an event older than its age is given up":                          {ScheduleOptions{Every: time.Hour, Retries: 2, MaximumAge: 2 * time.Minute}, behaviour{answer: fails}, 30 * time.Minute, "1m0s failed"},
		"an event that meets a busy function waits for it":                 {ScheduleOptions{Every: time.Minute}, behaviour{work: 90 * time.Second}, 80 * time.Second, "1m30s ok, 3m1s ok"},
		"an event that meets a busy function for longer than its age ends": {ScheduleOptions{Every: time.Minute, MaximumAge: 5 * time.Second}, behaviour{work: 90 * time.Second}, 80 * time.Second, "1m3s not run, 1m30s ok"},
	} {
		bubble(t, name, func(t *testing.T) {
			got, f := &results{}, &fakeFunction{work: row.function.work, answer: row.function.answer}
			o := row.options
			o.Function, o.Payload, o.OnResult = f, []byte(`{"tick":"15m"}`), got.from(time.Now())
			s, err := StartSchedule(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(row.after)
			s.Stop()
			if got.String() != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			for _, payload := range f.invocations() {
				if string(payload) != `{"tick":"15m"}` {
					t.Errorf("payload is %s", payload)
				}
			}
		})
	}

	bubble(t, "Close leaves what runs", func(t *testing.T) {
		begin, f := time.Now(), &fakeFunction{work: time.Hour}
		s, err := StartSchedule(t.Context(), ScheduleOptions{Every: time.Minute, Function: f})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		s.Close()
		s.Stop()
		if waited := time.Since(begin); waited != 10*time.Minute {
			t.Errorf("waited %s", waited)
		}
	})

	t.Run("every fault of the options is told at once", func(t *testing.T) {
		_, err := StartSchedule(t.Context(), ScheduleOptions{Retries: 3, MaximumAge: -1})
		for _, want := range []string{"Every is 0s", "Function is nil", "Retries is 3", "neither may be negative"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
	})
}
