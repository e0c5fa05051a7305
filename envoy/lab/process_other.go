//go:build !linux

package lab

import "syscall"

// attributes leave Ctrl-C to the parent alone. Only Linux can tie the child's life to its parent's.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
