package entry_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// fill puts something into every field of a value, however deep, so that a field that nobody thought of is noticed.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 12, 1, 12, 0, 0, 7, time.FixedZone("east", 3600))))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 2))
		fill(v.Index(0))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(k)
		fill(e)
		v.SetMapIndex(k, e)
	case v.Kind() == reflect.Uint8:
		v.SetUint(7)
	case v.Kind() == reflect.String:
		v.SetString("s")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(7)
	}
}

func filled[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return v
}

// spoil changes everything that two values could share.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := 0; v.Type() != reflect.TypeFor[time.Time]() && i < v.NumField(); i++ {
			spoil(v.Field(i))
		}
	case reflect.Pointer:
		spoil(v.Elem())
		v.Elem().SetZero()
	case reflect.Slice:
		spoil(v.Index(0))
		v.Index(0).SetZero()
	case reflect.Map:
		v.Clear()
	}
}

func TestCopy(t *testing.T) {
	t.Run("every field of a certificate is copied, and none is shared", func(t *testing.T) { copies[inventory.Certificate](t, nil) })
	t.Run("every field of an issuance is copied, and none is shared, except what isn't stored", func(t *testing.T) {
		copies(t, func(i *renew.Issuance) { i.Records[0].URL = "" })
	})
	t.Run("times come out in UTC without a monotonic reading", func(t *testing.T) {
		now := time.Now()
		got := entry.Copy(inventory.Window{Start: now, End: time.Time{}.In(time.FixedZone("east", 3600))})
		if got.Start != now.Round(0).UTC() || got.End != (time.Time{}) {
			t.Errorf("got %#v", got)
		}
	})
	t.Run("what has nothing in it is nil", func(t *testing.T) {
		got := entry.Copy(inventory.Wanted{Domains: []string{}, Secret: inventory.Secret{Tags: map[string]string{}}})
		if got.Domains != nil || got.Secret.Tags != nil {
			t.Errorf("got %#v", got)
		}
	})
	t.Run("a status message is cut at a character", func(t *testing.T) {
		c := inventory.Certificate{Status: inventory.Status{Message: strings.Repeat("é", entry.MaxMessage+1)}}
		if got := entry.Certificate(c).Status.Message; got != strings.Repeat("é", entry.MaxMessage) {
			t.Errorf("%d bytes were kept", len(got))
		}
	})
}

func copies[T any](t *testing.T, except func(*T)) {
	original, want := filled[T](), filled[T]()
	got := entry.Copy(original)
	spoil(reflect.ValueOf(&original).Elem())
	if except != nil {
		except(&want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the copy changed with the original, or lacks something (-want +got):\n%s", diff)
	}
}

func BenchmarkCopyCertificate(b *testing.B) {
	c := filled[inventory.Certificate]()
	for b.Loop() {
		c = entry.Certificate(c)
	}
}
