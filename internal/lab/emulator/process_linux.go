package emulator

import "syscall"

// attributes put the process into a group of its own, so that a Ctrl-C in the terminal reaches only us and we end it in
// order, and have the kernel kill it should we be killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
