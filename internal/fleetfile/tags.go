package fleetfile

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// Rules of AWS for a secret's tags: 50 in all, of which certpace writes six itself.
const (
	maxTags     = 44
	maxTagKey   = 128
	maxTagValue = 256
)

// ownTags are those that certpace writes on every secret.
var ownTags = []string{"serial", "not_after", "key_type", "ari_cert_id", "schema_version", "certpace:deployment"}

var tagPattern = regexp.MustCompile(`^[\pL\pN\pZ_.:/=+\-@]*$`)

func (r *reader) tags(to *map[string]string) field {
	return func(at place, n ast.Node) {
		tags := map[string]string{}
		r.mapping(at, n, func(key string, at place, v ast.Node) { r.tag(at, key, v, tags) })
		if len(tags) > maxTags {
			r.fault(at, "%d tags; a secret takes %d beside certpace's own, remove some", len(tags), maxTags)
		}
		if len(tags) > 0 {
			*to = tags
		}
	}
}

func (r *reader) tag(at place, key string, n ast.Node, to map[string]string) {
	if fault := tagKeyFault(key); fault != "" {
		r.fault(at, "%s", fault)
		return
	}
	if isNull(n) {
		r.fault(at, "has no value; write one, or \"\"")
		return
	}
	value, ok := r.text(at, n)
	switch {
	case !ok:
	case utf8.RuneCountInString(value) > maxTagValue:
		r.fault(at, "the value has %d characters; a tag's value has at most %d", utf8.RuneCountInString(value), maxTagValue)
	case !tagPattern.MatchString(value):
		r.fault(at, "%.80q has characters that AWS refuses in a tag; use letters, digits, spaces and _.:/=+-@", value)
	default:
		to[key] = value
	}
}

func tagKeyFault(key string) string {
	switch {
	case key == "" || utf8.RuneCountInString(key) > maxTagKey:
		return "a tag's key has 1 to 128 characters"
	case !tagPattern.MatchString(key):
		return "the key has characters that AWS refuses in a tag; use letters, digits, spaces and _.:/=+-@"
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return "keys that begin with aws: belong to AWS; choose another"
	case slices.Contains(ownTags, key):
		return "certpace writes this tag itself; choose another key"
	}
	return ""
}
