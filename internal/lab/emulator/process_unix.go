//go:build unix && !linux

package emulator

import "syscall"

// attributes put the process into a group of its own, so that a Ctrl-C in the terminal reaches only us and we end it in
// order. Should we be killed, it sees the end of its standard input.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
