//go:build !linux

package lab

import "syscall"

// Only Linux can tie a child's life to its parent's.
func orphanDies() *syscall.SysProcAttr { return nil }
