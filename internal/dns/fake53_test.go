package dns

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	aws53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"
)

// fake53 is a Route 53 that behaves: listings in order and in pages, batches that are checked and done as a whole or not at all, changes
// that stay PENDING for a while. It can lie, and it fails the test on requests that the real one would never accept.
type fake53 struct {
	t     interface{ Errorf(string, ...any) }
	now   func() time.Time
	delay time.Duration
	page  int
	order func(a, b string) int // of names in listings
	hook  func(op string, nth int) verdict

	mu      sync.Mutex
	zones   []*fakeZone
	changes []*fakeChange
	counts  map[string]int
	times   []time.Time
	batches [][]types.Change
}

type fakeZone struct {
	id, name string
	private  bool
	sets     map[string]types.ResourceRecordSet // simple ones of TXT, by name
	others   []types.ResourceRecordSet          // of other types, or with a routing policy, or aliases
	served   map[string][]string                // what its DNS servers answer
}

type fakeChange struct {
	id   string
	at   time.Time
	zone *fakeZone
	sets map[string]types.ResourceRecordSet
	done bool
}

// verdict is what happens to a request: err nil lets it through, done says whether it is carried out although an error is answered.
type verdict struct {
	err  error
	done bool
}

func newFake53(t interface{ Errorf(string, ...any) }, now func() time.Time) *fake53 {
	return &fake53{t: t, now: now, page: 300, order: textual, counts: map[string]int{}}
}

func textual(a, b string) int {
	return strings.Compare(strings.Join(reversed(a), ".")+".", strings.Join(reversed(b), ".")+".")
}

func labelwise(a, b string) int { return slices.Compare(reversed(a), reversed(b)) }

func (f *fake53) zone(id, name string) *fakeZone {
	f.mu.Lock()
	defer f.mu.Unlock()
	z := &fakeZone{id: id, name: name, sets: map[string]types.ResourceRecordSet{}, served: map[string][]string{}}
	f.zones = append(f.zones, z)
	return z
}

// with puts a foreign record set in place, served.
func (z *fakeZone) with(name string, ttl int64, values ...string) *fakeZone {
	s := types.ResourceRecordSet{Name: &name, Type: types.RRTypeTxt, TTL: &ttl}
	for _, v := range values {
		s.ResourceRecords = append(s.ResourceRecords, types.ResourceRecord{Value: &v})
	}
	z.sets[name] = s
	z.served[name] = values
	return z
}

func (z *fakeZone) values(name string) []string {
	s, ok := z.sets[name]
	if !ok {
		return nil
	}
	return valuesOf(&s)
}

// act counts a request and asks the hook about it. The caller holds mu.
func (f *fake53) act(ctx context.Context, op string) verdict {
	f.settle()
	f.counts[op]++
	f.times = append(f.times, f.now())
	if err := ctx.Err(); err != nil {
		return verdict{err: err}
	}
	if f.hook == nil {
		return verdict{}
	}
	return f.hook(op, f.counts[op])
}

func (f *fake53) settle() {
	for _, c := range f.changes {
		if !c.done && !f.now().Before(c.at.Add(f.delay)) {
			c.done = true
			c.zone.served = map[string][]string{}
			for name, s := range c.sets {
				c.zone.served[name] = valuesOf(&s)
			}
		}
	}
}

func (f *fake53) find(id string) *fakeZone {
	for _, z := range f.zones {
		if z.id == bareID(id) {
			return z
		}
	}
	return nil
}

func (f *fake53) ListHostedZonesByName(ctx context.Context, in *aws53.ListHostedZonesByNameInput, _ ...func(*aws53.Options)) (*aws53.ListHostedZonesByNameOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v := f.act(ctx, "ListHostedZonesByName"); v.err != nil {
		return nil, v.err
	}
	sorted := slices.SortedStableFunc(slices.Values(f.zones), func(a, b *fakeZone) int { return f.order(a.name, b.name) })
	out := &aws53.ListHostedZonesByNameOutput{DNSName: in.DNSName}
	for _, z := range sorted {
		switch {
		case f.order(z.name, *in.DNSName) < 0:
		case len(out.HostedZones) < min(f.page, 100):
			out.HostedZones = append(out.HostedZones, types.HostedZone{Id: new("/hostedzone/" + z.id), Name: &z.name, Config: &types.HostedZoneConfig{PrivateZone: z.private}})
		case !out.IsTruncated:
			out.IsTruncated, out.NextDNSName, out.NextHostedZoneId = true, &z.name, &z.id
		}
	}
	return out, nil
}

