package child

import "syscall"

// attributes put the process into a group of its own, and have the kernel kill it should we be
// killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
