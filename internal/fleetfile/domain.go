package fleetfile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// maxName is the longest name that can be proved: 253 characters of DNS less `_acme-challenge.` in front of it.
const maxName = 253 - len("_acme-challenge.")

// maxLabel is the longest label of a DNS name (RFC 1035, 2.3.4).
const maxLabel = 63

// alabels maps names to A-labels as browsers do (UTS 46, non-transitional), and refuses what is no valid label.
var alabels = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(true),
	idna.ValidateLabels(true), idna.CheckHyphens(true), idna.VerifyDNSLength(true))

// normalize checks a DNS name as a certificate may carry it, a wildcard's "*." included, and gives it in lower case. fault is empty, or
// says what is wrong and what to write.
func normalize(raw string) (name, fault string) {
	name = lower(raw)
	base, wildcard := strings.CutPrefix(name, "*.")
	for _, check := range []func(raw, base string, wildcard bool) string{
		empty, several, address, asterisk, unicodeName, finalDot, characters, lengths, reserved, shape,
	} {
		if fault := check(raw, base, wildcard); fault != "" {
			return "", fault
		}
	}
	return name, ""
}

// lower changes ASCII only: the rest is refused with its A-label, which takes care of case by its own rules.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func prefixed(base string, wildcard bool) string {
	if wildcard {
		return "*." + base
	}
	return base
}

func empty(raw, base string, _ bool) string {
	if strings.Trim(base, ". \t\r\n") == "" {
		return fmt.Sprintf("%.80q is no DNS name; write one, such as \"www.example.com\"", raw)
	}
	return ""
}

// several names in one text are a list without its brackets, or an item too few.
func several(raw, _ string, _ bool) string {
	names := apart(raw)
	if len(names) < 2 || slices.ContainsFunc(names, func(s string) bool { return !strings.Contains(s, ".") }) {
		return ""
	}
	fault := fmt.Sprintf("%.300q is several names; write an item for each", raw)
	if list, ok := flow(raw); ok {
		fault += ": " + strings.Trim(list, "[]")
	}
	return fault
}

func address(raw, base string, _ bool) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(base, "."), "["), "]")
	if _, err := netip.ParseAddr(inner); err != nil {
		if _, err := netip.ParsePrefix(inner); err != nil {
			return ""
		}
	}
	return fmt.Sprintf("%.80q is an IP address; only DNS names can be proved by dns-01, write a name", raw)
}

func finalDot(raw, base string, wildcard bool) string {
	if trimmed := strings.TrimRight(base, "."); trimmed != base {
		return fmt.Sprintf("%.300q ends in a dot; write %.300q", raw, prefixed(trimmed, wildcard))
	}
	return ""
}

func asterisk(raw, base string, _ bool) string {
	if !strings.Contains(base, "*") {
		return ""
	}
	return fmt.Sprintf("%.300q is no wildcard; an asterisk stands alone and first, for one label: \"*.example.com\"", raw)
}

func unicodeName(raw, base string, wildcard bool) string {
	if isASCII(base) {
		return ""
	}
	a, err := alabels.ToASCII(base)
	if err != nil {
		return fmt.Sprintf("%.300q is not ASCII, and has no A-label (%s); correct the name", raw, oneLine(err.Error()))
	}
	return fmt.Sprintf("%.300q is not ASCII; write %q", raw, prefixed(strings.TrimSuffix(a, "."), wildcard))
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}

func characters(raw, base string, _ bool) string {
	i := strings.IndexFunc(base, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("%.300q has the character %q; a DNS name in a certificate has a-z, 0-9, '-' and '.'", raw, base[i])
}

func shape(raw, base string, _ bool) string {
	labels := strings.Split(base, ".")
	for _, l := range labels {
		switch {
		case l == "":
			return fmt.Sprintf("%.300q has an empty label; remove the extra dot", raw)
		case strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-"):
			return fmt.Sprintf("%.300q has the label %.80q; a label begins and ends with a letter or a digit", raw, l)
		}
	}
	switch last := labels[len(labels)-1]; {
	case len(labels) < 2:
		return fmt.Sprintf("%.300q has one label only; no public CA issues for it, write a full name such as \"%.80s.example.com\"", raw, base)
	case strings.Trim(last, "0123456789") == "":
		return fmt.Sprintf("%.300q ends in a number; no public name does, write a full name", raw)
	}
	return ""
}

func lengths(raw, base string, _ bool) string {
	for l := range strings.SplitSeq(base, ".") {
		if len(l) > maxLabel {
			return fmt.Sprintf("%.80q… has a label of %d characters; DNS allows %d", raw, len(l), maxLabel)
		}
	}
	if len(base) > maxName {
		return fmt.Sprintf("%.80q… has %d characters; dns-01 can prove %d (253 less \"_acme-challenge.\")", raw, len(base), maxName)
	}
	return ""
}

// reserved checks labels with hyphens in third and fourth place: A-labels must survive the way to Unicode and back, others belong to nobody.
func reserved(raw, base string, wildcard bool) string {
	for l := range strings.SplitSeq(base, ".") {
		if len(l) < 4 || l[2:4] != "--" {
			continue
		}
		if !strings.HasPrefix(l, "xn--") {
			return fmt.Sprintf("%.300q has the label %.80q; hyphens in third and fourth place are reserved (RFC 5890), choose another name", raw, l)
		}
		if fault := roundTrip(raw, base, l, wildcard); fault != "" {
			return fault
		}
	}
	return ""
}

func roundTrip(raw, base, l string, wildcard bool) string {
	back, err := viaUnicode(l)
	if err == nil && back == l {
		return ""
	}
	if mended, err := viaUnicode(base); err == nil && mended != base {
		return fmt.Sprintf("%.300q has the label %.80q, which doesn't survive the way to Unicode and back; write %q", raw, l, prefixed(mended, wildcard))
	}
	return fmt.Sprintf("%.300q has the label %.80q, which is no valid A-label; write the label that the registrar shows", raw, l)
}

// viaUnicode decodes A-labels as they stand, and makes them again by the rules.
func viaUnicode(name string) (string, error) {
	u, err := idna.Punycode.ToUnicode(name)
	if err != nil {
		return "", err
	}
	return alabels.ToASCII(u)
}
