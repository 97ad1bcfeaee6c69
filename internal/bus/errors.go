package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// fail turns an error of a whole call into a failure that says what can be done about it, and which events it was about; others is how
// many beside those of the call aren't on the bus either.
func (b *Bus) fail(ctx context.Context, batch []types.PutEventsRequestEntry, others int, err error) error {
	doing := "publishing " + describe(batch[0])
	if n := len(batch) - 1 + others; n > 0 {
		doing += fmt.Sprintf(" and %d more events", n)
	}
	code := ""
	if api := smithy.APIError(nil); errors.As(err, &api) {
		code = api.ErrorCode()
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return renew.Fail(renew.Later, reason.Deadline, fmt.Errorf("%s: %w", doing, ctx.Err()))
	case ctx.Err() != nil:
		return renew.Fail(renew.Later, reason.Interrupted, fmt.Errorf("%s: %w", doing, ctx.Err()))
	case code == "ResourceNotFoundException":
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: there is no bus %q; mend CERTPACE_EVENT_BUS: %w", doing, b.name, err))
	case denied(code):
		return renew.Fail(renew.Never, reason.PermissionDenied, fmt.Errorf("%s: allow events:PutEvents on the bus %q to the role: %w", doing, b.name, err))
	default:
		return renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("%s: %w", doing, err))
	}
}

func denied(code string) bool {
	switch code {
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken":
		return true
	}
	return strings.Contains(code, "AccessDenied")
}
