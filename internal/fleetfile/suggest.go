package fleetfile

import (
	"fmt"
	"strings"
)

// suggest names the nearest known word, or all of them where none is near.
func suggest(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known are " + strings.Join(known, ", ")
}

// nearest is the known word that word is most likely a misspelling of; empty where none is near.
func nearest(word string, known []string) (best string) {
	least := max(2, len(word)/3) + 1
	for _, k := range known {
		if d := distance(strings.ToLower(clip(word)), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the characters to insert, remove or exchange to get from a to b (Levenshtein).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		left := row[0]
		row[0] = i + 1
		for j := range y {
			cost := left
			if x[i] != y[j] {
				cost = 1 + min(left, row[j], row[j+1])
			}
			left, row[j+1] = row[j+1], cost
		}
	}
	return row[len(y)]
}
