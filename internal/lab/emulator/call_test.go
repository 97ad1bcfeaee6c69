package emulator

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func signed(method, target, service string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if service != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261121/eu-central-1/"+service+"/aws4_request, SignedHeaders=host, Signature=00")
	}
	return r
}

func TestACallIsKnownByItsName(t *testing.T) {
	with := func(r *http.Request, header, value string) *http.Request {
		r.Header.Set(header, value)
		return r
	}
	for _, test := range []struct {
		is   string
		r    *http.Request
		body string
		want string
	}{
		{"a JSON protocol names it in a header", with(signed("POST", "/", "dynamodb"), "X-Amz-Target", "DynamoDB_20120810.UpdateItem"), "{}", "dynamodb:UpdateItem"},
		{"the query protocol in its form", with(signed("POST", "/", "sts"), "Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), "Action=GetCallerIdentity&Version=2011-06-15", "sts:GetCallerIdentity"},
		{"or in its address", signed("GET", "/?Action=ListUsers", "iam"), "", "iam:ListUsers"},
		{"a service may sign under another name", with(signed("POST", "/", "monitoring"), "X-Amz-Target", "X.PutMetricAlarm"), "", "cloudwatch:PutMetricAlarm"},
		{"Route 53 in method and path", signed("POST", "/2013-04-01/hostedzone/Z1/rrset/", "route53"), "<x/>", "route53:ChangeResourceRecordSets"},
		{"its listing is another method", signed("GET", "/2013-04-01/hostedzone/Z1/rrset?name=x", "route53"), "", "route53:ListResourceRecordSets"},
		{"its changes have an id", signed("GET", "/2013-04-01/change/C1", "route53"), "", "route53:GetChange"},
		{"its tags too", signed("GET", "/2013-04-01/tags/hostedzone/Z1", "route53"), "", "route53:ListTagsForResource"},
		{"its zones are listed", signed("GET", "/2013-04-01/hostedzonesbyname?dnsname=x", "route53"), "", "route53:ListHostedZonesByName"},
		{"what isn't known is told by method and path", signed("GET", "/2015-03-31/functions/plan", "lambda"), "", "lambda:GET /2015-03-31/functions/plan"},
		{"what isn't signed has no service", signed("GET", "/x", ""), "", ":GET /x"},
	} {
		t.Run(test.is, func(t *testing.T) {
			if got := identify(test.r, []byte(test.body)).Name(); got != test.want {
				t.Errorf("got %s; want %s", got, test.want)
			}
		})
	}
}

func TestACallTellsWhoSignedItAndWhichAttemptItIs(t *testing.T) {
	r := signed("POST", "/", "dynamodb")
	if c := identify(r, nil); c.Key != "AKIA" || c.Attempt != 0 {
		t.Errorf("got key %q, attempt %d", c.Key, c.Attempt)
	}
	r.Header.Set("Amz-Sdk-Request", "attempt=2; max=3")
	if c := identify(r, nil); c.Attempt != 2 {
		t.Errorf("got attempt %d", c.Attempt)
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("POST", "2013-04-01/hostedzone/Z1/rrset", "AWS4-HMAC-SHA256 Credential=A/B/C/route53/aws4_request, X", "", "Action=A")
	f.Add("GET", "", "Credential=", "DynamoDB_20120810.", "")
	f.Add("PUT", "2013-04-01/", "Credential=a/b/c/d/e", "no-dot", "Action=%zz")
	f.Fuzz(func(t *testing.T, method, path, authorization, target, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL.Path = method, "/"+path
		r.Header = http.Header{"Authorization": {authorization}, "X-Amz-Target": {target}, "Content-Type": {"application/x-www-form-urlencoded"}}
		call := identify(r, []byte(body))
		if strings.ContainsAny(call.Service, "/,") {
			t.Errorf("service %q holds more than its name", call.Service)
		}
		if target == "" && call.Action == "" {
			t.Error("an action has no name")
		}
	})
}
