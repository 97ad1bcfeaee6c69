package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// failure gives an error of the client its kind and its reason. doing says what was being done.
func failure(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ended := entry.Ended(ctx, doing, err); ended != nil {
		return ended
	}
	switch {
	case isDenied(err):
		return renew.Fail(renew.Never, reason.PermissionDenied, fmt.Errorf("%s: the role may not %s on the table: %w", doing, action(err), err))
	case isNoTable(err):
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: the table isn't there; check CERTPACE_TABLE and the region: %w", doing, err))
	}
	return renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("%s: %w", doing, err))
}

func isDenied(err error) bool {
	switch code(err) {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
		return true
	}
	return false
}

func isNoTable(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// errKnown says that what was to be written down is known already.
var errKnown = errors.New("it is known already")

func isConflict(err error) bool { return errors.Is(err, renew.ErrConflict) }

func isLost(err error) bool { return errors.Is(err, renew.ErrLost) }

func isKnown(err error) bool { return errors.Is(err, errKnown) }

func isCorrupt(err error) bool {
	var c *entry.Corrupt
	return errors.As(err, &c)
}

// isOwn says whether a write failed by what was to be written, such as an item above 400 KB, and
// not by the table or the way to it.
func isOwn(err error) bool {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) {
		return code(err) == "ValidationException"
	}
	return slices.ContainsFunc(c.CancellationReasons, func(r types.CancellationReason) bool {
		return r.Code != nil && *r.Code == "ValidationError"
	})
}

// action is the IAM action of the call that failed.
func action(err error) string {
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return "dynamodb:" + op.Operation()
	}
	return "do this"
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// refused says whether a write's condition didn't hold, and gives the item that was there instead.
func refused(err error) (there item, ok bool) {
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return failed.Item, true
	}
	return nil, false
}

// cancelled lists which actions of a transaction had a condition that didn't hold; ok is false where the transaction failed otherwise.
func cancelled(err error) (failed []int, ok bool) {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) {
		return nil, false
	}
	for i, r := range c.CancellationReasons {
		if r.Code != nil && *r.Code == "ConditionalCheckFailed" {
			failed = append(failed, i)
		}
	}
	return failed, failed != nil
}

// passing says whether the same request may well succeed in a moment. The SDK repeats throttled requests and lost answers by itself,
// but not a transaction that met another one.
func passing(err error) bool {
	var c *types.TransactionCanceledException
	if errors.As(err, &c) {
		for _, r := range c.CancellationReasons {
			if r.Code != nil && passingCode(*r.Code) {
				return true
			}
		}
		return false
	}
	return passingCode(code(err))
}

func passingCode(code string) bool {
	switch code {
	case "TransactionConflict", "TransactionConflictException", "TransactionInProgressException",
		"ThrottlingError", "ThrottlingException", "ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException", "RequestLimitExceeded":
		return true
	}
	return false
}