func (f *fake53) GetHostedZone(ctx context.Context, in *aws53.GetHostedZoneInput, _ ...func(*aws53.Options)) (*aws53.GetHostedZoneOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v := f.act(ctx, "GetHostedZone"); v.err != nil {
		return nil, v.err
	}
	z := f.find(*in.Id)
	if z == nil {
		return nil, &types.NoSuchHostedZone{Message: new("No hosted zone found with ID: " + *in.Id)}
	}
	return &aws53.GetHostedZoneOutput{HostedZone: &types.HostedZone{Id: new("/hostedzone/" + z.id), Name: &z.name, Config: &types.HostedZoneConfig{PrivateZone: z.private}}}, nil
}

func (f *fake53) ListResourceRecordSets(ctx context.Context, in *aws53.ListResourceRecordSetsInput, _ ...func(*aws53.Options)) (*aws53.ListResourceRecordSetsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v := f.act(ctx, "ListResourceRecordSets"); v.err != nil {
		return nil, v.err
	}
	z := f.find(*in.HostedZoneId)
	if z == nil {
		return nil, &types.NoSuchHostedZone{Message: new("No hosted zone found with ID: " + *in.HostedZoneId)}
	}
	out := &aws53.ListResourceRecordSetsOutput{}
	for _, s := range f.sorted(z) {
		switch order := f.order(*s.Name, *in.StartRecordName); {
		case order < 0 || order == 0 && s.Type < in.StartRecordType:
		case len(out.ResourceRecordSets) < f.page:
			out.ResourceRecordSets = append(out.ResourceRecordSets, s)
		case !out.IsTruncated:
			out.IsTruncated, out.NextRecordName, out.NextRecordType = true, s.Name, s.Type
		}
	}
	return out, nil
}

// sorted are a zone's record sets in the order of listings: by name, then by type.
func (f *fake53) sorted(z *fakeZone) []types.ResourceRecordSet {
	all := append(slices.Collect(maps.Values(z.sets)), z.others...)
	slices.SortStableFunc(all, func(a, b types.ResourceRecordSet) int {
		return cmp.Or(f.order(*a.Name, *b.Name), cmp.Compare(a.Type, b.Type))
	})
	return all
}

func (f *fake53) ChangeResourceRecordSets(ctx context.Context, in *aws53.ChangeResourceRecordSetsInput, _ ...func(*aws53.Options)) (*aws53.ChangeResourceRecordSetsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.act(ctx, "ChangeResourceRecordSets")
	if v.err != nil && !v.done {
		return nil, v.err
	}
	z := f.find(*in.HostedZoneId)
	if z == nil {
		return nil, &types.NoSuchHostedZone{Message: new("No hosted zone found with ID: " + *in.HostedZoneId)}
	}
	f.check(in.ChangeBatch.Changes)
	sets := maps.Clone(z.sets)
	if faults := append(z.conflicts(in.ChangeBatch.Changes), changeSets(z.name, sets, in.ChangeBatch.Changes)...); faults != nil {
		return nil, &types.InvalidChangeBatch{Message: new("ChangeBatch errors occurred"), Messages: faults}
	}
	z.sets = sets
	f.batches = append(f.batches, in.ChangeBatch.Changes)
	c := &fakeChange{id: fmt.Sprintf("C%d", len(f.changes)+1), at: f.now(), zone: z, sets: maps.Clone(sets)}
	f.changes = append(f.changes, c)
	f.settle()
	if v.err != nil {
		return nil, v.err
	}
	return &aws53.ChangeResourceRecordSetsOutput{ChangeInfo: c.info()}, nil
}

