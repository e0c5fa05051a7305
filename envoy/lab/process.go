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

// Command is a program to start.
type Command struct {
	Name   string // for its log and for errors
	Binary string
	Args   []string
	Env    []string // all of it; nil: that of this process
	Dir    string   // for its log, and what it runs in if In is set
	In     bool
	Alone  bool // on Linux: what it mounts nobody else sees, and what it starts ends with it
}

func start(name, binary, dir string, args ...string) (*Process, error) {
	return Start(Command{Name: name, Binary: binary, Dir: dir, Args: args})
}

// Start does not wait until it serves.
func Start(c Command) (*Process, error) {
	p := &Process{Log: filepath.Join(c.Dir, c.Name+".log"), name: c.Name, exited: make(chan struct{})}
	out, err := os.Create(p.Log)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(c.Binary, c.Args...)
	p.cmd.Env = c.Env
	if c.In {
		p.cmd.Dir = c.Dir
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = attributes(c.Alone)

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
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
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

// Serves waits until check is done, and stops a process that does not get there.
func (p *Process) Serves(ctx context.Context, limit time.Duration, check func(context.Context) (string, bool)) error {
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

// Answers is a check that a page can be read.
func Answers(page string) func(context.Context) (string, bool) {
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
