package fleetfile

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

var (
	regionPattern = regexp.MustCompile(`^[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}$`)
	keyIDPattern  = regexp.MustCompile(`^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`)
	aliasPattern  = regexp.MustCompile(`^alias/[A-Za-z0-9/_-]{1,250}$`)
	kmsARNPattern = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(.+)$`)
)

func (r *reader) kmsKey(to *string) field {
	return func(at place, n ast.Node) {
		s, ok := r.filled(at, n)
		if !ok {
			return
		}
		bare := withoutARN(s)
		if !keyIDPattern.MatchString(bare) && !aliasPattern.MatchString(bare) {
			r.fault(at, "%.140q is no KMS key; write its ARN, its id, or its alias (alias/name)", s)
			return
		}
		*to = s
	}
}

// withoutARN is a KMS key's id, or its alias, whichever way it was named.
func withoutARN(s string) string {
	m := kmsARNPattern.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	if id, found := strings.CutPrefix(m[1], "key/"); found {
		return id
	}
	return m[1]
}

// everyRegion says whether a key can be named in another region too. An alias can, where that region has it.
func everyRegion(key string) bool {
	bare := withoutARN(key)
	return strings.HasPrefix(bare, "mrk-") || strings.HasPrefix(bare, "alias/")
}
