package witness

import (
	"context"
	"errors"
	"sync"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/store"
)

// Neighbour is another deployment in a lab, watched as the lab's own is. Nothing feeds its worker but who holds it.
type Neighbour struct {
	*World
	end func() error
}

// Beside makes a neighbour of a name that isn't in use. One that nobody ends is ended with the world.
func (w *World) Beside(ctx context.Context, name string, o lab.BesideOptions) (*Neighbour, error) {
	cloud, err := w.Cloud.Beside(ctx, name, o)
	if err != nil {
		return nil, err
	}
	n := &Neighbour{World: &World{Cloud: cloud, Table: store.New(cloud.DynamoDB, cloud.TableName, app.Shard)}}
	unwatch := n.AWS.Before(func(c emulator.Call) emulator.Verdict {
		if c.Key != cloud.AccessKey {
			return emulator.Pass
		}
		return n.keys.watch(c)
	})
	n.end = sync.OnceValue(func() error {
		keys, err := n.keys.all()
		if err == nil {
			err = n.leaks(keys)
		}
		unwatch()
		return errors.Join(err, n.Close())
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.neighbours = append(w.neighbours, n)
	return n, nil
}

// At is the same deployment as a CA sees it that isn't its first one.
func (w *World) At(second *ca.CA) *World {
	cloud := *w.Cloud
	cloud.CA, cloud.Directory = second, second.DirectoryURL()
	return &World{Cloud: &cloud, Table: w.Table}
}

// End holds that none of its keys was printed, and ends it, once.
func (n *Neighbour) End() error { return n.end() }
