package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/store/entry"
)

// frame is what every item has round its record.
type frame struct {
	pk      string
	due     string    // partition of the due index; used where dueAt is set
	dueAt   time.Time // zero: not in the index
	expires time.Time // zero: kept for good
	token   string
}

// wrap puts the frame round the attributes of a record.
func (f frame) wrap(attributes item) item {
	attributes[attrKey] = text(f.pk)
	attributes[attrSchema] = number(SchemaVersion)
	attributes[attrToken] = text(f.token)
	if !f.dueAt.IsZero() {
		attributes[attrDueKey], attributes[attrDueAt] = text(f.due), number(f.dueAt.UnixMilli())
	}
	if !f.expires.IsZero() {
		attributes[TTLAttribute] = number(f.expires.Unix())
	}
	return attributes
}

// split is the frame as an update needs it: the item's key, and the attributes to set.
func (f frame) split() (key, set item) {
	set = f.wrap(item{})
	delete(set, attrKey)
	return item{attrKey: text(f.pk)}, set
}

// unwrap takes the frame off and checks that the item is of a schema that this program understands.
func unwrap(it item) (item, error) {
	version, err := integer(it, attrSchema)
	if err != nil {
		return nil, err
	}
	if version > SchemaVersion {
		return nil, fmt.Errorf("schema: %d was written by a newer certpace, this one reads %d: upgrade it", version, SchemaVersion)
	}
	if version != SchemaVersion {
		return nil, fmt.Errorf("schema: %d is none that certpace writes; restore the item", version)
	}
	attributes := make(item, len(it))
	for k, v := range it {
		if !isFrame(k) {
			attributes[k] = v
		}
	}
	return attributes, nil
}

func isFrame(attribute string) bool {
	switch attribute {
	case attrKey, attrDueKey, attrDueAt, attrSchema, attrToken, TTLAttribute:
		return true
	}
	return false
}

// read decodes an item's record. Errors: entry.Corrupt.
func read(it item, record any) error {
	attributes, err := unwrap(it)
	if err == nil {
		err = decode(attributes, record)
	}
	if err != nil {
		return entry.Unreadable(stringOf(it, attrKey), err)
	}
	return nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// stringOf is a string attribute; empty where there is none.
func stringOf(it item, name string) string {
	s, _ := it[name].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func integer(it item, name string) (int64, error) {
	switch v := it[name].(type) {
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %.40q is not a whole number", name, v.Value)
		}
		return n, nil
	case nil:
		return 0, fmt.Errorf("%s: missing", name)
	default:
		return 0, fmt.Errorf("%s: not a number", name)
	}
}
