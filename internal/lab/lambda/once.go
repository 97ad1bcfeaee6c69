package lambda

import (
	"context"
	"fmt"
)

// Once does what a poller of a mapping does between two questions to the queue: it gathers one batch and delivers it. some is false where the
// queue had nothing.
func Once(ctx context.Context, options MappingOptions) (b Batch, some bool, err error) {
	o, err := options.withDefaults()
	if err != nil {
		return Batch{}, false, fmt.Errorf("delivering a batch: %w", err)
	}
	visibility, err := visibilityTimeout(ctx, o)
	if err != nil {
		return Batch{}, false, fmt.Errorf("delivering a batch: %w", err)
	}
	m := &Mapping{options: o, visibility: visibility, stopping: make(chan struct{})}
	h, err := m.gather(ctx)
	if len(h.messages) == 0 {
		return Batch{}, false, err
	}
	return m.deliver(ctx, h), true, err
}
