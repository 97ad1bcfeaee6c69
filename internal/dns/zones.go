package dns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	aws53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// zonesFor is how long a listing of zones is believed, where it had what was looked for: long enough for one invocation's jobs, short enough for
// somebody who has just made a zone.
const zonesFor = time.Minute

// bareID is a zone's id as everybody writes it: Route 53 answers it as a path.
func bareID(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// locate fills in zone and role: the zone that is configured, or the public one with the longest name that the record's name ends in. A private one is
// never the zone of a challenge: the CA can't see into it.
func (r *route53) locate(ctx context.Context, d inventory.DNS, records []renew.Record) error {
	role := Role{d.RoleARN, d.ExternalID}
	if d.ZoneID != "" {
		return r.configuredZone(ctx, bareID(d.ZoneID), role, records)
	}
	remembered, err := r.place(ctx, role, records)
	if err != nil && remembered { // somebody may have made or removed a zone since it was listed
		_, err = r.place(ctx, role, records)
	}
	return err
}

// place fills in the zone that Route 53 has for each record. Where one has none, the listings are forgotten, and it says whether there were any.
func (r *route53) place(ctx context.Context, role Role, records []renew.Record) (remembered bool, err error) {
	var wanted []string
	for _, rec := range records {
		wanted = append(wanted, suffixes(rec.FQDN)...)
	}
	found, remembered, err := r.zonesOf(ctx, role, wanted)
	if err != nil {
		return false, err
	}
	for i := range records {
		id, err := longest(found, records[i])
		if err != nil {
			r.book(role).forget(wanted)
			return remembered, err
		}
		into(&records[i], id, role)
	}
	return remembered, nil
}

func into(rec *renew.Record, id string, role Role) {
	rec.ZoneID, rec.RoleARN, rec.RoleExternalID = id, role.ARN, role.ExternalID
}

// configuredZone is the zone that the fleet file names, looked at before anything is spent.
func (r *route53) configuredZone(ctx context.Context, id string, role Role, records []renew.Record) error {
	name, err := r.nameOf(ctx, id, role)
	if err != nil {
		return err
	}
	for i := range records {
		if name != "" && !slices.Contains(suffixes(records[i].FQDN), name) {
			return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("proving %s in the hosted zone %s: that one is for %s, and the value belongs at %s; name another zone in dns.zone_id, or leave that out",
				records[i].Domain, id, name, records[i].FQDN))
		}
		into(&records[i], id, role)
	}
	return nil
}

// nameOf is the name of a public zone; empty where the role may not look at it.
func (r *route53) nameOf(ctx context.Context, id string, role Role) (string, error) {
	book := r.book(role)
	if name, known := book.recallName(id, r.Now()); known {
		return name, nil
	}
	var name string
	var private bool
	err := r.read(ctx, request{actionZone, role, publishing}, func(ctx context.Context, client Route53Client) error {
		out, err := client.GetHostedZone(ctx, &aws53.GetHostedZoneInput{Id: &id})
		if err == nil {
			name, private = canonicalName(*out.HostedZone.Name), out.HostedZone.Config != nil && out.HostedZone.Config.PrivateZone
		}
		return err
	})
	var f *renew.Failure
	switch {
	case errors.As(err, &f) && f.Reason == reason.PermissionDenied && !strings.Contains(err.Error(), actionAssume):
		r.log.Warn("the hosted zone can't be looked at before it is written to", "zone", id, "cause", err.Error())
	case err != nil:
		return "", during(err, "looking at the hosted zone %s that dns.zone_id names", id)
	case private:
		return "", renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("looking at the hosted zone %s that dns.zone_id names: it is a private zone (%s), and the CA sees public ones only; name the public zone, or leave dns.zone_id out", id, name))
	}
	book.keepName(id, name, r.Now())
	return name, nil
}

// longest picks the zone of a record.
func longest(zones map[string][]string, rec renew.Record) (string, error) {
	for _, name := range suffixes(rec.FQDN) {
		switch ids := zones[name]; len(ids) {
		case 0:
		case 1:
			return ids[0], nil
		default:
			return "", renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("finding the hosted zone for %s: there are several public ones named %s (%s): name one in dns.zone_id",
				rec.Domain, name, strings.Join(ids, ", ")))
		}
	}
	return "", renew.Fail(renew.Never, reason.ZoneNotFound, fmt.Errorf("finding the hosted zone for %s: Route 53 has no public hosted zone for %s, nor for a parent of it: create one, or name the zone in dns.zone_id or its role in dns.role_arn",
		rec.Domain, strings.TrimSuffix(rec.FQDN, ".")))
}

// zonesOf finds the public zones among names, ids by name, and says whether some of it was listed before.
func (r *route53) zonesOf(ctx context.Context, role Role, names []string) (zones map[string][]string, remembered bool, err error) {
	book := r.book(role)
	select { // what one job lists most often answers the others, too
	case book.turn <- struct{}{}:
		defer func() { <-book.turn }()
	case <-ctx.Done():
		return nil, false, ended(ctx.Err())
	}
	zones, unknown := book.recall(names, r.Now())
	err = sweep(unknown, func(from string) (next string, err error) {
		listed := map[string][]string{}
		err = r.read(ctx, request{actionZones, role, publishing}, func(ctx context.Context, client Route53Client) error {
			out, err := client.ListHostedZonesByName(ctx, &aws53.ListHostedZonesByNameInput{DNSName: &from})
			if err == nil {
				next, err = collect(out, listed)
			}
			return err
		})
		if err != nil {
			return "", err
		}
		page := zonePage{from, next, listed, r.Now().Add(zonesFor)}
		book.keep(page, r.Now())
		maps.Copy(zones, page.told())
		return next, nil
	})
	if err != nil {
		return nil, false, during(err, "finding hosted zones")
	}
	return zones, len(unknown) < len(names), nil
}

// collect adds the public zones of a page and says where the next one begins.
func collect(out *aws53.ListHostedZonesByNameOutput, listed map[string][]string) (next string, err error) {
	for _, z := range out.HostedZones {
		if z.Config == nil || !z.Config.PrivateZone {
			add(listed, z)
		}
	}
	if !out.IsTruncated {
		return "", nil
	}
	if out.NextDNSName == nil {
		return "", errors.New("the listing of hosted zones doesn't say where it goes on")
	}
	return canonicalName(*out.NextDNSName), nil
}

// add lists a zone once: pages may overlap.
func add(listed map[string][]string, z types.HostedZone) {
	name, id := canonicalName(*z.Name), bareID(*z.Id)
	if !slices.Contains(listed[name], id) {
		listed[name] = append(listed[name], id)
	}
}
