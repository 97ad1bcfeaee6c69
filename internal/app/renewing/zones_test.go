package renewing

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/certpace/certpace/internal/dns"
)

// A role whose trust asks for an external id can be assumed with it only, and one that doesn't is given none.
func TestARoleIsAssumedWithItsExternalID(t *testing.T) {
	for name, row := range map[string]struct {
		role    dns.Role
		assumed string // role and external id, empty where none is assumed
	}{
		"with one":               {dns.Role{ARN: "arn:aws:iam::1:role/dns", ExternalID: "customer-7"}, "arn:aws:iam::1:role/dns [customer-7]"},
		"without one":            {dns.Role{ARN: "arn:aws:iam::1:role/dns"}, "arn:aws:iam::1:role/dns []"},
		"and none for ourselves": {dns.Role{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var assumed string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.Method == http.MethodGet {
					http.Error(w, "no zone", http.StatusNotFound)
					return
				}
				_ = req.ParseForm()
				assumed = fmt.Sprint(req.Form.Get("RoleArn"), " ", req.Form["ExternalId"])
				fmt.Fprint(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey>`+
					`<SessionToken>c</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
			}))
			defer server.Close()
			client := zones(aws.Config{
				Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
			})(row.role)
			if _, err := client.GetHostedZone(t.Context(), &route53.GetHostedZoneInput{Id: aws.String("Z1")}); err == nil {
				t.Error("there is no zone, and none is missing")
			}
			if assumed != row.assumed {
				t.Errorf("assumed %q, want %q", assumed, row.assumed)
			}
		})
	}
}
