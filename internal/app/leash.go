package app

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Leash lets requests out until a moment, and none after it. A process may be frozen for any time
// between two instructions, and goes on as if none had passed: contexts count by the monotonic
// clock, which may stand still meanwhile. The wall clock doesn't, so it is asked just before each
// request is sent. What goes on after its invocation's end has no lease any more, and may undo what
// another one did.
type Leash struct {
	Now func() time.Time

	end atomic.Int64 // Unix nanoseconds; 0 for none
}

// Until sets the moment. The zero time takes the leash off.
func (l *Leash) Until(end time.Time) {
	if end.IsZero() {
		l.end.Store(0)
		return
	}
	l.end.Store(end.UnixNano())
}

// Err is the failure of what would be sent now, nil while that may be. It is interrupted: another
// invocation goes on.
func (l *Leash) Err() error {
	end := l.end.Load()
	if end == 0 || l.Now().UnixNano() < end {
		return nil
	}
	return renew.Fail(renew.Later, reason.Interrupted, fmt.Errorf("nothing is sent any more: the invocation ended at %s", time.Unix(0, end).UTC().Format(time.RFC3339)))
}

// AWS is cfg with every request of its clients on the leash, each repeat too.
func (l *Leash) AWS(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	cfg.APIOptions = append(cfg.APIOptions[:len(cfg.APIOptions):len(cfg.APIOptions)], func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Leash", func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			if err := l.Err(); err != nil {
				return middleware.DeserializeOutput{}, middleware.Metadata{}, err
			}
			return next.HandleDeserialize(ctx, in)
		}), middleware.After)
	})
	return cfg
}

// HTTP is network on the leash.
func (l *Leash) HTTP(network http.RoundTripper) http.RoundTripper { return leashed{l, network} }

type leashed struct {
	*Leash
	network http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (l leashed) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := l.Err(); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a transport must, whatever it answers
		}
		return nil, err
	}
	return l.network.RoundTrip(req)
}

// CloseIdleConnections passes on what http.Client and others ask a transport for.
func (l leashed) CloseIdleConnections() {
	if n, ok := l.network.(interface{ CloseIdleConnections() }); ok {
		n.CloseIdleConnections()
	}
}
