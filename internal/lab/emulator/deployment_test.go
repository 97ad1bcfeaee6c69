package emulator_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/certpace/certpace/internal/lab/emulator"
)

// request is a call of a service of which this module has no client: Terraform makes them.
func request(t *testing.T, method, service, path, contentType, body string) string {
	t.Helper()
	call, err := http.NewRequestWithContext(t.Context(), method, shared(t).URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	call.Header.Set("Content-Type", contentType)
	call.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=K/20261121/"+emulator.Region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(call)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode > 299 {
		t.Fatalf("%s %s %s: %d, %v: %s", service, method, path, response.StatusCode, err, content)
	}
	return string(content)
}

func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

const formType, jsonType = "application/x-www-form-urlencoded", "application/json"

// newFunction deploys a function that nothing starts.
func newFunction(t *testing.T) (name string) {
	t.Helper()
	name = unique(t)
	request(t, "POST", "iam", "/", formType, form("Action", "CreateRole", "Version", "2010-05-08", "RoleName", name,
		"AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`))
	var archive bytes.Buffer
	packed := zip.NewWriter(&archive)
	if _, err := packed.Create("bootstrap"); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	request(t, "POST", "lambda", "/2015-03-31/functions", jsonType, fmt.Sprintf(
		`{"FunctionName":%q,"Runtime":"provided.al2023","Handler":"bootstrap","Role":"arn:aws:iam::%s:role/%s","Code":{"ZipFile":%q},
		"LoggingConfig":{"LogFormat":"JSON","LogGroup":"/lab/%s"}}`,
		name, emulator.Account, name, base64.StdEncoding.EncodeToString(archive.Bytes()), name))
	return name
}

func TestDeployment(t *testing.T) {
	t.Run("a function keeps its logging", func(t *testing.T) {
		name := newFunction(t)
		logging := func() (config struct{ LogFormat, LogGroup string }) {
			var got struct {
				Configuration struct {
					LoggingConfig struct{ LogFormat, LogGroup string }
				}
			}
			if err := json.Unmarshal([]byte(request(t, "GET", "lambda", "/2015-03-31/functions/"+name, jsonType, "")), &got); err != nil {
				t.Fatal(err)
			}
			return got.Configuration.LoggingConfig
		}
		if got := logging(); got.LogFormat != "JSON" || got.LogGroup != "/lab/"+name {
			t.Errorf("as made it is %+v", got)
		}
		request(t, "PUT", "lambda", "/2015-03-31/functions/"+name+"/configuration", jsonType, `{"LoggingConfig":{"LogFormat":"Text","LogGroup":"/other"}}`)
		if got := logging(); got.LogFormat != "Text" || got.LogGroup != "/other" {
			t.Errorf("as changed it is %+v", got)
		}
	})
	t.Run("a mapping takes no message", func(t *testing.T) {
		name, queue := newFunction(t), newQueue(t, nil)
		arn := fmt.Sprintf("arn:aws:sqs:%s:%s:%s", emulator.Region, emulator.Account, queue[strings.LastIndexByte(queue, '/')+1:])
		request(t, "POST", "lambda", "/2015-03-31/event-source-mappings", jsonType, fmt.Sprintf(`{"FunctionName":%q,"EventSourceArn":%q,"BatchSize":10,"Enabled":true}`, name, arn))
		send(t, queue, "job")
		messages, err := receive(t.Context(), t, queue, 1, 60)
		if err != nil || len(messages) != 1 || messages[0].Attributes["ApproximateReceiveCount"] != "1" {
			t.Errorf("got %v, %v; want the message, for the first time", messages, err)
		}
	})
	t.Run("a composite alarm is made", func(t *testing.T) {
		name := unique(t)
		request(t, "POST", "monitoring", "/", formType, form("Action", "PutCompositeAlarm", "Version", "2010-08-01", "AlarmName", name, "AlarmRule", "TRUE"))
		got := request(t, "POST", "monitoring", "/", formType, form("Action", "DescribeAlarms", "Version", "2010-08-01", "AlarmNames.member.1", name, "AlarmTypes.member.1", "CompositeAlarm"))
		if !strings.Contains(got, "<AlarmRule>TRUE</AlarmRule>") {
			t.Errorf("it is described as %s", got)
		}
	})
	t.Run("what moto doesn't have is refused for good: clients repeat a 500 for minutes", func(t *testing.T) {
		_, err := shared(t).dynamodb.ListContributorInsights(t.Context(), &dynamodb.ListContributorInsightsInput{})
		var refused *awshttp.ResponseError
		if !errors.As(err, &refused) || refused.HTTPStatusCode() != http.StatusNotImplemented {
			t.Errorf("got %v; want 501", err)
		}
	})
	t.Run("the lab's own paths are no part of the cloud", func(t *testing.T) {
		response, err := http.Get(shared(t).URL() + "/certpace-lab/dns")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("got %s; want 404", response.Status)
		}
	})
}
