// Package dns proves names by dns-01 (RFC 8555, 8.4): Solvers puts the CA's challenge values into
// the DNS, waits until the servers that the CA will ask show them, and takes them away again. It
// implements renew.DNS.
//
// Route 53 has a solver of its own, because the usual one-name-at-a-time way costs a wait of about
// 40 s for each name: here all values of a hosted zone go into one change, every change is a
// compare-and-swap, and there is one wait for all of them. Requests are few and have their turns by
// urgency (pace.go). Any other provider code is one of lego's (providers.go).
//
// How an answer of the DNS is read:
//   - NOERROR without the record, and NXDOMAIN: an answer. The name has no CNAME, or no value yet.
//   - SERVFAIL, REFUSED, a lost packet: no answer. The next server is asked; where none answers, the failure is worth another try later.
//
// CNAMEs are followed, but not those that a wildcard makes up (RFC 4592): see cname.go.
//
// A challenge name is asked of its zone's own name servers, and of the resolvers only where those
// can't be reached: before the first value is there, the question for a CNAME gets NXDOMAIN, which
// a resolver keeps for up to the zone's negative TTL (RFC 2308; 15 minutes at Route 53) and for
// every type. Resolvers are asked for what is there for sure: start of authority, name servers,
// addresses. A worker that may reach nothing but a caching resolver sees a new name's first value
// late, and tries again later.
//
// Beside a private zone of the same name, as a VPC's resolver shows it, the public zone's servers
// are found from the top-level domain downwards (public.go), unless resolvers were configured.
//
// CAA records (RFC 8659) are asked of the resolvers, which is enough to permit; before they forbid,
// the servers of the zone that they stand in are asked, so that a mended record is seen at once. No
// answer forbids nothing.
package dns
