package simulate

// dice are a scenario's chances: a hash of the seed and of what is drawn for, never a shared sequence, so that one more draw somewhere
// changes nothing elsewhere.
type dice struct{ seed int64 }

// roll is a number in [0, 1) for the n-th draw of a kind for a certificate.
func (d dice) roll(kind, certificate string, n int) float64 {
	h := uint64(14695981039346656037) ^ mix(uint64(d.seed))
	for _, s := range [...]string{kind, certificate} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return float64(mix(h^mix(uint64(n)+1))>>11) / (1 << 53)
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
