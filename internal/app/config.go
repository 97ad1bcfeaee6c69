// Package app is configuration and wiring, once, for both functions and the command line: it reads the environment, opens the AWS
// clients, and puts the rooms together. It decides nothing.
package app

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/certpace/certpace/internal/pemfile"
)

// Config is everything that the environment says. Standard AWS_* variables are the SDK's business.
type Config struct {
	Table        string
	QueueURL     string
	SecretPrefix string
	Directory    string   // ACME directory URL, the default of the fleet
	Email        string   // account contact; empty for none
	CABundle     []byte   // PEM; nil for the system's roots
	Rate         float64  // ACME requests a second
	DNSProvider  string   // route53, or a lego provider code
	Resolvers    []string // host:port; empty for the system's
	EventBus     string
}

// Deployment is the name of the deployment that the environment belongs to: its table's, which no
// other deployment of the account and region has. Terraform gives table and deployment one name.
func (c Config) Deployment() string { return c.Table }

// setting is one variable of the environment: what it means, and how its value becomes part of a Config. The order is that of the README.
type setting struct {
	name, help, fallback string
	required             bool
	read                 func(c *Config, value string) error
}

const prefix = "CERTPACE_"

func settings() []setting {
	return []setting{
		{"TABLE", "DynamoDB table", "", true, text(func(c *Config) *string { return &c.Table }, `^[a-zA-Z0-9_.-]{3,255}$`, "a DynamoDB table's name")},
		{"QUEUE_URL", "SQS queue of the jobs", "", true, readQueueURL},
		{"SECRET_PREFIX", "secret name = prefix + certificate name", "certpace/", false, text(func(c *Config) *string { return &c.SecretPrefix }, `^[A-Za-z0-9/_+=.@-]{1,200}$`, "letters, digits and /_+=.@-")},
		{"ACME_DIRECTORY", "default CA directory URL", "", true, readDirectory},
		{"ACME_EMAIL", "account contact", "", false, text(func(c *Config) *string { return &c.Email }, `^[^@\s]+@[^@\s]+$`, "an e-mail address")},
		{"ACME_CA_BUNDLE", "PEM text or file that the CA's own TLS is checked with", "", false, readBundle},
		{"ACME_RATE", "ACME requests a second", "5", false, readRate},
		{"DNS_PROVIDER", "default solver: route53, or a lego provider code", "route53", false, text(func(c *Config) *string { return &c.DNSProvider }, `^[a-z0-9-]{1,40}$`, "route53 or a lego provider code")},
		{"DNS_RESOLVERS", "host:port,… for zone finding, CNAME and propagation checks", "", false, readResolvers},
		{"EVENT_BUS", "EventBridge bus", "default", false, text(func(c *Config) *string { return &c.EventBus }, `^[/.\-_A-Za-z0-9:]{1,900}$`, "a bus's name or ARN")},
	}
}

// Need names the settings that a caller can't do without, by their names without the prefix. The functions need all required ones.
type Need []string

// Functions is what both functions need.
var Functions = Need{"TABLE", "QUEUE_URL", "ACME_DIRECTORY"}

// Load reads the CERTPACE_* variables of an environment in the form of os.Environ. Every fault is in the error, one a line: what is
// missing, what can't be read, and names that mean nothing, so that a typing error can't pass for a default.
func Load(environ []string, need Need) (Config, error) {
	values := ours(environ)
	var c Config
	var faults []error
	for _, s := range settings() {
		value, given := values[s.name]
		delete(values, s.name)
		switch {
		case given && value != "":
		case s.required && slices.Contains(need, s.name):
			faults = append(faults, fmt.Errorf("%s%s: missing; set it to the %s", prefix, s.name, s.help))
			continue
		default:
			value = s.fallback
		}
		if value == "" {
			continue
		}
		if err := s.read(&c, value); err != nil {
			faults = append(faults, fmt.Errorf("%s%s: %w", prefix, s.name, err))
		}
	}
	faults = append(faults, unknown(values)...)
	return c, errors.Join(faults...)
}

func ours(environ []string) map[string]string {
	values := map[string]string{}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if short, ok := strings.CutPrefix(name, prefix); ok {
			values[short] = value
		}
	}
	return values
}

func unknown(rest map[string]string) []error {
	var names, faults = []string{}, []error{}
	for name := range rest {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		faults = append(faults, fmt.Errorf("%s%s: unknown; the names are %s", prefix, name, strings.Join(Names(), ", ")))
	}
	return faults
}

// Names lists the variables, in the order of the README.
func Names() []string {
	var names []string
	for _, s := range settings() {
		names = append(names, prefix+s.name)
	}
	return names
}

func text(field func(*Config) *string, pattern, want string) func(*Config, string) error {
	re := regexp.MustCompile(pattern)
	return func(c *Config, value string) error {
		if !re.MatchString(value) {
			return fmt.Errorf("%.80q is not %s", value, want)
		}
		*field(c) = value
		return nil
	}
}

func readQueueURL(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || !slices.Contains([]string{"https", "http"}, u.Scheme) {
		return fmt.Errorf("%.200q is not a queue's URL; take it from `terraform output queue_url`", value)
	}
	c.QueueURL = value
	return nil
}

func readDirectory(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return fmt.Errorf("%.200q is not an https URL; Let's Encrypt's is https://acme-v02.api.letsencrypt.org/directory", value)
	}
	c.Directory = value
	return nil
}

// readBundle takes PEM text or the name of a file with it. A certificate that can't be read is a
// fault: without it the CA's own may be the one that isn't trusted.
func readBundle(c *Config, value string) error {
	certs, err := pemfile.Certificates([]byte(value))
	if err != nil && !strings.Contains(value, "-----BEGIN") {
		data, missing := os.ReadFile(value)
		if missing != nil {
			return fmt.Errorf("reading the file: %w", missing)
		}
		certs, err = pemfile.Certificates(data)
	}
	if err != nil {
		return fmt.Errorf("reading the CA's certificates: %w", err)
	}
	c.CABundle = nil
	for _, cert := range certs {
		c.CABundle = append(c.CABundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return nil
}

func readRate(c *Config, value string) error {
	rate, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(rate) || rate < 0.1 || rate > 100 {
		return fmt.Errorf("%.40q is not a number of requests a second between 0.1 and 100", value)
	}
	c.Rate = rate
	return nil
}

func readResolvers(c *Config, value string) error {
	for _, r := range strings.Split(value, ",") {
		host, port, err := net.SplitHostPort(strings.TrimSpace(r))
		if err != nil || host == "" || port == "" {
			return fmt.Errorf("%.80q is not host:port; write for example 10.0.0.2:53", r)
		}
		c.Resolvers = append(c.Resolvers, net.JoinHostPort(host, port))
	}
	return nil
}

// Roots are what the CA's own TLS is checked with; nil for the system's.
func (c Config) Roots() (*x509.CertPool, error) {
	if c.CABundle == nil {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CABundle) {
		return nil, fmt.Errorf("%sACME_CA_BUNDLE: no certificate in it can be read", prefix)
	}
	return pool, nil
}
