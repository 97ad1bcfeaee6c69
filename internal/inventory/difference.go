package inventory

import (
	"reflect"
	"strings"
)

// Difference is one field of the fleet file that is wanted otherwise than before. Its JSON is
// stable.
type Difference struct {
	Field string `json:"field"` // as the fleet file calls it: key_type, dns.zone_id
	Old   any    `json:"old"`   // a text, true or false, a list, or a map of texts; empty where nothing was said
	New   any    `json:"new"`
}

// Differences are the fields in which w is not what it was, in the order of the fleet file's
// description. Since is none of them: nobody writes it.
func (w Wanted) Differences(from Wanted) []Difference {
	return differences("", reflect.ValueOf(from), reflect.ValueOf(w))
}

func differences(path string, old, now reflect.Value) (all []Difference) {
	for i := range old.NumField() {
		name, _, _ := strings.Cut(old.Type().Field(i).Tag.Get("json"), ",")
		a, b := pointed(old.Field(i)), pointed(now.Field(i))
		switch {
		case path == "" && name == "since":
		case a.Kind() == reflect.Struct:
			all = append(all, differences(path+name+".", a, b)...)
		case !reflect.DeepEqual(filled(a), filled(b)):
			all = append(all, Difference{path + name, filled(a), filled(b)})
		}
	}
	return all
}

// pointed is what v points at; nothing at all where it points nowhere.
func pointed(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Pointer {
		return v
	}
	if v.IsNil() {
		return reflect.Zero(v.Type().Elem())
	}
	return v.Elem()
}

// filled is v as a value, with an empty list or map where there is none: who reads the JSON finds
// [] and {} there.
func filled(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Slice && v.Len() == 0:
		return reflect.MakeSlice(v.Type(), 0, 0).Interface()
	case v.Kind() == reflect.Map && v.Len() == 0:
		return reflect.MakeMap(v.Type()).Interface()
	}
	return v.Interface()
}
