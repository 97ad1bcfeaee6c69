package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// writers is how many certificates are written at a time.
const writers = 16

// certificateRecord is an inventory.Certificate with the names of its attributes. The two convert into each other, so a new field there
// doesn't compile until it has a name here.
type certificateRecord struct {
	Name   string             `json:"name"`
	Shard  string             `json:"shard"`
	Wanted inventory.Wanted   `json:"wanted"`
	InUse  *inventory.InUse   `json:"in_use,omitempty"`
	Booked *inventory.Booking `json:"booked,omitempty"`
	Status inventory.Status   `json:"status"`
	Rev    int64              `json:"rev"`

	Followups []inventory.Followup `json:"followups,omitempty"`
}

// attrStatus is the map of a record whose members are attributes of the item itself: they are what one looks for in a list.
const attrStatus = "status"

// certificateFields are the attributes of a certificate's item that don't belong to its status.
var certificateFields = map[string]bool{"name": true, "shard": true, "wanted": true, "in_use": true, "booked": true, "rev": true, "followups": true}

// Certificate loads one entry, strongly consistent. Errors: renew.ErrUnknown where there is none; entry.Corrupt.
func (s *Store) Certificate(ctx context.Context, name string) (inventory.Certificate, error) {
	it, err := s.get(ctx, itemKey(s.shard, kindCertificate, name))
	if err != nil {
		return inventory.Certificate{}, err
	}
	if it == nil {
		return inventory.Certificate{}, fmt.Errorf("loading %s: %w", name, renew.ErrUnknown)
	}
	c, err := certificateOf(it)
	if err != nil {
		s.countUnread() // whoever asked logs it
	}
	return c, err
}

// SaveCertificate writes an entry on condition that its Rev is still what was read (0: that there is none), and returns it with the next
// Rev. A repeat of a write that landed succeeds. Errors: renew.ErrConflict.
func (s *Store) SaveCertificate(ctx context.Context, c inventory.Certificate) (inventory.Certificate, error) {
	next := s.nextCertificate(c)
	put, err := s.certificatePut(next, entry.Token(certificateRecord(next)))
	if err != nil {
		return inventory.Certificate{}, err
	}
	if next.InUse == nil {
		err = s.put(ctx, "saving "+c.Name, put, renew.ErrConflict)
	} else {
		err = s.putWithEnd(ctx, "saving "+c.Name, put, &next)
	}
	if err != nil {
		return inventory.Certificate{}, err
	}
	return next, nil
}

// putWithEnd writes an entry and the end of what it has in use, in one transaction.
func (s *Store) putWithEnd(ctx context.Context, doing string, put *types.Put, next *inventory.Certificate) error {
	end, err := s.endPut(next)
	if err != nil {
		return err
	}
	token := stringOf(put.Item, attrToken)
	failed, err := s.commit(ctx, doing, token, append([]types.TransactWriteItem{putAction(put)}, end...)...)
	if err != nil || failed == nil {
		return err
	}
	there, err := s.get(ctx, stringOf(put.Item, attrKey))
	if err != nil {
		return err
	}
	if stringOf(there, attrToken) != token { // else it landed before, and its answer was lost
		return fmt.Errorf("%s: %w", doing, renew.ErrConflict)
	}
	return nil
}

// saveAlone writes an entry without its end.
func (s *Store) saveAlone(ctx context.Context, c inventory.Certificate) error {
	next := s.nextCertificate(c)
	put, err := s.certificatePut(next, entry.Token(certificateRecord(next)))
	if err != nil {
		return err
	}
	return s.put(ctx, "saving "+c.Name, put, renew.ErrConflict)
}

// SaveCertificates writes entries, each as SaveCertificate does but for the list of ends, which
// stays as it is, many at a time. It returns the names of those that somebody else had changed,
// which were left alone. Errors: *plan.Unwritten where all others are written; any other means that
// the rest is not known to be.
func (s *Store) SaveCertificates(ctx context.Context, cs []inventory.Certificate) (conflicts []string, err error) {
	var mu sync.Mutex
	lost, own := make(map[int]bool), make(map[int]error)
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for n, c := range cs {
		g.Go(func() error {
			err := s.saveAlone(inner, c)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case isConflict(err):
				lost[n] = true
			case isOwn(err):
				own[n] = err
			default:
				return err
			}
			return nil
		})
	}
	err = g.Wait()
	var bad *plan.Unwritten
	for n, c := range cs {
		if lost[n] {
			conflicts = append(conflicts, c.Name)
		}
		if own[n] != nil {
			bad = bad.With(c.Name, own[n])
		}
	}
	if err == nil && bad != nil {
		err = bad
	}
	return conflicts, err
}

// nextCertificate is what is written for c.
func (s *Store) nextCertificate(c inventory.Certificate) inventory.Certificate {
	next := entry.Certificate(c)
	next.Shard = s.home(c.Shard)
	next.Rev++
	return next
}

// certificatePut writes next on condition that the entry is of the Rev before.
func (s *Store) certificatePut(next inventory.Certificate, token string) (*types.Put, error) {
	it, err := encode(certificateRecord(next))
	if err != nil {
		return nil, err
	}
	for k, v := range it[attrStatus].(*types.AttributeValueMemberM).Value {
		it[k] = v
	}
	delete(it, attrStatus)
	f := frame{
		pk:  itemKey(next.Shard, kindCertificate, next.Name),
		due: partition(next.Shard, kindCertificate), dueAt: next.Status.Due, token: token,
	}
	return s.conditional(f.wrap(it), ofRev(next.Rev-1)), nil
}

func certificateOf(it item) (inventory.Certificate, error) {
	gathered, status := item{}, item{}
	for k, v := range it {
		switch {
		case certificateFields[k], isFrame(k):
			gathered[k] = v
		default:
			status[k] = v
		}
	}
	gathered[attrStatus] = &types.AttributeValueMemberM{Value: status}
	var r certificateRecord
	if err := read(gathered, &r); err != nil {
		return inventory.Certificate{}, err
	}
	if r.Name == "" || r.Rev < 1 {
		return inventory.Certificate{}, entry.Unreadable(stringOf(it, attrKey), fmt.Errorf("name %q, rev %d: every certificate has a name and a revision from 1 up", r.Name, r.Rev))
	}
	return entry.Copy(inventory.Certificate(r)), nil
}
