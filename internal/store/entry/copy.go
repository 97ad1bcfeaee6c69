package entry

import (
	"reflect"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/certpace/certpace/internal/inventory"
)

// MaxMessage is how many characters of a status message are kept. DynamoDB refuses items above 400 KB, and a certificate must not
// become unsaveable because a CA is talkative.
const MaxMessage = 4096

// Certificate is a deep copy of c as the table gives it back.
func Certificate(c inventory.Certificate) inventory.Certificate {
	c = Copy(c)
	c.Status.Message = clip(c.Status.Message, MaxMessage)
	return c
}

// Copy is a deep copy of v as the table gives it back: times in UTC and without a monotonic reading, a slice or map with nothing in it
// as nil, and what isn't stored (json:"-") zero. It works on values made of exported fields, times, slices, maps and pointers.
func Copy[T any](v T) T {
	if mend := mender(reflect.TypeFor[T]()); mend != nil {
		mend(reflect.ValueOf(&v).Elem())
	}
	return v
}

// mendFunc turns an addressable value, copied as Go's assignment does, into a deep copy.
type mendFunc func(reflect.Value)

// menders remembers each type's mendFunc: a simulated fleet is copied millions of times.
var menders sync.Map

// mender is the mendFunc of a type, nil where assignment is a deep copy already.
func mender(t reflect.Type) mendFunc {
	if known, ok := menders.Load(t); ok {
		return known.(mendFunc)
	}
	m := makeMender(t)
	menders.Store(t, m)
	return m
}

func makeMender(t reflect.Type) mendFunc {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return mendTime
	case t.Kind() == reflect.Struct:
		return structMender(t)
	case t.Kind() == reflect.Slice:
		return sliceMender(t)
	case t.Kind() == reflect.Map:
		return mapMender(t)
	case t.Kind() == reflect.Pointer:
		return pointerMender(t)
	}
	return nil
}

func mendTime(v reflect.Value) {
	t := v.Addr().Interface().(*time.Time)
	if t.IsZero() {
		*t = time.Time{}
		return
	}
	*t = t.UTC().Round(0)
}

func structMender(t reflect.Type) mendFunc {
	type part struct {
		field int
		mend  mendFunc
	}
	var parts []part
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("json") == "-" {
			parts = append(parts, part{i, reflect.Value.SetZero})
		} else if m := mender(f.Type); m != nil {
			parts = append(parts, part{i, m})
		}
	}
	if parts == nil {
		return nil
	}
	return func(v reflect.Value) {
		for _, p := range parts {
			p.mend(v.Field(p.field))
		}
	}
}

func sliceMender(t reflect.Type) mendFunc {
	each := mender(t.Elem())
	return func(v reflect.Value) {
		if v.Len() == 0 {
			v.SetZero()
			return
		}
		fresh := reflect.MakeSlice(t, v.Len(), v.Len())
		reflect.Copy(fresh, v)
		for i := 0; each != nil && i < v.Len(); i++ {
			each(fresh.Index(i))
		}
		v.Set(fresh)
	}
}

func mapMender(t reflect.Type) mendFunc {
	each := mender(t.Elem())
	return func(v reflect.Value) {
		if v.Len() == 0 {
			v.SetZero()
			return
		}
		fresh := reflect.MakeMapWithSize(t, v.Len())
		for it := v.MapRange(); it.Next(); {
			value := reflect.New(t.Elem()).Elem()
			value.Set(it.Value())
			if each != nil {
				each(value)
			}
			fresh.SetMapIndex(it.Key(), value)
		}
		v.Set(fresh)
	}
}

func pointerMender(t reflect.Type) mendFunc {
	each := mender(t.Elem())
	return func(v reflect.Value) {
		if v.IsNil() {
			return
		}
		fresh := reflect.New(t.Elem())
		fresh.Elem().Set(v.Elem())
		if each != nil {
			each(fresh.Elem())
		}
		v.Set(fresh)
	}
}

// clip keeps the first n characters of s. What isn't UTF-8, which DynamoDB doesn't take, becomes the replacement character.
func clip(s string, n int) string {
	if len(s) <= n && utf8.ValidString(s) {
		return s
	}
	out := make([]rune, 0, min(n, len(s)))
	for _, r := range s {
		if len(out) == n {
			break
		}
		out = append(out, r)
	}
	return string(out)
}
