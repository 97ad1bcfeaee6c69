package boulder

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
)

var serialText = regexp.MustCompile(`^[0-9a-f]{32,40}$`)

// Incident declares that certificates, by their serial numbers in lower-case hex, must be replaced
// before a date, as the CA does before it revokes many: renewal information then names the page and
// a window that has ended (docs/limits.md, section 2).
func (b *Boulder) Incident(ctx context.Context, page string, renewBy time.Time, serials ...string) error {
	var rows []string
	for _, s := range serials {
		s = strings.Repeat("0", max(0, 36-len(s))) + s // the database keeps leading zeros
		if !serialText.MatchString(s) {
			return fmt.Errorf("declaring an incident: %.60q is no serial number; give it in lower-case hex", s)
		}
		rows = append(rows, fmt.Sprintf("('%s', NULL, NULL, NULL)", s))
	}
	if len(rows) == 0 || strings.ContainsAny(page, `'\`) {
		return fmt.Errorf("declaring an incident: give a page without quotes, and serial numbers")
	}
	table := fmt.Sprintf("incident_%d", time.Now().UnixNano())
	_, err := b.sql(ctx, fmt.Sprintf(`CREATE TABLE incidents_sa.%[1]s LIKE incidents_sa.incident_foo;
INSERT INTO incidents_sa.%[1]s VALUES %[2]s;
GRANT SELECT ON incidents_sa.%[1]s TO 'incidents_sa'@'%%';
INSERT INTO boulder_sa.incidents (serialTable, url, renewBy, enabled) VALUES ('%[1]s', '%[3]s', '%[4]s', 1);`,
		table, strings.Join(rows, ", "), page, renewBy.UTC().Format("2006-01-02 15:04:05")))
	if err != nil {
		return fmt.Errorf("declaring an incident: %w", err)
	}
	return nil
}
