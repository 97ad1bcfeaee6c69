package budget

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Figures reads the burst and the period out of a refusal's detail: "too many new orders (300) from
// this account in the last 3h0m0s". Zero where it names none. The count isn't in its words: it is
// taken to be the burst.
func Figures(detail string) Limit {
	m := figureText.FindStringSubmatch(detail)
	if m == nil {
		return Limit{}
	}
	burst, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return Limit{}
	}
	period, err := time.ParseDuration(strings.TrimSuffix(m[2], "."))
	said := Limit{Burst: burst, Count: burst, Period: period}
	if err != nil || said.Validate() != nil {
		return Limit{}
	}
	return said
}

// Differs says whether the CA named other figures than l has; no figures are no others.
func (l Limit) Differs(said Limit) bool {
	return said != Limit{} && (l.Burst != said.Burst || l.Period != said.Period)
}

// Wide is the name under which a limit of k is to be set where the CA named other figures for k: of
// a registered domain for that one, because that is what CAs grant, else for every key.
func (k Key) Wide() Name {
	if k.Limit == CertificatesPerRegisteredDomain || k.Limit == CertificatesPerRegisteredDomainPerAccount {
		return k.Limit.For(k.Subject)
	}
	return k.Limit
}

// SetCommand is the command that makes said the limit of that name.
func SetCommand(n Name, said Limit) string {
	limit, subject, single := n.Split()
	alone := ""
	if single {
		alone = " --for " + subject
		if strings.Contains(subject, " ") {
			alone = fmt.Sprintf(" --for %q", subject)
		}
	}
	return fmt.Sprintf("certpace budgets set %s%s --burst %d --period %s", limit, alone, said.Burst, said.Period)
}

// Others says, one for each of them, which of the figures that the CA named aren't those of l, and
// what to do.
func (l Limits) Others(heard Limits) []string {
	var all []string
	for _, n := range slices.Sorted(maps.Keys(heard)) {
		limit, subject, _ := n.Split()
		if have, limited := l.Of(Key{Limit: limit, Subject: subject}); !limited || have.Differs(heard[n]) {
			all = append(all, heard[n].instead(n, have))
		}
	}
	return all
}

func (said Limit) instead(n Name, have Limit) string {
	return fmt.Sprintf("the CA's own figures for %s are %d in %s, here they are %d in %s: `%s`", n, said.Burst, said.Period, have.Burst, have.Period, SetCommand(n, said))
}
