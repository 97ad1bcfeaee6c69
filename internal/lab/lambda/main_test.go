package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// labVariable makes the test binary be a lab that invokes one function, prints its process id and waits.
const labVariable = "CERTPACE_TEST_LAB"

var bootstrap string

func TestMain(m *testing.M) {
	if os.Getenv(labVariable) != "" {
		beLab(os.Getenv(labVariable))
	}
	folder, err := os.MkdirTemp("", "probe")
	if err != nil {
		panic(err)
	}
	bootstrap = filepath.Join(folder, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", bootstrap, "./testdata/cmd/probe")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(folder)
	os.Exit(code)
}

// beLab leaves its function in the middle of an invocation: a bootstrap that waits for the next one would
// notice by itself that the lab is gone.
func beLab(path string) {
	log := &syncBuffer{}
	f, err := StartFunction(context.Background(), FunctionOptions{
		Name: "probe", Bootstrap: path, Env: []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1"}, Timeout: 15 * time.Minute, Log: log,
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go f.Invoke(context.Background(), event("hang", ""))
	for !strings.Contains(log.String(), "hanging") {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(f.Pid())
	select {}
}

// syncBuffer may be written by a function while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// probe starts the bootstrap of testdata; change may alter its options.
func probe(t testing.TB, change func(*FunctionOptions)) *Function {
	t.Helper()
	o := FunctionOptions{Name: "probe", Bootstrap: bootstrap, Env: []string{"AWS_ENDPOINT_URL=http://127.0.0.1:1"}, Timeout: 5 * time.Minute}
	if change != nil {
		change(&o)
	}
	f, err := StartFunction(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// answered is what the probe says, or Lambda in its place.
type answered struct {
	Result
	Text, RequestID, ARN, Folder, ErrorType, ErrorMessage string
	Env                                                   map[string]string
	DeadlineMS                                            int64
	Pid                                                   int
}

func invoke(t testing.TB, f *Function, do, text string) answered {
	t.Helper()
	result, err := f.Invoke(t.Context(), event(do, text))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, result)
}

func read(t testing.TB, result Result) answered {
	t.Helper()
	var a answered
	if err := json.Unmarshal(result.Payload, &a); err != nil {
		t.Fatalf("payload %q: %v", result.Payload, err)
	}
	a.Result = result
	return a
}

func event(do, text string) []byte {
	payload, err := json.Marshal(map[string]string{"do": do, "text": text})
	if err != nil {
		panic(err)
	}
	return payload
}

// gone says whether the process doesn't run any more; one that waits for its parent to ask counts as gone.
func gone(pid int) bool {
	if runtime.GOOS != "linux" {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z")
}
