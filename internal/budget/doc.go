// Package budget is a CA's rate limits as values: which limits an order meets, what is left of each, and when the next order fits.
// It decides and never blocks; the table that keeps the buckets is package store's.
//
// A limit has a burst, a count and a period: a bucket holds up to burst tokens and gets count of them back every period, one each
// emission interval (period ÷ count, in whole nanoseconds), not all at once at the period's end. "300 new orders in 3 hours" is
// burst 300, count 300, period 3 h, emission 36 s: whoever empties it gets one token back 36 s later, and all of them in 3 hours.
//
// A bucket is a single moment, its theoretical arrival time (TAT): when it will be full again. A TAT in the past is a full bucket,
// and each missing token puts it one emission further into the future. That is GCRA, the generic cell rate algorithm, as Let's
// Encrypt's Boulder has it: a token is there if now ≥ TAT − (burst − 1) × emission, and taking it sets TAT := max(TAT, now) + emission.
//
// Check never takes a token, Spend does, Refund gives one back. A CA counts a certificate when it issues it, which is later than the
// order and never exactly known, so Spend dates the token at the last moment at which the order can still be issued. Our TAT is then
// never earlier than the CA's, whenever it really issues, and what is allowed here is never denied there.
//
// All arithmetic is on int64 Unix nanoseconds. All times that come out are UTC.
package budget
