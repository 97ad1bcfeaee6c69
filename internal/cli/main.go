package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Main carries out what the process was started for, and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A reader that is gone, as in `certpace status | head`, is an error like a full disk. Without
	// this it would kill the process, which then says nothing. It is caught, not ignored, because
	// what is ignored is inherited by programs that fetch credentials.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return Run(ctx, os.Args[1:], Streams{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Terminal: terminal}, os.Environ())
}
