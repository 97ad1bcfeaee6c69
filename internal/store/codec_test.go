package store_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/store"
	"github.com/certpace/certpace/internal/store/entry"
)

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

func TestCodec(t *testing.T) {
	t.Run("what is encoded decodes to the same", rapid.MakeCheck(func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.String(), 0, 4)
		moment := rapid.Custom(func(t *rapid.T) time.Time {
			return time.Unix(rapid.Int64Range(-1e9, 1e10).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		})
		want := entry.Copy(inventory.Wanted{
			Domains: words.Draw(t, "domains"), Directory: rapid.String().Draw(t, "directory"), Enabled: rapid.Bool().Draw(t, "enabled"),
			Since:  rapid.OneOf(rapid.Just(time.Time{}), moment).Draw(t, "since"),
			Secret: inventory.Secret{Replicas: words.Draw(t, "replicas"), Tags: rapid.MapOf(rapid.String(), rapid.SampledFrom([]string{"", "x", "0001-01-01T00:00:00Z"})).Draw(t, "tags")},
		})
		encoded, err := store.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		var got inventory.Wanted
		if err := store.Decode(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, entry.Copy(got)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}))
	t.Run("large numbers keep every digit", func(t *testing.T) {
		type record struct{ N int64 }
		encoded, err := store.Encode(record{1<<63 - 1})
		if err != nil {
			t.Fatal(err)
		}
		var got record
		if err := store.Decode(encoded, &got); err != nil || got.N != 1<<63-1 {
			t.Errorf("got %d, %v", got.N, err)
		}
	})
	t.Run("times that aren't set and nulls are left out", func(t *testing.T) {
		encoded, err := store.Encode(inventory.Window{End: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		if _, there := encoded["start"]; there || len(encoded) != 1 {
			t.Errorf("got %v", encoded)
		}
	})
	t.Run("a field that isn't known is an error", func(t *testing.T) {
		var w inventory.Window
		if err := store.Decode(item{"begin": text("x")}, &w); err == nil {
			t.Error("it passed")
		}
	})
	t.Run("an attribute of a type that certpace doesn't write is an error", func(t *testing.T) {
		var w inventory.Window
		if err := store.Decode(item{"start": &types.AttributeValueMemberB{Value: []byte("x")}}, &w); err == nil {
			t.Error("it passed")
		}
	})
}

// FuzzReadAnything puts items of any content in every reader's way: a reader answers, or names the item in its error, and never panics.
func FuzzReadAnything(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"name":"a","shard":"0","rev":1,"wanted":{"domains":["a"]},"due":"2026-12-01T00:00:00Z"}`, `{"tat":12}`, `{"tat":"x"}`,
		`{"tat":1e400}`, `{"closed":true,"fence":1,"key":"k"}`, `{"ca":"x","set":"none","overrides":{"new-orders-per-account":{"burst":1,"count":1,"period":"x"}},"rev":1}`,
		`{"c00":1,"r00":-5}`, `{"c24":1}`, `{"c-1":"x"}`, `{"ari_cert_id":"a.b","next":"x"}`,
		`{"owner":"x","until":[[[]]],"fence":{}}`, `{"status":{"x":null}}`, `{"key":"k","certificate":"c","records":[{"domain":"d"}]}`,
	} {
		f.Add("0#bucket#ca/new-orders-per-account/0", int64(1), seed)
	}
	f.Add("0#calendar#2026-12-01", int64(1), `{"c00":1,"r23":-5}`)
	f.Fuzz(func(t *testing.T, pk string, schema int64, attributes string) {
		var raw json.RawMessage = []byte(attributes)
		it, err := store.Encode(raw)
		if err != nil {
			return
		}
		it["pk"] = text(pk)
		it["schema"] = number(strconv.FormatInt(schema, 10))
		for n, err := range store.ReadAnything(it) {
			var c *entry.Corrupt
			if err == nil && schema != store.SchemaVersion {
				t.Errorf("reader %d took an item of schema %d", n, schema)
			}
			if err != nil && (!errors.As(err, &c) || c.Item != pk) {
				t.Errorf("reader %d: %v doesn't name %q", n, err, pk)
			}
		}
	})
}
