package witness

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// DropValue takes a TXT record set out of a zone, and out of what is served, at once.
func (w *World) DropValue(t testing.TB, zoneID, name string) {
	t.Helper()
	ctx := context.Background()
	out, err := w.Route53.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
		HostedZoneId: &zoneID, StartRecordName: &name, StartRecordType: types.RRTypeTxt, MaxItems: aws.Int32(1),
	})
	if err != nil || len(out.ResourceRecordSets) != 1 || *out.ResourceRecordSets[0].Name != name+"." {
		t.Errorf("there is no TXT at %s: %v", name, err)
		return
	}
	changes := []types.Change{{Action: types.ChangeActionDelete, ResourceRecordSet: &out.ResourceRecordSets[0]}}
	for _, step := range []func() error{
		func() error { return w.AWS.SetDNSDelay(ctx, 0) },
		func() error {
			_, err := w.Route53.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zoneID, ChangeBatch: &types.ChangeBatch{Changes: changes}})
			return err
		},
		func() error { return w.AWS.SetDNSDelay(ctx, w.DNSDelay) },
	} {
		if err := step(); err != nil {
			t.Errorf("taking the value at %s away: %v", name, err)
		}
	}
}
