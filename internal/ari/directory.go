package ari

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// directory is what matters here of an ACME directory.
type directory struct {
	renewalInfo string // empty where the CA has none
	fetched     time.Time
}

// renewalInfoURL is where a CA answers; empty where it doesn't. It is remembered.
func (c *Client) renewalInfoURL(ctx context.Context, url string) (string, error) {
	if !isHTTPS(url) {
		return "", configuration("acme_directory: %.300q is not an https URL; write one such as https://acme-v02.api.letsencrypt.org/directory", url)
	}
	if d, ok := c.remembered(url); ok {
		return d.renewalInfo, nil
	}
	doing := "reading the directory " + url
	a, err := c.get(ctx, url)
	if err != nil {
		return "", during(doing, err)
	}
	if a.status >= 400 && a.status < 500 && a.status != http.StatusTooManyRequests {
		return "", configuration("%s: the CA answered HTTP %d %s; give the URL of an ACME directory in CERTPACE_ACME_DIRECTORY or acme_directory",
			doing, a.status, http.StatusText(a.status))
	}
	if a.status != http.StatusOK {
		return "", c.refused(doing, a)
	}
	d, err := c.readDirectory(a.body)
	if err != nil {
		return "", during(doing, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.directories[url] = d
	return d.renewalInfo, nil
}

func (c *Client) remembered(url string) (directory, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.directories[url]
	return d, ok && c.now().Sub(d.fetched) < keep
}

// readDirectory tells a CA without renewal information from an answer that is no directory at all.
func (c *Client) readDirectory(body []byte) (directory, error) {
	var shown struct {
		NewOrder    string `json:"newOrder"`
		RenewalInfo string `json:"renewalInfo"`
	}
	if json.Unmarshal(body, &shown) != nil || shown.NewOrder == "" {
		return directory{}, configuration("the answer is no ACME directory; give its URL in CERTPACE_ACME_DIRECTORY or acme_directory")
	}
	if shown.RenewalInfo != "" && !isHTTPS(shown.RenewalInfo) {
		return directory{}, renew.LaterAt(c.now().Add(otherwise), reason.CARefused, fmt.Errorf("its renewalInfo %.200q is not an https URL", shown.RenewalInfo))
	}
	return directory{renewalInfo: shown.RenewalInfo, fetched: c.now()}, nil
}
