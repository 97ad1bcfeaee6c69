package inventory

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// other is a value that differs from the zero value, of any type that a wanted certificate is made
// of.
func other(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		other(t, v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("x"), reflect.ValueOf("y"))
	case reflect.Struct:
		other(t, v.Field(0))
	default:
		t.Fatalf("a field of type %s: say here, and to whoever prints differences, how one looks", v.Type())
	}
}

// fields calls each for every field that can differ by itself, with its path.
func fields(path string, v reflect.Value, each func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		f := v.Field(i)
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
			f = f.Elem()
		}
		if f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]() {
			fields(path+name+".", f, each)
			continue
		}
		each(path+name, f)
	}
}

func TestEveryFieldThatDiffersIsNamed(t *testing.T) {
	n := 0
	var now Wanted
	fields("", reflect.ValueOf(&now).Elem(), func(path string, v reflect.Value) {
		if path == "since" {
			return
		}
		n++
		other(t, v)
		for _, got := range [][]Difference{now.Differences(Wanted{}), Wanted{}.Differences(now)} {
			if len(got) != 1 || got[0].Field != path || reflect.DeepEqual(got[0].Old, got[0].New) {
				t.Errorf("a change of %s gives %+v", path, got)
			}
		}
		v.SetZero()
	})
	if n < 18 {
		t.Errorf("only %d fields were tried", n)
	}
	if got := (Wanted{Since: time.Now()}).Differences(Wanted{}); got != nil {
		t.Errorf("what nobody writes is said to differ: %+v", got)
	}
}

func TestAnAbsentListIsAnEmptyOneInJSON(t *testing.T) {
	now := Wanted{Domains: []string{"a.example"}, Secret: Secret{Tags: map[string]string{"team": "web"}}, Fallback: &Fallback{Directory: "https://b.example/d"}}
	text, err := json.Marshal(now.Differences(Wanted{}))
	want := `[{"field":"domains","old":[],"new":["a.example"]},{"field":"fallback.acme_directory","old":"","new":"https://b.example/d"},` +
		`{"field":"secret.tags","old":{},"new":{"team":"web"}}]`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	empty := Wanted{Domains: []string{}, ACM: []ACM{}, Fallback: &Fallback{}}
	if got := empty.Differences(Wanted{}); got != nil {
		t.Errorf("nothing differs from nothing by %+v", got)
	}
}
