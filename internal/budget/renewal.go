package budget

import "time"

// SetMemory is how long the CA remembers that it issued an exact set of names to anybody: an order for the set within that time is
// a renewal, which costs no new-order token and counts for no registered domain.
const SetMemory = 120 * day

// Renewal says how an order stands to what the CA has issued before, which decides what it counts.
type Renewal string

// The three kinds of order. The words are those of a simulation's events.
const (
	None    Renewal = "none"     // counts everywhere
	SameSet Renewal = "same_set" // the exact set was issued within SetMemory
	ARI     Renewal = "ari"      // names a valid predecessor inside the window that the CA suggested for it (RFC 9773)
)

// Past is what is known of an order's past when it is about to be made.
type Past struct {
	// Replaces: the order will name, in its replaces field, a certificate that the CA knows, that has not been replaced yet, and
	// that shares at least one name with the order.
	Replaces bool
	// SameAccount: the account that orders is the one that got the certificate. From another one, replaces is refused.
	SameAccount bool
	// WindowStart and WindowEnd are the window that the CA suggests for that certificate now, the end outside of it. A revoked
	// certificate's window lies in the past, so it is never exempt by ARI.
	WindowStart, WindowEnd time.Time
	// SetIssued is when this exact set of names was last issued, to any account, with any key; zero for never. The CA's own
	// record isn't public: NotBefore is never later than it, so it is the safe value.
	SetIssued time.Time
}

// Renewed tells the kind of an order that is sent at now, reaches the CA by orderBy and is issued, if at all, by issuedBy. An exemption
// counts only if it holds for all of that time: where the CA would stop granting it halfway, the order pays. setKnown says
// whether the CA will remember the set when it issues, which for an ARI order decides about the registered domains.
func Renewed(p Past, now, orderBy, issuedBy time.Time) (r Renewal, setKnown bool) {
	setKnown = !p.SetIssued.IsZero() && issuedBy.Before(p.SetIssued.Add(SetMemory))
	inside := !now.Before(p.WindowStart) && now.Before(p.WindowEnd) && orderBy.Before(p.WindowEnd)
	switch {
	case p.Replaces && p.SameAccount && inside:
		return ARI, setKnown
	case setKnown:
		return SameSet, true
	}
	return None, false
}
