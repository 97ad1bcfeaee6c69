package store

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// slotKept is how long after its lease a closed entry is remembered for its fence. A fence begins at the clock where none is
// remembered, so it doesn't go back then either.
const slotKept = 30 * 24 * time.Hour

// issuanceRecord is a renew.Issuance with the names of its attributes. The two convert into each other, so a new field there doesn't compile
// until it has a name here.
type issuanceRecord struct {
	Key         string           `json:"key"`
	ID          string           `json:"id"`
	Shard       string           `json:"shard"`
	Certificate string           `json:"certificate"`
	Owner       string           `json:"owner"`
	Fence       int64            `json:"fence"`
	Until       time.Time        `json:"until"`
	Hold        time.Time        `json:"hold"`
	Rev         int64            `json:"rev"`
	Job         renew.Job        `json:"job"`
	Wanted      inventory.Wanted `json:"wanted"`
	Opened      time.Time        `json:"opened"`
	Attempt     int              `json:"attempt"`
	IssuedBy    time.Time        `json:"issued_by"`
	Paid        []budget.Paid    `json:"paid"`
	Sent        bool             `json:"sent"`
	Account     string           `json:"account"`
	Replaces    string           `json:"replaces"`
	OrderURL    string           `json:"order_url"`
	Told        []string         `json:"told,omitempty"`
	ToldAt      time.Time        `json:"told_at"`
	Records     []renew.Record   `json:"records,omitempty"`
	Orphans     []renew.Orphan   `json:"orphans,omitempty"`
	Rehearsal   string           `json:"rehearsal,omitempty"`
	Rehearsed   bool             `json:"rehearsed,omitempty"`
	Finalized   bool             `json:"finalized"`
	IssuedAt    time.Time        `json:"issued_at"`
	Result      *inventory.InUse `json:"result,omitempty"`
}

// closedRecord is what a closed issuance leaves behind.
type closedRecord struct {
	Key    string `json:"key"`
	Fence  int64  `json:"fence"`
	Closed bool   `json:"closed"`
}

const attrClosed = "closed"

// EachIssuance lists the shard's open issuances, the one whose lease ends first first. It may lag a moment behind writes. An entry that
// can't be understood is an error, and the listing goes on after it.
func (s *Store) EachIssuance(ctx context.Context) iter.Seq2[renew.Issuance, error] {
	return each(s.due(ctx, span{partition: partition(s.shard, kindIssuance), from: math.MinInt64, to: math.MaxInt64}), issuanceOf)
}

// Progress writes i on condition that its lease is still Owner's with the same Fence and Rev, and returns it with the next Rev. A repeat
// of a write that landed succeeds. Errors: renew.ErrLost.
func (s *Store) Progress(ctx context.Context, i renew.Issuance) (renew.Issuance, error) {
	next := s.nextIssuance(i)
	put, err := s.issuancePut(next, entry.Token(issuanceRecord(next)), heldBy(i))
	if err != nil {
		return renew.Issuance{}, err
	}
	if err := s.put(ctx, "writing down the issuance of "+i.Certificate, put, renew.ErrLost); err != nil {
		return renew.Issuance{}, err
	}
	return next, nil
}

// slot is an entry and the token of its last write.
type slot struct {
	entry.Slot
	token string
}

// slotOf loads an entry; one that isn't there is the zero slot.
func (s *Store) slotOf(ctx context.Context, shard, key string) (slot, error) {
	it, err := s.get(ctx, itemKey(shard, kindIssuance, key))
	if err != nil || it == nil {
		return slot{}, err
	}
	token := stringOf(it, attrToken)
	if _, closed := it[attrClosed]; closed {
		var r closedRecord
		err := read(it, &r)
		return slot{Slot: entry.Slot{Fence: r.Fence}, token: token}, err
	}
	i, err := issuanceOf(it)
	return slot{Slot: entry.Slot{Fence: i.Fence, Open: &i}, token: token}, err
}

func (s *Store) nextIssuance(i renew.Issuance) renew.Issuance {
	next := entry.Copy(i)
	next.Shard = s.home(i.Shard)
	next.Rev++
	return next
}

func (s *Store) issuancePut(next renew.Issuance, token string, c condition) (*types.Put, error) {
	it, err := encode(issuanceRecord(next))
	if err != nil {
		return nil, err
	}
	f := frame{
		pk:  itemKey(next.Shard, kindIssuance, next.Key),
		due: partition(next.Shard, kindIssuance), dueAt: next.Until, token: token,
	}
	return s.conditional(f.wrap(it), c), nil
}

// closedPut leaves nothing of i but its fence.
func (s *Store) closedPut(i renew.Issuance, token string) (*types.Put, error) {
	it, err := encode(closedRecord{Key: i.Key, Fence: i.Fence, Closed: true})
	if err != nil {
		return nil, err
	}
	f := frame{pk: itemKey(s.home(i.Shard), kindIssuance, i.Key), expires: i.Until.Add(slotKept), token: token}
	return s.conditional(f.wrap(it), heldBy(i)), nil
}

// heldBy holds where the entry is still as its owner wrote it last.
func heldBy(i renew.Issuance) condition {
	return condition{
		"#owner = :owner AND #fence = :fence AND #rev = :rev",
		map[string]string{"#owner": "owner", "#fence": "fence", "#rev": "rev"},
		item{":owner": text(i.Owner), ":fence": number(i.Fence), ":rev": number(i.Rev)},
	}
}

// asRead holds where the entry is still as it was read.
func (s slot) asRead() condition {
	switch {
	case s.Open != nil:
		return heldBy(*s.Open)
	case s.Fence == 0:
		return absent()
	}
	return condition{
		"#closed = :closed AND #fence = :fence", map[string]string{"#closed": attrClosed, "#fence": "fence"},
		item{":closed": &types.AttributeValueMemberBOOL{Value: true}, ":fence": number(s.Fence)},
	}
}

func issuanceOf(it item) (renew.Issuance, error) {
	var r issuanceRecord
	if err := read(it, &r); err != nil {
		return renew.Issuance{}, err
	}
	if r.Key == "" || r.Certificate == "" {
		return renew.Issuance{}, entry.Unreadable(stringOf(it, attrKey), fmt.Errorf("key or certificate: missing"))
	}
	return entry.Copy(renew.Issuance(r)), nil
}
