package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// fail turns an error of SQS into a failure that says what can be done about it.
func fail(ctx context.Context, doing, action string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return renew.Fail(renew.Later, reason.Deadline, fmt.Errorf("%s: %w", doing, ctx.Err()))
	case ctx.Err() != nil:
		return renew.Fail(renew.Later, reason.Interrupted, fmt.Errorf("%s: %w", doing, ctx.Err()))
	case isMissing(err):
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: there is no such queue; mend CERTPACE_QUEUE_URL: %w", doing, err))
	case isDenied(err):
		return renew.Fail(renew.Never, reason.PermissionDenied, fmt.Errorf("%s: allow sqs:%s on the queue to the role: %w", doing, action, err))
	default:
		return renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("%s: %w", doing, err))
	}
}

func isMissing(err error) bool {
	var missing *types.QueueDoesNotExist
	var address *types.InvalidAddress
	return errors.As(err, &missing) || errors.As(err, &address)
}

func isDenied(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch code := api.ErrorCode(); code {
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSecurity", "SignatureDoesNotMatch", "MissingAuthenticationToken":
		return true
	default:
		return strings.Contains(code, "AccessDenied")
	}
}
