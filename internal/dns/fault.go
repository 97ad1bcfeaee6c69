package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// fault is what an answer of Route 53 means for what to do next.
type fault int

const (
	none    fault = iota
	raced         // nothing was done: what was read is no longer so
	blocked       // nothing was done: what stands at the name can't stand beside a value
	busy          // nothing was done: ask again in a moment
	denied        // nothing was done: the role may not
	missing       // nothing was done: no such zone, or the name isn't in it
	refused       // nothing was done, and the same request would be refused again
	unclear       // it may have been done: read again
	over          // the context ended; it may have been done
)

var (
	deniedCodes = []string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "UnrecognizedClientException",
		"InvalidClientTokenId", "SignatureDoesNotMatch", "MissingAuthenticationToken", "OptInRequired"}
	// unclearCodes say nothing about the request: AWS's own trouble, and credentials that are about to be renewed.
	unclearCodes = []string{"InternalError", "InternalFailure", "InternalServerError", "ServiceUnavailable", "RequestTimeout",
		"ExpiredToken", "ExpiredTokenException"}
)

// judge reads an answer. ctx is the one that the request was made with.
func judge(ctx context.Context, err error) fault {
	if err == nil {
		return none
	}
	if ctx.Err() != nil {
		return over
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return unclear
	}
	code := api.ErrorCode()
	_, throttled := retry.DefaultThrottleErrorCodes[code] // PriorRequestNotComplete is one of them
	switch {
	case throttled:
		return busy
	case code == "InvalidChangeBatch":
		return judgeBatch(words(err))
	case code == "NoSuchHostedZone":
		return missing
	case slices.Contains(deniedCodes, code):
		return denied
	case slices.Contains(unclearCodes, code), api.ErrorFault() == smithy.FaultServer:
		return unclear
	}
	return refused
}

// judgeBatch tells why a batch was refused. Only Route 53's text says it.
func judgeBatch(text string) fault {
	switch {
	case strings.Contains(text, "is not permitted in zone"):
		return missing
	case strings.Contains(text, "Tried to "):
		return raced
	case strings.Contains(text, "SetIdentifier"), strings.Contains(text, "conflicting RRSet of type"), strings.Contains(text, "conflicts with other records"):
		return blocked
	}
	return refused
}

// words is what Route 53 said; the messages of InvalidChangeBatch are beside its error's text.
func words(err error) string {
	text := err.Error()
	var batch *types.InvalidChangeBatch
	if errors.As(err, &batch) && len(batch.Messages) > 0 {
		text += ": " + strings.Join(batch.Messages, "; ")
	}
	return text
}

// failure makes the failure of a request that is given up. action is its IAM name; role is empty for the worker's own.
func failure(f fault, action, role string, err error) *renew.Failure {
	err = &spoken{words(err), err}
	switch f {
	case denied:
		return renew.Fail(renew.Never, reason.PermissionDenied, fmt.Errorf("AWS denies %s to %s: allow it in its policy: %w", deniedAction(action, err), roleName(role), err))
	case blocked:
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: %w; remove what stands there, or make it a simple record set of type TXT", action, err))
	case missing:
		return renew.Fail(renew.Never, reason.ZoneNotFound, fmt.Errorf("%s: %w", action, err))
	default:
		return renew.Fail(renew.Later, reason.DNSWriteFailed, fmt.Errorf("%s: %w", action, err))
	}
}

// spoken is an error with all that AWS said in its text.
type spoken struct {
	text string
	err  error
}

func (s *spoken) Error() string { return s.text }
func (s *spoken) Unwrap() error { return s.err }

func roleName(role string) string {
	if role == "" {
		return "the worker's role"
	}
	return role
}

// deniedAction is the action of the innermost request that failed: getting credentials, which is a request of its own, may be
// what was denied.
func deniedAction(action string, err error) string {
	for op := (*smithy.OperationError)(nil); errors.As(err, &op); err = op.Err {
		action = strings.ToLower(strings.ReplaceAll(op.ServiceID, " ", "")) + ":" + op.OperationName
	}
	return action
}
