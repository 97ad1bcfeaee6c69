package emulator

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Call is one request of a client, as seen from outside. A repeat by the client's SDK is a call of its own.
type Call struct {
	Service string // as in IAM's actions: dynamodb, sqs, secretsmanager, route53, events ...; empty if it isn't signed
	Action  string // the API's name of the operation, such as UpdateItem; "GET /path" where that isn't known
	Seq     int    // 1 for the first call, in order of arrival
	Key     string // id of the access key that signed it, by which callers may be told apart; empty if it isn't signed
	Attempt int    // 1, or which repeat of the caller's SDK it is; 0 where the caller doesn't say
	Body    []byte // may hold private keys: never print it
}

// Name is "service:Action", as Deny takes it and Counts gives it.
func (c Call) Name() string { return c.Service + ":" + c.Action }

// identify reads what a request is from where the SDKs put it.
func identify(r *http.Request, body []byte) Call {
	scope := credentialScope(r)
	return Call{Service: service(scope), Action: action(r, body), Key: scope[0], Attempt: attempt(r), Body: body}
}

// signingNames differ from the services' names in IAM.
var signingNames = map[string]string{"monitoring": "cloudwatch"}

// credentialScope is what a signature says of itself: key/date/region/service/aws4_request; all empty where there is none.
func credentialScope(r *http.Request) (scope [5]string) {
	_, said, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	said, _, _ = strings.Cut(said, ",")
	if parts := strings.Split(said, "/"); len(parts) == len(scope) {
		copy(scope[:], parts)
	}
	return scope
}

func service(scope [5]string) string {
	if name, differs := signingNames[scope[3]]; differs {
		return name
	}
	return scope[3]
}

// attempt is what the SDKs say in a header of theirs: "attempt=2; max=3".
func attempt(r *http.Request) int {
	_, said, _ := strings.Cut(r.Header.Get("Amz-Sdk-Request"), "attempt=")
	said, _, _ = strings.Cut(said, ";")
	n, err := strconv.Atoi(said)
	if err != nil {
		return 0
	}
	return n
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
