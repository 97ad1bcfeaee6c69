package lambda

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// account is the one that the AWS emulator pretends to be.
const account = "123456789012"

// maxTimeout is the longest that Lambda gives one invocation.
const maxTimeout = 15 * time.Minute

// FunctionOptions describe a function as its Terraform resource does.
type FunctionOptions struct {
	Name      string
	Bootstrap string        // path of the executable
	Env       []string      // "NAME=value": all that the process gets besides what Lambda itself sets
	Timeout   time.Duration // of one invocation, up to 15 minutes; 0 is Lambda's default of 3 s
	MemoryMB  int           // what the process is told; 0 is Lambda's default of 128
	Log       io.Writer     // gets the process's stdout and stderr, each Write one whole line; nil discards
}

// withDefaults checks everything and reports all faults at once.
func (o FunctionOptions) withDefaults() (FunctionOptions, error) {
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.MemoryMB == 0 {
		o.MemoryMB = 128
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	faults := []error{CheckLoopback(o.Env)}
	if o.Name == "" {
		faults = append(faults, errors.New("field Name is empty: name the function"))
	}
	if o.Timeout < 0 || o.Timeout > maxTimeout {
		faults = append(faults, fmt.Errorf("field Timeout is %s: Lambda allows up to 15m", o.Timeout))
	}
	path, err := filepath.Abs(o.Bootstrap)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		faults = append(faults, fmt.Errorf("field Bootstrap is %q: build it first: %w", o.Bootstrap, err))
	}
	o.Bootstrap = path
	return o, errors.Join(faults...)
}

func (o FunctionOptions) region() string { return lookup(o.Env, "AWS_REGION", "us-east-1") }

func (o FunctionOptions) arn() string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", o.region(), account, o.Name)
}

// environment is the process's: the function's own variables, then Lambda's, which win. Without the two nulls
// the SDK would look for the user's own AWS profiles.
func (o FunctionOptions) environment(runtimeAPI string) []string {
	env := []string{"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}
	env = append(env, o.Env...)
	return append(env,
		"AWS_LAMBDA_RUNTIME_API="+runtimeAPI,
		"AWS_LAMBDA_FUNCTION_NAME="+o.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+strconv.Itoa(o.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/"+o.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=lab",
		"LAMBDA_TASK_ROOT="+filepath.Dir(o.Bootstrap),
		"_HANDLER=bootstrap",
		"TZ=:UTC",
		"LANG=en_US.UTF-8",
		"PATH=/usr/local/bin:/usr/bin:/bin",
	)
}

// lookup returns the value that a process given env would see: the last one.
func lookup(env []string, name, fallback string) string {
	value := fallback
	for _, variable := range env {
		if rest, ok := strings.CutPrefix(variable, name+"="); ok {
			value = rest
		}
	}
	return value
}
