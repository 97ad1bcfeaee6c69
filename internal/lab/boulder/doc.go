// Package boulder is Let's Encrypt's own CA on this machine: Boulder, with its limits, its database
// and its validation from several perspectives, without a container and without an HSM.
//
//	client ─▶ front ─▶ wfe2 ─▶ ra ─▶ va ─▶ remote va ×3 ─▶ DNS over HTTPS ─▶ name server
//	                    │      ├──▶ ca ─▶ ra-sct ─▶ publisher ─▶ two CT logs
//	                    │      └──▶ sa ─▶ MariaDB
//	                    ├──▶ nonce, found by an SRV record
//	                    └──▶ redis: the buckets of its limits, which ra moves too
//	person ─▶ front ─▶ sfe: the page that lifts a pause
//
// The front is package ca's. Everything listens on the loopback, keeps what it has in one folder,
// and ends with this process. Keys, databases and configuration are made anew at each start. The
// programs are built by scripts/boulder from Boulder's own Go module; docs/boulder.md says which
// version, what each part is for, and what a CA in production has beside.
//
// Boulder refuses names that aren't under a public suffix, such as .test.
package boulder
