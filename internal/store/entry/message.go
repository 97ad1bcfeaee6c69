package entry

import (
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// MessageKept is how long a refused message is remembered.
const MessageKept = 14 * 24 * time.Hour

// maxBody is how many characters of a refused message's body are kept: enough to recognise its sender.
const maxBody = 256

// MessageRecord is a message that was acknowledged without being carried out.
type MessageRecord struct {
	ID      string        `json:"id"`      // the queue's
	Reason  reason.Reason `json:"reason"`  // one of reason.Messages
	Message string        `json:"message"` // what is wrong and how to mend it
	Body    string        `json:"body"`    // its first 256 characters
	At      time.Time     `json:"at"`
}

// Message is m as it is kept. An error says which field can't be.
func Message(m MessageRecord) (MessageRecord, error) {
	if m.ID == "" || len(m.ID) > 256 {
		return MessageRecord{}, misfit(fmt.Errorf("message id: %.40q must have 1 to 256 bytes; use the queue's", m.ID))
	}
	if m.At.IsZero() {
		return MessageRecord{}, misfit(fmt.Errorf("message %s: at: missing; say when it was refused", m.ID))
	}
	m = Copy(m)
	m.Body, m.Message = clip(m.Body, maxBody), clip(m.Message, MaxMessage)
	return m, nil
}
