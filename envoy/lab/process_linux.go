package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// attributes tie the child's life to its parent's, and leave Ctrl-C to the parent alone. A child that is alone has namespaces of its
// own for mounts and processes; who is not root needs one for users besides.
func attributes(alone bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if !alone {
		return a
	}
	a.Cloneflags, a.Unshareflags = syscall.CLONE_NEWPID, syscall.CLONE_NEWNS
	if user := os.Getuid(); user != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{HostID: user, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return a
}

// ResidentMemory is what the process has touched and holds, in bytes.
func (p *Process) ResidentMemory() (int64, error) { return p.memory("VmRSS:") }

// ForgetPeak lets PeakMemory begin anew (proc(5), clear_refs).
func (p *Process) ForgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0)
}

// PeakMemory is the most that was resident since ForgetPeak, in bytes.
func (p *Process) PeakMemory() (int64, error) { return p.memory("VmHWM:") }

func (p *Process) memory(name string) (int64, error) {
	file := fmt.Sprintf("/proc/%d/status", p.PID())
	status, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no line %s", file, name)
}
