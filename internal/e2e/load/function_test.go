package load

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/lambda"
)

// BenchmarkFunction is what the worker's program weighs beside a function that does nothing: zipped, started, resident.
func BenchmarkFunction(b *testing.B) {
	nothing := filepath.Join(b.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-tags", "lambda.norpc", "-o", nothing, "./testdata/nothing")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("building the function that does nothing: %v\n%s", err, out)
	}
	for name, path := range map[string]string{"nothing": nothing, "worker": filepath.Join(world.Binaries, "renew", "bootstrap")} {
		b.Run(name, func(b *testing.B) {
			var starts []float64
			var resident float64
			for range 20 {
				began := time.Now()
				f, err := lambda.StartFunction(b.Context(), lambda.FunctionOptions{Name: name, Bootstrap: path, Env: world.Env(), Timeout: time.Minute})
				if err != nil {
					b.Fatal(err)
				}
				starts = append(starts, float64(time.Since(began).Milliseconds()))
				resident = peakMiB(b, f.Pid())
				f.Close()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(zippedMiB(b, path), "zip-MiB")
			b.ReportMetric(median(starts), "start-ms")
			b.ReportMetric(resident, "started-MiB")
		})
	}
	b.Run("worker_after_20_jobs_and_100_names", func(b *testing.B) {
		r := newRig(b, 100, ca.Edge{}, ca.Faults{})
		for _, got := range []result{r.issueAll(b, r.batch(b, 20, r.moreZones(b, 4))...), r.issue(b, 100)} {
			if !got.ok() {
				b.Error(got)
			}
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(peakMiB(b, r.Renew.Pid()), "peak-MiB")
	})
}

func zippedMiB(b *testing.B, path string) float64 {
	b.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	w, err := z.Create("bootstrap")
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	return float64(out.Len()) / (1 << 20)
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMiB is the most that a process was resident with.
func peakMiB(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("the system doesn't tell a process's memory in /proc")
	}
	kib, err := strconv.ParseFloat(string(highWater.FindSubmatch(status)[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
