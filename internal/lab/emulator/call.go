package emulator

import (
	"net/http"
	"net/url"
	"strings"
)

// Call is one request of a client, as seen from outside. A repeat by the client's SDK is a call of its own.
type Call struct {
	Service string // as in IAM's actions: dynamodb, sqs, secretsmanager, route53, events ...; empty if it isn't signed
	Action  string // the API's name of the operation, such as UpdateItem; "GET /path" where that isn't known
	Seq     int    // 1 for the first call, in order of arrival
	Body    []byte // may hold private keys: never print it
}

// Name is "service:Action", as Deny takes it and Counts gives it.
func (c Call) Name() string { return c.Service + ":" + c.Action }

// identify reads what a request is from where the SDKs put it.
func identify(r *http.Request, body []byte) Call {
	return Call{Service: service(r), Action: action(r, body), Body: body}
}

// signingNames differ from the services' names in IAM.
var signingNames = map[string]string{"monitoring": "cloudwatch"}

// service is the last but one part of the signature's credential scope: key/date/region/service/aws4_request.
func service(r *http.Request) string {
	_, scope, found := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !found {
		return ""
	}
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(scope, "/")
	if len(parts) != 5 {
		return ""
	}
	if name, differs := signingNames[parts[3]]; differs {
		return name
	}
	return parts[3]
}

// action is in a header of JSON protocols, in the form of the query protocol, and in method and path of REST ones.
func action(r *http.Request, body []byte) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
			return form.Get("Action")
		}
	}
	if named := r.URL.Query().Get("Action"); named != "" {
		return named
	}
	if named := route53Action(r.Method, r.URL.Path); named != "" {
		return named
	}
	return r.Method + " " + r.URL.Path
}

// route53Actions by method and path; a star is any one part of the path.
var route53Actions = map[string]string{
	"GET hostedzone":         "ListHostedZones",
	"POST hostedzone":        "CreateHostedZone",
	"GET hostedzone/*":       "GetHostedZone",
	"POST hostedzone/*":      "UpdateHostedZoneComment",
	"DELETE hostedzone/*":    "DeleteHostedZone",
	"GET hostedzone/*/rrset": "ListResourceRecordSets",
	// The SDKs end this one in a slash, which is cut off here.
	"POST hostedzone/*/rrset": "ChangeResourceRecordSets",
	"GET hostedzone/*/dnssec": "GetDNSSEC",
	"GET hostedzonesbyname":   "ListHostedZonesByName",
	"GET hostedzonecount":     "GetHostedZoneCount",
	"GET change/*":            "GetChange",
	"GET tags/hostedzone/*":   "ListTagsForResource",
	"POST tags/hostedzone/*":  "ChangeTagsForResource",
}

func route53Action(method, path string) string {
	rest, ours := strings.CutPrefix(path, "/2013-04-01/")
	if !ours {
		return ""
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	for i := range parts {
		if identifies(parts, i) {
			parts[i] = "*"
		}
	}
	return route53Actions[method+" "+strings.Join(parts, "/")]
}

// identifies tells whether a part of a path is an identifier rather than a word of the API.
func identifies(parts []string, i int) bool {
	return i == 1 && parts[0] != "tags" || i == 2 && parts[0] != "hostedzone"
}