func (c *fakeChange) info() *types.ChangeInfo {
	i := &types.ChangeInfo{Id: new("/change/" + c.id), Status: types.ChangeStatusPending, SubmittedAt: &c.at}
	if c.done {
		i.Status = types.ChangeStatusInsync
	}
	return i
}

// check fails the test on what a correct client never sends.
func (f *fake53) check(changes []types.Change) {
	records, characters := 0, 0
	for _, c := range changes {
		for _, v := range valuesOf(c.ResourceRecordSet) {
			records++
			characters += len(v)
			if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
				f.t.Errorf("a TXT value without quotes was sent: %s", v)
			}
		}
	}
	if len(changes) == 0 || records > 1000 || characters > 32000 {
		f.t.Errorf("a batch of %d changes, %d records and %d characters was sent", len(changes), records, characters)
	}
}

// conflicts says which record sets can't be created beside those that are there, in AWS's words.
func (z *fakeZone) conflicts(changes []types.Change) (faults []string) {
	for _, c := range changes {
		for _, o := range z.others {
			switch name := *c.ResourceRecordSet.Name; {
			case c.Action != types.ChangeActionCreate || *o.Name != name:
			case o.Type == types.RRTypeCname:
				faults = append(faults, fmt.Sprintf("RRSet of type TXT with DNS name %s is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone %s", name, z.name))
			case o.Type == types.RRTypeTxt:
				faults = append(faults, fmt.Sprintf("RRSet with DNS name %s, type TXT, SetIdentifier null cannot be created because a multivalue answer rrset exists with the same name and type.", name))
			}
		}
	}
	return faults
}

// changeSets carries out changes and says what is wrong with them, in AWS's words.
func changeSets(zone string, sets map[string]types.ResourceRecordSet, changes []types.Change) (faults []string) {
	for _, c := range changes {
		want := *c.ResourceRecordSet
		name := *want.Name
		have, ok := sets[name]
		named := fmt.Sprintf("resource record set [name='%s', type='TXT']", name)
		switch {
		case !within(name, zone):
			faults = append(faults, fmt.Sprintf("RRSet with DNS name %s is not permitted in zone %s", name, zone))
		case c.Action == types.ChangeActionCreate && ok:
			faults = append(faults, "Tried to create "+named+" but it already exists")
		case c.Action == types.ChangeActionDelete && !ok:
			faults = append(faults, "Tried to delete "+named+" but it was not found")
		case c.Action == types.ChangeActionDelete && !same(have, want):
			faults = append(faults, "Tried to delete "+named+" but the values provided do not match the current values")
		case c.Action == types.ChangeActionDelete:
			delete(sets, name)
		case c.Action == types.ChangeActionCreate:
			sets[name] = want
		default:
			faults = append(faults, "unexpected action "+string(c.Action))
		}
	}
	return faults
}

func same(a, b types.ResourceRecordSet) bool {
	x, y := slices.Sorted(slices.Values(valuesOf(&a))), slices.Sorted(slices.Values(valuesOf(&b)))
	return *a.TTL == *b.TTL && slices.Equal(x, y)
}

func (f *fake53) GetChange(ctx context.Context, in *aws53.GetChangeInput, _ ...func(*aws53.Options)) (*aws53.GetChangeOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if v := f.act(ctx, "GetChange"); v.err != nil {
		return nil, v.err
	}
	for _, c := range f.changes {
		if c.id == bareID(*in.Id) {
			return &aws53.GetChangeOutput{ChangeInfo: c.info()}, nil
		}
	}
	return nil, &types.NoSuchChange{Message: new("Could not find resource with ID: " + *in.Id)}
}

// answered is what the zone's DNS servers say, without quotes.
func (f *fake53) answered(name string) (values []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	for _, z := range f.zones {
		for _, v := range z.served[name] {
			values = append(values, strings.Trim(v, `"`))
		}
	}
	return values
}

// apiError is an error as the SDK gives it.
func apiError(op, code, text string, fault smithy.ErrorFault) error {
	return &smithy.OperationError{ServiceID: "Route 53", OperationName: op, Err: &smithy.GenericAPIError{Code: code, Message: text, Fault: fault}}
}

var _ Route53Client = (*fake53)(nil)
