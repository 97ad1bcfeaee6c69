// Package retryafter reads the Retry-After header of HTTP (RFC 9110, 10.2.3), in which a CA says
// how long to leave it alone. Nothing else reads it.
package retryafter

import (
	"strconv"
	"strings"
	"time"
)

// Longest is the longest wait that is answered: anything above it is nonsense or an attack, and
// would overflow sums of times.
const Longest = 365 * 24 * time.Hour

// Believed is the longest wait that a CA is taken at its word for, where nothing else tells how
// long one can be.
const Believed = 24 * time.Hour

// The three forms of an HTTP date (RFC 9110, 5.6.7); all are UTC.
var layouts = []string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC}

// Parse reads the header's value, whole seconds or a date, as a wait from now on, between 0 and
// Longest. ok is false where there is no value or it can't be read; a date that has passed is 0.
func Parse(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if digits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil { // more digits than an int64 has
			return Longest, true
		}
		return time.Duration(min(seconds, int64(Longest/time.Second))) * time.Second, true
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, value); err == nil {
			return Until(at, now), true
		}
	}
	return 0, false
}

// Until is the wait from now on until a moment that a CA named, between 0 and Longest.
func Until(at, now time.Time) time.Duration { return min(max(0, at.Sub(now)), Longest) }

func digits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}
