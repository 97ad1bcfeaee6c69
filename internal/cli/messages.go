package cli

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/store"
)

type messageStore interface {
	EachMessage(ctx context.Context) iter.Seq2[store.MessageRecord, error]
}

// refusedMessage is one entry in the JSON that status --messages prints; it is stable.
type refusedMessage struct {
	ID      string        `json:"id"`
	At      time.Time     `json:"at"`
	Reason  reason.Reason `json:"reason"`
	Message string        `json:"message"`
	Body    string        `json:"body"`
}

func showMessages(r *run, from messageStore) error {
	all, rows := []refusedMessage{}, []table.Row{}
	for m, err := range from.EachMessage(r) {
		if err != nil {
			return fmt.Errorf("reading the refused messages: %w", err)
		}
		all = append(all, refusedMessage{ID: m.ID, At: m.At.UTC().Truncate(time.Second), Reason: m.Reason, Message: m.Message, Body: m.Body})
		rows = append(rows, table.Row{moment(m.At), m.Reason, m.Message, m.Body})
	}
	if err := r.print(all, table.Row{"at", "reason", "message", "body"}, rows); err != nil {
		return err
	}
	r.say("messages refused in the last 14 days: %d", len(all))
	return nil
}
