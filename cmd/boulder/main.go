// Command boulder keeps Let's Encrypt's own CA and certpace beside it up, for a person to try things
// by hand: make boulder. docs/boulder.md says what there is to try.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/certpace/certpace/internal/byhand"
)

func main() {
	var o byhand.Options
	flag.StringVar(&o.Binaries, "lab", ".cache/lab", "folder with the binaries that make lab builds")
	flag.StringVar(&o.Python, "python", "", "Python of the emulator's virtual environment; empty for the one that make builds")
	flag.StringVar(&o.Programs, "boulder", ".cache/boulder", "folder that scripts/boulder fills")
	flag.StringVar(&o.Dir, "dir", ".cache/boulder-run", "folder for configuration, logs and the environment to export; emptied at the start")
	flag.IntVar(&o.Port, "port", 19000, "the first of the ports that the CA takes")
	zones := flag.String("zones", "example-lab.com,other-lab.com", "hosted zones to make, with commas between them; under real public suffixes")
	flag.DurationVar(&o.Tick, "tick", 15*time.Second, "how often the planner runs")
	flag.Parse()
	o.Zones, o.In = strings.Split(*zones, ","), os.Stdin
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := byhand.Run(ctx, os.Stdout, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "boulder:", err)
		os.Exit(1)
	}
}
