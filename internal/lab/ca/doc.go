// Package ca is the lab's certificate authority behind an HTTPS front of the lab's own, which sees
// each request as the CA's operator would. The CA is Pebble in this process (Start), or Boulder,
// which runs elsewhere (Behind). Both validate for real, with DNS-01.
//
// Before Pebble the front answers as Boulder does where that is known (docs/limits.md, section 6): so
// a client that only ever met the lab's CA has met Let's Encrypt's manners.
//
// The front does what Pebble cannot: it names and records every request (CA.Requests, CA.Orders), lets hooks
// answer, cut or merely observe one (CA.OnBefore, CA.OnAfter), refuses what a load balancer would (CA.Bear), loses what a network would (CA.Fail),
// hands out pending orders again as Let's Encrypt does (Options.OrderReuse), lets authorizations grow too old
// (CA.Lapse), and lets only one request at a time into Pebble, which deadlocks otherwise. It may have several
// doors (CA.Door), so that those who ask are told apart. It changes nothing that a JWS covers: Pebble sees the client's
// own Host header, so the url header of each signature stays true.
//
// Before Boulder it passes requests on as they come, many at once, and learns from the answers which
// order and name a request is about. Boulder has limits and reused orders of its own; what the front
// does to Pebble's database it can't do to Boulder's, and says so.
//
// Pebble keeps everything in memory and makes new roots at every start. It reads its settings from the
// process's environment while it is made, and its validator keeps one idle goroutine for ever, so a process
// should make one CA only.
package ca
