package simulate

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// Scenario is one simulation, checked.
type Scenario struct {
	Start        time.Time
	Duration     time.Duration
	Seed         int64
	CA           CA
	Set          string        // name of the limit set; empty where Limits were written out
	Limits       budget.Limits // in force, with the overrides in them
	Overrides    budget.Limits
	Issuance     time.Duration // how long one issuance holds the worker; whole seconds
	Tick         time.Duration
	PlannerShare float64 // 0 to 1; see budget.Reserve
	Failures     Failures
	Broken       Broken
	Revoke       Revoke
	Fleet        Fleet
}

// CA is what the simulated CA does, apart from its limits.
type CA struct {
	Lifetime time.Duration // of what it issues
	ARI      bool          // whether it offers renewal information
}

// Failures are the chances (0 to 1), for each issuance, of what goes wrong by itself.
type Failures struct {
	Validation  float64 // the CA looks and doesn't find it
	Unavailable float64 // the CA answers the order with 503
}

// Broken are certificates whose DNS fails throughout a time: every validation of every name.
type Broken struct {
	Share float64       // of the fleet, 0 to 1
	From  time.Duration // after the start
	For   time.Duration
}

// Revoke is a mass revocation: the windows of what is in use then move into the past, and the CA revokes it at the deadline.
type Revoke struct {
	Share    float64       // of what is in use then, 0 to 1
	At       time.Duration // after the start
	Deadline time.Duration // after At
}

// Fleet says where the fleet comes from: a population file, or figures to make one from.
type Fleet struct {
	File string // relative to the scenario; empty: made

	Certificates      int
	DomainsPer        int           // names in a certificate
	RegisteredDomains int           // the fleet's names are dealt out over them in turn
	PerSet            int           // certificates that have the same names, such as an RSA and an ECDSA one: 2
	IssuedOver        time.Duration // what is in use was issued, evenly, within this time; 0: nothing is in use yet
	IssuedBefore      time.Duration // how long before the start that time ended
	WantedOver        time.Duration // where nothing is in use: the certificates come to be wanted, evenly, within this time from the start
}

// interval is how long after its issuance a certificate is renewed: with a third of its life left,
// or half below ten days; without renewal information before the CA forgets its set, if its domains
// are limited, and no sooner than the tokens of its set come back, if an eighth of its life is left
// then.
func (s Scenario) interval() time.Duration {
	life := s.CA.Lifetime
	interval := life - life/3
	if life < 10*24*time.Hour {
		interval = life / 2
	}
	limits := ratesOf(s)
	if set, limited := limits[budget.CertificatesPerExactSet]; limited && !s.CA.ARI {
		interval = max(interval, min(time.Duration(set.emission), life*7/8))
	}
	_, shared := limits[budget.CertificatesPerRegisteredDomain]
	_, own := limits[budget.CertificatesPerRegisteredDomainPerAccount]
	if !s.CA.ARI && (shared || own) {
		interval = min(interval, setMemory-48*time.Hour)
	}
	return interval
}

// End is the moment at which the simulation stops.
func (s Scenario) End() time.Time { return s.Start.Add(s.Duration) }
