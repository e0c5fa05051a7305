//go:build !linux

package lab

import (
	"errors"
	"syscall"
)

// attributes leave Ctrl-C to the parent alone. Only Linux can tie the child's life to its parent's.
func attributes(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

var errLinux = errors.New("a process's memory is read as Linux tells it; there is no other way here yet")

// ResidentMemory is what the process has touched and holds, in bytes.
func (p *Process) ResidentMemory() (int64, error) { return 0, errLinux }

// ForgetPeak lets PeakMemory begin anew.
func (p *Process) ForgetPeak() error { return errLinux }

// PeakMemory is the most that was resident since ForgetPeak, in bytes.
func (p *Process) PeakMemory() (int64, error) { return 0, errLinux }
