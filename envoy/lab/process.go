package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Process is a program that was started here and does not outlive this one.
type Process struct {
	Log    string // the file that holds its output
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // how it ended; to be read once exited is closed
}

func start(name, binary, dir string, args ...string) (*Process, error) {
	p := &Process{Log: filepath.Join(dir, name+".log"), name: name, exited: make(chan struct{})}
	out, err := os.Create(p.Log)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = attributes()

	started := make(chan error)
	go func() {
		// The kernel ends the child with the thread that started it, so that thread has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer out.Close()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Failed is nil while the process runs, and says with the end of its log how it ended.
func (p *Process) Failed() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended (%v); its log ends:\n%s", p.name, p.err, p.tail(2000))
	default:
		return nil
	}
}

// serves waits until check is done, and stops a process that does not get there.
func (p *Process) serves(ctx context.Context, limit time.Duration, check func(context.Context) (string, bool)) error {
	err := Until(ctx, p.name+" to serve", limit, func(ctx context.Context) (string, bool) {
		if p.Failed() != nil {
			return "", true
		}
		return check(ctx)
	})
	if failed := p.Failed(); failed != nil {
		return failed
	}
	if err != nil {
		return errors.Join(err, p.Stop())
	}
	return nil
}

// answers is a check that a page can be read.
func answers(page string) func(context.Context) (string, bool) {
	return func(ctx context.Context) (string, bool) {
		body, err := fetch(ctx, page)
		return fmt.Sprintf("%s %v", body, err), err == nil
	}
}

// Stop asks the process to end, and makes it end after five seconds. An error says that it had ended
// before, or that it had to be killed.
func (p *Process) Stop() error {
	if err := p.Failed(); err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.name, err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(5 * time.Second):
		p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("%s did not end within 5s of SIGTERM and was killed", p.name)
	}
}

func (p *Process) tail(limit int) []byte {
	log, err := os.ReadFile(p.Log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(log[max(0, len(log)-limit):])
}
