package ari

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// parse reads a RenewalInfo object (RFC 9773, 4.2). A window that doesn't end after it starts is as good as none.
func parse(body []byte) (*inventory.Window, string, error) {
	var shown struct {
		SuggestedWindow struct {
			Start time.Time `json:"start"`
			End   time.Time `json:"end"`
		} `json:"suggestedWindow"`
		ExplanationURL string `json:"explanationURL"`
	}
	if json.Unmarshal(body, &shown) != nil {
		return nil, "", errors.New("reading renewal information: the CA's answer is no RenewalInfo object")
	}
	start, end := shown.SuggestedWindow.Start.UTC(), shown.SuggestedWindow.End.UTC()
	if start.IsZero() || !end.After(start) {
		return nil, "", fmt.Errorf("reading renewal information: the suggested window from %s to %s is none", start.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	return &inventory.Window{Start: start, End: end}, explanation(shown.ExplanationURL), nil
}

// explanation is a link that is fit to be shown to people; empty for anything else.
func explanation(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(raw) > 500 {
		return ""
	}
	return u.String()
}
