package lambda

import "syscall"

// attributes make the kernel kill the process when the lab is gone, however the lab ended.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
