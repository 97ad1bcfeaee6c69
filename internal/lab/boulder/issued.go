package boulder

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Certificate is one that the CA signed, as its database has it.
type Certificate struct {
	Order    string // its number
	Account  string // its number
	Replaces string // the certificate ID that the order named (RFC 9773)
	Profile  string
	DER      []byte
}

// Certificates are all that the CA signed, those that nobody fetched included, in the order of their
// orders.
func (b *Boulder) Certificates(ctx context.Context) ([]Certificate, error) {
	rows, err := b.sql(ctx, `SELECT o.id, o.registrationID, COALESCE(o.replaces, ''), COALESCE(o.certificateProfileName, ''), HEX(c.der)
FROM boulder_sa.orders o JOIN boulder_sa.certificates c ON c.serial = o.certificateSerial ORDER BY o.id;`)
	if err != nil {
		return nil, err
	}
	var all []Certificate
	for _, row := range rows {
		if len(row) != 5 {
			return nil, fmt.Errorf("reading the CA's certificates: a row has %d columns", len(row))
		}
		der, err := hex.DecodeString(row[4])
		if err != nil {
			return nil, fmt.Errorf("reading the CA's certificates: order %s: %w", row[0], err)
		}
		all = append(all, Certificate{Order: row[0], Account: row[1], Replaces: row[2], Profile: row[3], DER: der})
	}
	return all, nil
}

// Counts are what the CA's database holds, for whoever asks whether anything was made in vain.
type Counts struct {
	Orders       int // made, whatever became of them
	Signed       int // precertificates: each is a certificate, as far as browsers are concerned
	Certificates int
	Failed       int // authorizations that ended invalid
	Errors       int // orders that ended with a problem of their own, when they were finalized
	Processing   int // orders that are being finalized
}

// Counts counts.
func (b *Boulder) Counts(ctx context.Context) (c Counts, err error) {
	rows, err := b.sql(ctx, `SELECT (SELECT COUNT(*) FROM boulder_sa.orders), (SELECT COUNT(*) FROM boulder_sa.serials),
 (SELECT COUNT(*) FROM boulder_sa.certificates), (SELECT COUNT(*) FROM boulder_sa.authz2 WHERE status = 2),
 (SELECT COUNT(*) FROM boulder_sa.orders WHERE error IS NOT NULL),
 (SELECT COUNT(*) FROM boulder_sa.orders WHERE beganProcessing AND error IS NULL AND COALESCE(certificateSerial, '') = '');`)
	if err != nil {
		return c, err
	}
	if len(rows) != 1 || len(rows[0]) != 6 {
		return c, fmt.Errorf("counting at the CA: the database answers %v", rows)
	}
	for n, to := range []*int{&c.Orders, &c.Signed, &c.Certificates, &c.Failed, &c.Errors, &c.Processing} {
		if *to, err = strconv.Atoi(rows[0][n]); err != nil {
			return c, fmt.Errorf("counting at the CA: %w", err)
		}
	}
	return c, nil
}

// Revoked are the serial numbers, in lower-case hex, of the certificates that the CA revoked.
func (b *Boulder) Revoked(ctx context.Context) (serials []string, err error) {
	rows, err := b.sql(ctx, "SELECT serial FROM boulder_sa.certificateStatus WHERE status = 'revoked';")
	for _, row := range rows {
		serials = append(serials, row[0])
	}
	return serials, err
}

// Age makes the CA think that it issued a certificate earlier, as nobody but a test does: its
// suggested window follows. The certificate itself stays as it is.
func (b *Boulder) Age(ctx context.Context, serial string, by time.Duration) error {
	if !serialText.MatchString(serial) {
		return fmt.Errorf("making a certificate older: %.60q is no serial number; give it in lower-case hex", serial)
	}
	_, err := b.sql(ctx, fmt.Sprintf(`UPDATE boulder_sa.certificates SET issued = issued - INTERVAL %[1]d SECOND, expires = expires - INTERVAL %[1]d SECOND WHERE serial = '%[2]s';`,
		int64(by/time.Second), serial))
	return err
}
