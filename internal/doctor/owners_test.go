package doctor_test

import (
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/doctor"
	"github.com/certpace/certpace/internal/vault"
)

const arnOf = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"

func TestWhoseSecretsTheyAre(t *testing.T) {
	for name, tc := range map[string]struct {
		ail   func(p *patient)
		state doctor.State
		says  []string
		not   string
	}{
		"a certificate's secret is another deployment's": {
			func(p *patient) { p.owners["www"] = "test" }, doctor.Fail,
			[]string{`www`, `"test"`, "secret_prefix", "certpace adopt --from-secrets --take-over"}, "reissue",
		},
		"another deployment has secrets below the prefix": {
			func(p *patient) { p.secrets, p.owners["api"] = append(p.secrets, "api"), "test" }, doctor.Warn,
			[]string{`"test"`, "api", "prod/", "secret_prefix"}, "reissue",
		},
		"a secret of ours isn't in the table": {
			func(p *patient) { p.secrets = append(p.secrets, "api") }, doctor.Warn, []string{"api", "certpace adopt --from-secrets"}, "take-over",
		},
		"a secret that names nobody is in a certificate's way": {
			func(p *patient) { p.owners["www"], p.fleet[0].InUse = "", nil }, doctor.Fail, []string{"certpace adopt www --secret arn:www"}, "",
		},
		"one that the table knows is ours": {
			func(p *patient) { p.owners["www"] = "" }, doctor.OK, []string{"each of 1 certificates"}, "",
		},
		"one that an open issuance made is ours": {
			func(p *patient) {
				p.owners["www"], p.fleet[0].InUse, p.fleet[0].Status.Issuance = "", nil, "0#set"
			}, doctor.OK, []string{"each of 0 certificates"}, "",
		},
		"somebody's secret beside them is nobody's business": {
			func(p *patient) { p.secrets, p.owners["database"] = append(p.secrets, "database"), "" }, doctor.OK, nil, "",
		},
		"what is in use is under another prefix": {
			func(p *patient) { p.secrets, p.fleet[0].InUse.SecretARN = nil, arnOf+"certpace/www-AbCdEf" }, doctor.Fail,
			[]string{"www", "certpace/www", `"certpace/"`, "secret_prefix"}, "reissue",
		},
		"what was moved to the prefix is where it belongs": {
			func(p *patient) { p.fleet[0].InUse.SecretARN = arnOf + "prod/www-AbCdEf" }, doctor.OK, []string{"each of 1"}, "",
		},
		"an account is another deployment's": {
			func(p *patient) {
				p.accounts = []vault.Account{{Name: "prod/accounts/ca.example/0", Deployment: "test"}, {Name: "prod/accounts/b/0", Deployment: "prod"}, {Name: "prod/accounts/c/0"}}
			}, doctor.Fail, []string{"prod/accounts/ca.example/0", `"test"`, "--take-over"}, "accounts/b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := healthy()
			tc.ail(p)
			worst, said := doctor.OK, ""
			for _, f := range p.examine() {
				if f.Check != "secrets" {
					continue
				}
				said += f.Message + "\n"
				if f.State == doctor.Fail || f.State == doctor.Warn && worst == doctor.OK {
					worst = f.State
				}
			}
			if worst != tc.state || tc.not != "" && strings.Contains(said, tc.not) {
				t.Errorf("%s, want %s: %s", worst, tc.state, said)
			}
			for _, w := range tc.says {
				if !strings.Contains(said, w) {
					t.Errorf("%q isn't in %q", w, said)
				}
			}
		})
	}
}
