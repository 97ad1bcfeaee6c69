package lab

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// Zone creates a public hosted zone and returns its id.
func (c *Cloud) Zone(ctx context.Context, name string) (id string, err error) {
	made, err := c.Route53.CreateHostedZone(ctx, &route53.CreateHostedZoneInput{Name: aws.String(name), CallerReference: aws.String("lab-" + name)})
	if err != nil {
		return "", fmt.Errorf("creating zone %s: %w", name, err)
	}
	return strings.TrimPrefix(*made.HostedZone.Id, "/hostedzone/"), nil
}

// Point makes name an alias of target, in the zone that holds it.
func (c *Cloud) Point(ctx context.Context, zoneID, name, target string) error {
	_, err := c.Route53.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String(zoneID),
		ChangeBatch: &types.ChangeBatch{Changes: []types.Change{{Action: types.ChangeActionCreate, ResourceRecordSet: &types.ResourceRecordSet{
			Name: aws.String(name), Type: types.RRTypeCname, TTL: aws.Int64(60), ResourceRecords: []types.ResourceRecord{{Value: aws.String(target)}},
		}}}},
	})
	if err != nil {
		return fmt.Errorf("pointing %s to %s: %w", name, target, err)
	}
	return nil
}

// ChallengeValues lists every TXT record set under a _acme-challenge name, or under one that such a name is delegated to, in all zones of the
// cloud.
func (c *Cloud) ChallengeValues(ctx context.Context) ([]string, error) {
	zones, err := c.Route53.ListHostedZones(ctx, &route53.ListHostedZonesInput{})
	if err != nil {
		return nil, fmt.Errorf("listing zones: %w", err)
	}
	var found []string
	for _, z := range zones.HostedZones {
		values, err := c.ValuesIn(ctx, *z.Id)
		if err != nil {
			return nil, err
		}
		found = append(found, values...)
	}
	return found, nil
}

// ValuesIn lists every TXT record set of a zone.
func (c *Cloud) ValuesIn(ctx context.Context, zoneID string) (found []string, err error) {
	sets, err := c.Route53.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{HostedZoneId: &zoneID})
	if err != nil {
		return nil, fmt.Errorf("listing the records of zone %s: %w", zoneID, err)
	}
	for _, s := range sets.ResourceRecordSets {
		if s.Type == types.RRTypeTxt {
			found = append(found, *s.Name)
		}
	}
	return found, nil
}
