// Command demo shows the main job on one machine: make demo.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/certpace/certpace/internal/demo"
)

func main() {
	binaries := flag.String("lab", ".cache/lab", "folder with the binaries that make lab builds")
	python := flag.String("python", "", "Python of the emulator's virtual environment; empty for the one that make builds")
	logs := flag.String("log", "", "file for what the functions, the CA and the emulator print")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := demo.Run(ctx, os.Stdout, demo.Options{Binaries: *binaries, Python: *python, Log: *logs})
	interrupted := ctx.Err() != nil
	stop()
	if interrupted && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; everything that it started is gone")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
