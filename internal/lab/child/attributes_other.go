//go:build unix && !linux

package child

import "syscall"

// attributes put the process into a group of its own. Elsewhere than on Linux it outlives us where
// we are killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
