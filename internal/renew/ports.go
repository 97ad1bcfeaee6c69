package renew

import (
	"context"
	"crypto"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
)

// Certificates is the inventory as the worker needs it. Reads are strongly consistent.
type Certificates interface {
	// Certificate loads one entry. Errors: ErrUnknown where there is none.
	Certificate(ctx context.Context, name string) (inventory.Certificate, error)
	// SaveCertificate writes an entry on condition that its Rev is still what was read, and returns it with the next Rev.
	// A repeat of a write that landed although its answer was lost succeeds. Errors: ErrConflict.
	SaveCertificate(ctx context.Context, c inventory.Certificate) (inventory.Certificate, error)
}

// Claim asks for the lease of an issuance.
type Claim struct {
	Key         string // ClaimKey of what is wanted
	Certificate inventory.Certificate
	Owner       string
	Until       time.Time // when the lease ends
	Now         time.Time
	Job         Job
}

// Issuances keeps the issuances that are under way. All writes are compare-and-swap, each survives its own answer being lost.
type Issuances interface {
	// Claim opens the issuance of c.Key for c.Certificate, or takes over the one that is open for it once its lease has ended, with
	// all its progress. Together with it, in one transaction, the certificate's Status.Issuance becomes the key and its Due the end
	// of the lease, so that a killed invocation's certificate is due again by itself. A new issuance keeps the Records of an abandoned
	// one in the same entry. Errors: *Held where another owner, or another certificate, has it; ErrConflict where the certificate changed meanwhile.
	Claim(ctx context.Context, c Claim) (Issuance, inventory.Certificate, error)
	// Progress writes i on condition that its lease is still Owner's with the same Fence and Rev, and returns it with the next Rev.
	// Errors: ErrLost.
	Progress(ctx context.Context, i Issuance) (Issuance, error)
	// Spend writes i and moves the buckets in one transaction, each on condition that it still is what was read; conditions
	// are only checked. Errors: ErrLost; ErrRaced where a bucket moved (nothing is written then).
	Spend(ctx context.Context, i Issuance, writes, conditions []budget.Write) (Issuance, error)
	// Close ends the issuance and writes the certificate in one transaction: Status.Issuance empty, everything else as given. The entry's
	// fence is kept for the next one. Errors: ErrLost, ErrConflict.
	Close(ctx context.Context, i Issuance, c inventory.Certificate) (inventory.Certificate, error)
}

// Budgets is the store of buckets.
type Budgets interface {
	// Buckets reads buckets in one go, strongly consistent; a key without an entry is full and is left out. An entry that
	// can't be understood is an error that names it: an order is never sent on a guess.
	Buckets(ctx context.Context, keys []budget.Key) (map[budget.Key]budget.Bucket, error)
	// MoveBuckets moves buckets one by one, each on condition that it still is what was read. Errors: ErrRaced.
	MoveBuckets(ctx context.Context, writes []budget.Write) error
	// Hear notes the figures that the CA of a directory named of a limit, where they aren't those
	// in force; news says whether they weren't known.
	Hear(ctx context.Context, directory string, n budget.Name, said budget.Limit) (news bool, err error)
	// Limits are the limits in force at a CA: its set, and what the operator overrode.
	Limits(ctx context.Context, directory string) (budget.Limits, error)
}

// Sets remembers when exact sets of names were last issued at a CA, to whichever certificate: an order for one of them is a renewal there.
type Sets interface {
	// SetsIssued reads the moments by the sets' hashes (budget.SetHash), strongly consistent; a set that wasn't issued in
	// budget.SetMemory may be left out.
	SetsIssued(ctx context.Context, ca string, hashes []string) (map[string]time.Time, error)
	// RememberSet writes one down; an earlier moment than what is known changes nothing.
	RememberSet(ctx context.Context, ca, hash string, issued time.Time) error
}

// WorkerLease lets one invocation at a time speak to the CA for a shard.
type WorkerLease interface {
	// AcquireWorker takes the lease until a moment, with a fence that grows with each owner. Taking what one owns already
	// succeeds. Errors: *Held.
	AcquireWorker(ctx context.Context, shard, owner string, now, until time.Time) (fence int64, err error)
	// ReleaseWorker gives it back, with the time that one issuance took as measured on a full batch, 0 where it wasn't measured; the
	// planner goes by that. It is no error if the lease was lost meanwhile; its pace is then lost too.
	ReleaseWorker(ctx context.Context, shard, owner string, fence int64, pace time.Duration) error
}

// Accounts opens the worker's account at a CA.
type Accounts interface {
	// OpenAccount loads the account of a directory from the vault or registers it once: the key is stored before the CA hears of it,
	// the URL after. allow is asked before a registration is sent.
	OpenAccount(ctx context.Context, shard, directory string, allow func(context.Context) error) (CA, error)
}

// CA is one account at one CA. Its errors are of type *Failure, or one of *Denied and ErrReplaced.
// One request is in flight at any time; a wait that doesn't fit the context's deadline is a Later.
type CA interface {
	Orders
	Authorizations
	// Account is the account's URL.
	Account() string
	// FindOrder looks for an order of exactly these names, profile and predecessor, that can still be finalized, in the account's list;
	// found is false where there is none. Errors: ErrNoList where the CA has no list.
	FindOrder(ctx context.Context, o NewOrder) (order Order, found bool, err error)
	// Revoke revokes a certificate (DER) with the number of a CRL reason (RFC 8555, 7.6); revoked before is done.
	Revoke(ctx context.Context, certificate []byte, reason uint) error
	// Profiles are the names of the profiles that orders may ask for, as the directory's meta has them; none where it has none.
	Profiles() []string
	// Identities are the domains by which CAA records mean the CA; none where it doesn't say.
	Identities() []string
}

