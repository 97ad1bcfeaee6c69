package witness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// labProcesses is how many there are while a lab runs: both functions and the emulator.
const labProcesses = 3

// endLimit is how long the system may take to forget a process that was killed.
const endLimit = 5 * time.Second

// process is one that this one started, or that one of those did.
type process struct {
	pid  int
	name string
}

func (p process) String() string { return fmt.Sprintf("%d (%s)", p.pid, p.name) }

// children lists every process below this one.
func children() ([]process, error) {
	ps := exec.Command("ps", "-A", "-o", "pid=,ppid=,comm=")
	out, err := ps.Output()
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	below := map[int][]process{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		parent, perr := strconv.Atoi(fields[1])
		if err := errors.Join(err, perr); err != nil {
			return nil, fmt.Errorf("listing processes: %w", err)
		}
		if pid != ps.Process.Pid {
			below[parent] = append(below[parent], process{pid, strings.Join(fields[2:], " ")})
		}
	}
	return descendants(below, os.Getpid()), nil
}

func descendants(below map[int][]process, pid int) []process {
	var all []process
	for _, p := range below[pid] {
		all = append(append(all, p), descendants(below, p.pid)...)
	}
	return all
}

// gone is nil once none of these processes, and no other below this one, is there any more.
func gone(were []process) error {
	for end := time.Now().Add(endLimit); ; time.Sleep(50 * time.Millisecond) {
		left, err := children()
		for _, p := range were {
			if syscall.Kill(p.pid, 0) == nil {
				left = append(left, p)
			}
		}
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes are left of the lab: %v", left)
		}
	}
}
