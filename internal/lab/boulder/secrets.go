package boulder

import (
	"crypto/rand"
	"fmt"
)

// secrets are what the parts share without saying: made anew each time, and never printed.
func (f files) secrets(p ports) error {
	dsn := func(user, database string) string {
		return fmt.Sprintf("%s@tcp(%s)/%s?readTimeout=14s&timeout=1s", user, p.addr("mariadb"), database)
	}
	for name, content := range map[string]string{
		"nonce": hexKey(), "unpause": hexKey(), "redis": rand.Text(),
		"sa": dsn("sa", "boulder_sa"), "sa_ro": dsn("sa_ro", "boulder_sa"), "incidents": dsn("incidents_sa", "incidents_sa"),
	} {
		if err := f.write("secrets/"+name, []byte(content)); err != nil {
			return err
		}
	}
	return nil
}

// hexKey is a key for an HMAC: Boulder wants 64 hexadecimal digits.
func hexKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails (crypto/rand)
	return fmt.Sprintf("%x", key)
}
