package memory_test

import (
	"sync/atomic"
	"testing"

	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/store/storetest"
)

// writes are the operations whose answer a test can lose.
var writes = map[string]bool{
	"SaveCertificate": true, "SaveCertificates": true, "Claim": true, "Progress": true, "Spend": true, "Close": true,
	"MoveBuckets": true, "AcquireWorker": true, "ReleaseWorker": true, "SetLimits": true, "RecordMessage": true,
	"Book": true, "SaveWatches": true, "SaveNotes": true, "RememberSet": true,
}

func backend(*testing.T) storetest.Backend {
	shard, now := storetest.Unique("s"), storetest.Noon()
	s := memory.New(shard)
	s.Now = storetest.Noon
	var lose atomic.Int64
	s.Fault = func(op string, _ ...any) memory.Verdict {
		if writes[op] && lose.Add(-1) >= 0 {
			return memory.FailAfter
		}
		return memory.Pass
	}
	return storetest.Backend{
		Store: s, Shard: shard, CA: storetest.Unique("ca-") + ".example", Now: now,
		Lose:              func(n int) { lose.Store(int64(n)) },
		DamageCertificate: s.DamageCertificate, DamageBucket: s.DamageBucket,
	}
}

func TestStore(t *testing.T) { storetest.Run(t, backend) }

func TestStoreAnswersAsTheModelSays(t *testing.T) { storetest.Walk(t, backend) }

func TestTheCalendarCountsWhatIsBooked(t *testing.T) { storetest.Book(t, backend) }
