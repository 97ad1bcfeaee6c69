package simulate

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestWriteChart(t *testing.T) {
	s := parsed(t, head+"duration: 3000h\nfleet: {certificates: 100, registered_domains: 1}\n")
	r, err := Run(context.Background(), s, Generate(s), Options{RegisteredDomains: lastTwo})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteChart(&b, "a <b> & c\u202e", s, r); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"a &lt;b&gt; &amp; c\\u202e", "orders per hour", "least days left", "2026-12-01", ">50</text>", ">100</text>"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q isn't in the page", want)
		}
	}
	for _, bad := range []string{"http:", "https:", "<script", "NaN", "Inf"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	for i, svg := range strings.Split(page, "<svg")[1:] {
		body, _, _ := strings.Cut(svg, "</svg>")
		for d := xml.NewDecoder(strings.NewReader("<svg" + body + "</svg>")); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("picture %d: %v", i, err)
			}
		}
		if strings.Count(body, "L") < mostPoints/2 {
			t.Errorf("picture %d has hardly a curve", i)
		}
	}
}

func TestThinKeepsTheExtremes(t *testing.T) {
	hours := make([]Hour, 5000)
	hours[1234].Orders = 7
	for i := range hours {
		hours[i].LeastDaysLeft = 30
	}
	hours[4321].LeastDaysLeft = -2
	hours[10].LeastDaysLeft = math.NaN()
	most, least := 0.0, 30.0
	for _, v := range panels[0].thin(hours) {
		most = max(most, v)
	}
	for _, v := range panels[3].thin(hours) {
		least = min(least, v)
	}
	if most != 7 || least != -2 {
		t.Errorf("%f and %f; want 7 and -2", most, least)
	}
}
