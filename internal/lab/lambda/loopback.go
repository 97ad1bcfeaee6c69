package lambda

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// CheckLoopback returns an error for each variable of env ("NAME=value") by which a program given it could
// leave this machine: AWS_ENDPOINT_URL has to be there, and it, every AWS_ENDPOINT_URL_<SERVICE> and every
// CERTPACE_ACME_DIRECTORY has to be an http or https URL of 127.0.0.0/8, ::1 or localhost. Of a name that
// occurs twice both values are held to it.
func CheckLoopback(env []string) error {
	var faults []error
	endpoint := false
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS":
			faults = append(faults, checkNotIgnoring(name, value))
		case name == "AWS_ENDPOINT_URL" || strings.HasPrefix(name, "AWS_ENDPOINT_URL_") || name == "CERTPACE_ACME_DIRECTORY":
			endpoint = endpoint || name == "AWS_ENDPOINT_URL"
			faults = append(faults, checkURL(name, value))
		}
	}
	if !endpoint {
		faults = append(faults, errors.New("AWS_ENDPOINT_URL is not set: without it the real AWS would be used; set it to the emulator's URL"))
	}
	return errors.Join(faults...)
}

func checkURL(name, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isLoopback(u.Hostname()) {
		return fmt.Errorf("%s is %q: the lab allows loopback only; give an http or https URL of 127.0.0.1, ::1 or localhost", name, value)
	}
	return nil
}

// checkNotIgnoring refuses what makes the SDKs overlook every endpoint variable.
func checkNotIgnoring(name, value string) error {
	if ignore, err := strconv.ParseBool(value); err == nil && !ignore || value == "" {
		return nil
	}
	return fmt.Errorf("%s is %q: it turns AWS_ENDPOINT_URL off; leave it out", name, value)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
