//go:build unix && !linux

package lambda

import "syscall"

// attributes: without Linux's parent-death signal a bootstrap outlives a killed lab only until it next asks
// its Runtime API, which is gone then.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
