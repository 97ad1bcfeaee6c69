package entry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/certpace/certpace/internal/budget"
)

// Token identifies what one write writes. It is kept beside what was written: a conditional write whose answer was lost is repeated by
// the SDK, or by the caller, fails on its own success, and finds its token there. The content includes a revision that each
// state has once, so equal tokens are the same write, or another's that came to exactly the same.
func Token(parts ...any) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, p := range parts {
		if err := enc.Encode(p); err != nil { // structs of strings, numbers and times always encode
			panic(fmt.Sprintf("entry: encoding %T: %v", p, err))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Moves is the part of a Token that bucket writes are.
func Moves(writes []budget.Write) [][3]any {
	moves := make([][3]any, 0, len(writes))
	for _, w := range writes {
		moves = append(moves, [3]any{w.Key.String(), w.Read.TATNanos(), w.New.TATNanos()})
	}
	return moves
}
