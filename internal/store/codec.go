package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item is one item of the table.
type item = map[string]types.AttributeValue

// zeroTime is how encoding/json writes a time that isn't set.
var zeroTime = time.Time{}.Format(time.RFC3339Nano)

// encode writes a record as native attributes, named by its JSON tags. Times that aren't set and nulls are left out.
func encode(record any) (item, error) {
	raw, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", record, err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("encoding %T: %w", record, err)
	}
	return mapValue(tree, true), nil
}

// decode reads attributes into a record. A field that the record doesn't have is an error: dropping it here would lose it at the next write.
func decode(attributes item, record any) error {
	tree, err := plainMap(attributes)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("reading attributes: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(record)
}

// mapValue converts an object; tidy leaves out what isn't set. Tags are the user's own words and are kept as they are.
func mapValue(tree map[string]any, tidy bool) item {
	out := make(item, len(tree))
	for k, v := range tree {
		if tidy && (v == nil || v == zeroTime) {
			continue
		}
		out[k] = value(v, tidy && k != "tags")
	}
	return out
}

func value(v any, tidy bool) types.AttributeValue {
	switch v := v.(type) {
	case string:
		return text(v)
	case json.Number:
		return &types.AttributeValueMemberN{Value: v.String()}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case []any:
		list := make([]types.AttributeValue, len(v))
		for i, e := range v {
			list[i] = value(e, tidy)
		}
		return &types.AttributeValueMemberL{Value: list}
	case map[string]any:
		return &types.AttributeValueMemberM{Value: mapValue(v, tidy)}
	}
	return &types.AttributeValueMemberNULL{Value: true}
}

func plain(v types.AttributeValue) (any, error) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value, nil
	case *types.AttributeValueMemberN:
		if !json.Valid([]byte(v.Value)) {
			return nil, fmt.Errorf("%.40q is no number", v.Value)
		}
		return json.Number(v.Value), nil
	case *types.AttributeValueMemberBOOL:
		return v.Value, nil
	case *types.AttributeValueMemberNULL:
		return nil, nil
	case *types.AttributeValueMemberL:
		return plainList(v.Value)
	case *types.AttributeValueMemberM:
		return plainMap(v.Value)
	}
	return nil, fmt.Errorf("an attribute is of type %T, which certpace doesn't write", v)
}

func plainList(list []types.AttributeValue) (any, error) {
	out := make([]any, len(list))
	for i, e := range list {
		p, err := plain(e)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		out[i] = p
	}
	return out, nil
}

func plainMap(attributes item) (map[string]any, error) {
	out := make(map[string]any, len(attributes))
	for k, v := range attributes {
		p, err := plain(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		out[k] = p
	}
	return out, nil
}