// Orders are the orders of an account (RFC 8555, 7.4).
type Orders interface {
	// NewOrder sends one newOrder, and another one only where the CA, or what stands before it, refused to look at the first. Errors: *Denied for a 429; ErrReplaced for 409 alreadyReplaced; Unknown where
	// the answer was lost.
	NewOrder(ctx context.Context, o NewOrder) (Order, error)
	// Order looks at an order.
	Order(ctx context.Context, url string) (Order, error)
	// Finalize sends the CSR (DER) of a ready order, once; on any doubt look at the order again.
	Finalize(ctx context.Context, o Order, csr []byte) (Order, error)
	// Download fetches the chain of a valid order, PEM, leaf first; the alternate whose topmost issuer is preferred, if there is one.
	Download(ctx context.Context, o Order, preferred string) ([]byte, error)
}

// Authorizations are the names of an order (RFC 8555, 7.5).
type Authorizations interface {
	// Authorizations fetches them one by one, in the order's order.
	Authorizations(ctx context.Context, o Order) ([]Authorization, error)
	// Accept tells the CA to look at a challenge. It is done where the CA is looking, or has
	// looked, already. retryAfter is how long the CA then asked to be left alone (RFC 8555, 8.2), a
	// day at most; 0 where it didn't say.
	Accept(ctx context.Context, c Challenge) (retryAfter time.Duration, err error)
	// Retire makes the CA forget that the names of a ready order were proved, so that the next order has to prove them again.
	Retire(ctx context.Context, o Order) error
}

// DNS puts challenge values where the CA will look. Errors are of type *Failure.
type DNS interface {
	// Locate says where each value belongs: the provider, the zone, the name after following
	// CNAMEs, but not a wildcard's. It writes nothing.
	Locate(ctx context.Context, d inventory.DNS, challenges []Challenge) ([]Record, error)
	// Permit says whether the CAA records of the names let a CA issue that goes by one of identities. What can't be looked up forbids nothing.
	Permit(ctx context.Context, names, identities []string) error
	// Publish writes the records, all of a zone in one change, beside whatever else stands there, waits until the provider says that its
	// servers agree, and sees to it that the resolvers see them. What is there already isn't written again.
	Publish(ctx context.Context, records []Record) error
	// Remove takes exactly these values away; what isn't there any more is no error.
	Remove(ctx context.Context, records []Record) error
}

// Keys keeps the private key of an issuance in progress where no consumer reads.
type Keys interface {
	// StageKey stores key under the issuance's id, or returns the one that is stored there already: after it, the returned key is safe.
	StageKey(ctx context.Context, i Issuance, key crypto.Signer) (crypto.Signer, error)
	// StagedKey loads it. Errors: ErrNoKey where there is none.
	StagedKey(ctx context.Context, i Issuance) (crypto.Signer, error)
	// DropKey removes it for good; none there is no error.
	DropKey(ctx context.Context, i Issuance) error
}

// Stored is one version of a certificate's secret.
type Stored struct {
	Bundle    bundle.Bundle
	SecretARN string
	VersionID string

	Unnamed bool // the secret names no deployment that it belongs to; only Current tells
}

// Vault keeps certificates where consumers read them.
type Vault interface {
	// Current reads what consumers read now, and whose it is. Errors: ErrNoSecret; ErrNotOurs where
	// it is another deployment's.
	Current(ctx context.Context, name string) (Stored, error)
	// Value is Current for whoever has looked before whose it is: one request less.
	Value(ctx context.Context, name string) (Stored, error)
	// Previous reads what consumers read before. Errors: ErrNoSecret, also where nothing was before.
	Previous(ctx context.Context, name string) (Stored, error)
	// Stage writes b as the pending version of its secret, which no consumer sees, and reads it back; the same issuance
	// staged again is the same version. Where the secret doesn't exist yet its first version is current at once, by the
	// service's own rule, so b must have been verified before.
	Stage(ctx context.Context, i Issuance, b bundle.Bundle) (Stored, error)
	// Promote makes a staged version current and takes its pending label away; done before is done.
	Promote(ctx context.Context, s Stored) error
	// Dress brings the KMS key, the replicas and the tags that are wanted to a certificate's secret; what is there is left alone.
	Dress(ctx context.Context, want inventory.Secret, s Stored) error
}

// Shelf is where certificates are put beside their secret: AWS Certificate Manager.
type Shelf interface {
	// Import makes b the certificate of an ARN that exists; the same again changes nothing.
	Import(ctx context.Context, arn string, b bundle.Bundle) error
}

// RenewalInfo asks a CA when to renew (RFC 9773).
type RenewalInfo interface {
	// Window fetches the suggested window; nil where the CA offers no renewal information.
	Window(ctx context.Context, directory, certID string) (*inventory.Window, error)
}

// Bus carries events out.
type Bus interface {
	Publish(ctx context.Context, events ...event.Event) error
}
