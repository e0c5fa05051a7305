package lab

import "syscall"

// attributes tie the child's life to its parent's, and leave Ctrl-C to the parent alone.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
