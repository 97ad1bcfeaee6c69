package dns

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"pgregory.net/rapid"
)

const challenge1 = "_acme-challenge.example.com."

func setOf(name string, ttl int64, values ...string) *types.ResourceRecordSet {
	s := types.ResourceRecordSet{Name: &name, Type: types.RRTypeTxt, TTL: &ttl}
	for _, v := range values {
		s.ResourceRecords = append(s.ResourceRecords, types.ResourceRecord{Value: &v})
	}
	return &s
}

func TestSwaps(t *testing.T) {
	foreign := `"foreign" "text"`
	add := func(v string) delta { return delta{challenge1, quoted(v), false} }
	remove := func(v string) delta { return delta{challenge1, quoted(v), true} }
	for name, row := range map[string]struct {
		old    *types.ResourceRecordSet
		deltas []delta
		change bool
		want   []string
		ttl    int64
	}{
		"the first value makes a record set with our TTL":             {nil, []delta{add("v")}, true, []string{`"v"`}, newTTL},
		"apex and wildcard share one record set":                      {nil, []delta{add("v"), add("w")}, true, []string{`"v"`, `"w"`}, newTTL},
		"other people's values and their TTL stay":                    {setOf(challenge1, 300, foreign), []delta{add("v")}, true, []string{foreign, `"v"`}, 300},
		"what is there already isn't written again":                   {setOf(challenge1, 60, `"v"`), []delta{add("v")}, false, nil, 0},
		"only our value is removed":                                   {setOf(challenge1, 300, foreign, `"v"`), []delta{remove("v")}, true, []string{foreign}, 300},
		"a record set that is empty afterwards is deleted":            {setOf(challenge1, 60, `"v"`), []delta{remove("v")}, true, nil, 0},
		"what isn't there any more needs no removal":                  {setOf(challenge1, 60, foreign), []delta{remove("v")}, false, nil, 0},
		"a value that is added and removed in one change isn't there": {nil, []delta{add("v"), remove("v")}, false, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := swaps(map[string]*types.ResourceRecordSet{challenge1: row.old}, row.deltas)
			if err != nil || len(got) != map[bool]int{true: 1}[row.change] {
				t.Fatalf("got %v, %v", got, err)
			}
			if !row.change {
				return
			}
			if got[0].old != row.old || !slices.Equal(valuesOf(got[0].new), row.want) {
				t.Errorf("got %v", valuesOf(got[0].new))
			}
			if row.want != nil && *got[0].new.TTL != row.ttl {
				t.Errorf("TTL %d, want %d", *got[0].new.TTL, row.ttl)
			}
		})
	}
}

func TestARecordSetWithARoutingPolicyIsRefused(t *testing.T) {
	s := setOf(challenge1, 60, `"v"`)
	s.SetIdentifier = new("weighted")
	_, err := swaps(map[string]*types.ResourceRecordSet{challenge1: s}, []delta{{challenge1, `"w"`, false}})
	if err == nil || !strings.Contains(err.Error(), challenge1) {
		t.Errorf("got %v", err)
	}
}

func TestQuoted(t *testing.T) {
	if got := quoted(`a"b\c`); got != `"a\"b\\c"` {
		t.Errorf("got %s", got)
	}
}

func TestBatchesKeepTheLimitsAndLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []swap
		for i := range rapid.IntRange(0, 60).Draw(t, "names") {
			name := fmt.Sprintf("n%d.example.com.", i)
			value := `"` + strings.Repeat("v", rapid.IntRange(0, 253).Draw(t, "length")) + `"`
			old := slices.Repeat([]string{value}, rapid.IntRange(0, 30).Draw(t, "old"))
			all = append(all, swap{name, setOf(name, 60, old...), setOf(name, 60, append(old, `"new"`)...)})
		}
		split, err := batches(all)
		if err != nil {
			t.Fatal(err)
		}
		var together []swap
		for i, b := range split {
			var sum size
			for _, s := range b {
				sum = sum.plus(s.size())
			}
			if sum.records >= mostRecords || sum.characters >= mostCharacters {
				t.Errorf("a batch of %+v", sum)
			}
			if i > 0 && sum.plus(size{}).fits() && len(split[i-1]) == 0 {
				t.Error("an empty batch")
			}
			together = append(together, b...)
		}
		if !slices.EqualFunc(together, all, func(a, b swap) bool { return a == b }) {
			t.Error("the swaps aren't what they were")
		}
	})
}

func TestARecordSetTooLargeForOneChangeSaysWhatToDo(t *testing.T) {
	values := slices.Repeat([]string{quoted(strings.Repeat("v", 43))}, 400)
	_, err := batches([]swap{{challenge1, setOf(challenge1, 60, values...), setOf(challenge1, 60, append(values, `"w"`)...)}})
	if err == nil || !strings.Contains(err.Error(), "remove old values there") {
		t.Errorf("got %v", err)
	}
}

func TestAHundredNamesFitOneChange(t *testing.T) {
	var all []swap
	for i := range 100 {
		all = append(all, swap{fmt.Sprint(i), nil, setOf(fmt.Sprint(i), 60, quoted(strings.Repeat("v", 43)))})
	}
	if split, err := batches(all); err != nil || len(split) != 1 {
		t.Errorf("%d batches, %v", len(split), err)
	}
}
