// Package store keeps the fleet in one DynamoDB table. It is the only place that knows the table's
// keys, conditions and time to live.
//
// Every write is conditional on what was read, but for watches and notes, which it does no harm to
// write twice, and for the calendar's counters, which move only together with an entry. Because the
// SDK repeats a request whose answer was lost, a conditional write can fail on its own success; so
// each one leaves a token beside what it wrote, and a failed condition asks first whether the token
// there is its own. What belongs together (an issuance and its certificate, an order and all its
// budgets, an entry and its place in the calendar) is one transaction.
//
//	pk                                   what                                  in the index `due` under
//	<shard>#certificate#<name>           inventory.Certificate                 <shard>#certificate, at Status.Due; not in it while that is zero
//	<shard>#issuance#<key>               renew.Issuance, or the fence it left  <shard>#issuance, at Until; not in it once closed
//	<shard>#worker                       the worker's lease
//	<shard>#bucket#<CA>/<limit>/<of>     what the CA counts by account         <shard>#bucket, at its TAT
//	*#bucket#<CA>/<limit>/<of>           what it counts over all accounts      *#bucket, at its TAT
//	*#limits#<CA>                        the operator's limits
//	*#set#<CA>/<hash>                    when a set of names was issued
//	<shard>#calendar#2026-12-01          renewals booked for each hour         <shard>#calendar, at the day's start
//	<shard>#watch#<name>                 what the CA is asked about it         <shard>#watch, at its Next; not in it once that is zero
//	<shard>#end#<name>                   when what is in use ends              <shard>#end, at its LastPart
//	<shard>#notes                        what the planner remembers
//	<shard>#message#<id>                 a refused message                     <shard>#message, at its time
//
// Both buckets of a name's failures share the item <shard>#bucket#<CA>/failures/<account> <name>,
// which exists only after a failure.
//
// Attributes are native, so that the console shows them. Every item has a `schema`; a newer one
// than this program knows is an error that names the item, and so is an item with a field that
// isn't known: nothing is dropped in silence. Where the planner can do without one item among many,
// the log says so and the rest is used.
package store
