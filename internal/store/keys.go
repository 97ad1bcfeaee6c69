package store

import (
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store/entry"
)

// allShards stands in a key for the shard where the CA counts over all accounts.
const allShards = "*"

// The kinds of item, as their keys name them.
const (
	kindCertificate = "certificate"
	kindIssuance    = "issuance"
	kindBucket      = "bucket"
	kindLimits      = "limits"
	kindMessage     = "message"
	kindWorker      = "worker"
	kindCalendar    = "calendar"
	kindWatch       = "watch"
	kindNotes       = "notes"
	kindSet         = "set"
	kindEnd         = "end"
)

// partition is the hash key of a kind in the due index, and the beginning of its items' keys.
func partition(shard, kind string) string { return shard + "#" + kind }

func itemKey(shard, kind, id string) string { return partition(shard, kind) + "#" + id }

// home is the shard that an entry belongs to: its own, or where it names none the store's.
func (s *Store) home(shard string) string {
	if shard == "" {
		return s.shard
	}
	return shard
}

// bucketShard is the shard part of a bucket's keys.
func (s *Store) bucketShard(k budget.Key) string {
	if k.Shared() {
		return allShards
	}
	return s.shard
}

// place says in which item, and in which attribute of it, a bucket is kept.
func (s *Store) place(k budget.Key) (pk, attribute string) {
	id, attribute := entry.BucketItem(k)
	return itemKey(s.bucketShard(k), kindBucket, id), attribute
}
