package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// call is one request to Secrets Manager, for the error that may come of it.
type call struct {
	doing  string // gerund and object: "writing secret certpace/www"
	action string // the IAM action that it needs, without its service
	name   string // the secret's name or ARN
	hide   string // the private key that was sent
}

// errMarked is in the error of every call on a secret that waits for its deletion.
var errMarked = errors.New("it is marked for deletion")

func isNotFound(err error) bool {
	var e *types.ResourceNotFoundException
	return errors.As(err, &e)
}

func isExists(err error) bool {
	var e *types.ResourceExistsException
	return errors.As(err, &e)
}

// isDeleted says whether the secret is marked for deletion. The service has one code for all that a secret's state forbids; its words
// differ from call to call and all name the deletion.
func isDeleted(err error) bool {
	var e *types.InvalidRequestException
	if !errors.As(err, &e) {
		return false
	}
	m := strings.ToLower(e.ErrorMessage())
	return !strings.Contains(m, "kms") && (strings.Contains(m, "deletion") || strings.Contains(m, "marked deleted"))
}

// isKeyOff says whether it is the KMS key's own state that keeps a secret from being read or
// written: disabled, waiting for its deletion, or gone. Secrets Manager passes on what KMS says, or
// has two codes of its own.
func isKeyOff(code, words string) bool {
	if code == "EncryptionFailure" || code == "DecryptionFailure" {
		return true
	}
	w := strings.ToLower(code + " " + words)
	if !strings.Contains(w, "kms") {
		return false
	}
	for _, state := range []string{"disabled", "pending deletion", "pendingdeletion", "invalid state", "kmsinvalidstate", "not enabled", "unavailable"} {
		if strings.Contains(w, state) {
			return true
		}
	}
	return false
}

// fail turns the service's error into a failure that says what can be done about it. Nothing of the value that was sent gets
// into it, whatever the service answered: the cause isn't wrapped, and its words are dropped where they repeat key material.
func (c call) fail(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		r := reason.Interrupted
		if errors.Is(cause, context.DeadlineExceeded) {
			r = reason.Deadline
		}
		return renew.Fail(renew.Later, r, fmt.Errorf("%s: %w", c.doing, cause))
	}
	if isDeleted(err) {
		return c.deleted()
	}
	code, words := c.words(err)
	if isKeyOff(code, words) {
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: its KMS key can't be used as it is (%s); look with `aws kms describe-key`, then "+
			"`aws kms enable-key`, or `aws kms cancel-key-deletion` and enable it", c.doing, words))
	}
	switch kindOf(code) {
	case denied:
		return c.denied(code, words)
	case forbidden:
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: %s", c.doing, words))
	default:
		return renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("%s: %s", c.doing, words))
	}
}

func (c call) deleted() error {
	return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf(
		"%s: %w; bring it back with `aws secretsmanager restore-secret --secret-id %s`", c.doing, errMarked, c.name))
}

func (c call) denied(code, words string) error {
	if strings.Contains(strings.ToLower(words), "kms") {
		return renew.Fail(renew.Never, reason.PermissionDenied, fmt.Errorf(
			"%s: its KMS key may not be used; allow kms:GenerateDataKey and kms:Decrypt to the role, here and in the key's policy (%s)", c.doing, words))
	}
	return renew.Fail(renew.Never, reason.PermissionDenied, fmt.Errorf(
		"%s: %s; allow secretsmanager:%s on %s to the role (%s)", c.doing, code, c.action, c.name, words))
}

type errorKind int

const (
	passing   errorKind = iota // throttling, outages, quotas, the network, and what isn't known
	denied                     // an IAM action is missing, or the credentials aren't good
	forbidden                  // the request can't succeed before a person changed something
)

func kindOf(code string) errorKind {
	switch code {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "UnrecognizedClientException",
		"InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "MissingAuthenticationToken":
		return denied
	case "InvalidRequestException", "InvalidParameterException", "ValidationException",
		"MalformedPolicyDocumentException", "PublicPolicyException":
		return forbidden
	default:
		return passing
	}
}

// words are the error's code and text on one line, fit to be logged.
func (c call) words(err error) (code, words string) {
	var api smithy.APIError
	if errors.As(err, &api) {
		code, words = api.ErrorCode(), api.ErrorMessage()
	} else {
		words = err.Error()
	}
	if c.leaks(code + " " + words) {
		return "an error", "its text is withheld because it repeats the secret"
	}
	if code != "" {
		words = code + ": " + words
	}
	return code, strings.Join(strings.Fields(words), " ")
}

// leakLength is how many characters of a key in a row make a text unfit to be shown. PEM's own words are shorter, or are matched whole.
const leakLength = 12

// leaks says whether text repeats key material, also where it was cut or its line breaks were escaped.
func (c call) leaks(text string) bool {
	if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "private_key") {
		return true
	}
	key, text := squeeze(c.hide), squeeze(text)
	for i := 0; i+leakLength <= len(text); i++ {
		if strings.Contains(key, text[i:i+leakLength]) {
			return true
		}
	}
	return false
}

// squeeze leaves the characters of base64 only, and takes JSON's escaped line breaks out before.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '=' {
			return r
		}
		return -1
	}, strings.ReplaceAll(s, `\n`, ""))
}
