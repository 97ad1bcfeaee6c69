package dns

import "github.com/certpace/certpace/internal/renew"

// Role is who changes a zone: a role that is assumed, or, where the ARN is empty, the worker itself.
type Role struct {
	ARN        string
	ExternalID string // what the role's trust asks for, so that nobody else's client can be talked into using it (sts:ExternalId); empty for none
}

func roleOf(r renew.Record) Role { return Role{r.RoleARN, r.RoleExternalID} }
