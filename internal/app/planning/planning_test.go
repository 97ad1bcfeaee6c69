package planning

import (
	"testing"
	"time"
)

func TestParseTick(t *testing.T) {
	for input, want := range map[string]time.Duration{
		`{"tick":"15m"}`: 15 * time.Minute, `{"tick":"10s"}`: 10 * time.Second, `{}`: 15 * time.Minute, ``: 15 * time.Minute, `null`: 15 * time.Minute,
	} {
		if got, err := ParseTick([]byte(input)); err != nil || got != want {
			t.Errorf("%s: %s, %v", input, got, err)
		}
	}
	for _, input := range []string{`{"tick":"16m"}`, `{"tick":"0s"}`, `{"tick":"soon"}`, `{"tock":"15m"}`, `[]`, `{"tick":15}`} {
		if got, err := ParseTick([]byte(input)); err == nil {
			t.Errorf("%s was taken as %s", input, got)
		}
	}
}
