//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// session is a process at a terminal: it reads from it, and writes to it.
type session struct {
	t    testing.TB
	cmd  *exec.Cmd
	keys *os.File // this end of the terminal
	tty  *os.File // the other, kept open to look at its state

	mu    sync.Mutex
	shown bytes.Buffer // all that was written to the terminal
}

// atTerminal starts a program at a terminal so many columns wide.
func atTerminal(t *testing.T, columns uint16, env string, program string, args ...string) *session {
	s := &session{t: t}
	var err error
	s.keys, s.tty, err = pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() { s.keys.Close(); s.tty.Close() })
	require.NoError(t, pty.Setsize(s.keys, &pty.Winsize{Rows: 24, Cols: columns}))
	s.cmd = exec.Command(program, args...)
	s.cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", env)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.tty, s.tty, s.tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { s.cmd.Process.Kill() })
	go io.Copy(s, s.keys) // until the terminal is closed
	return s
}

func (s *session) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Write(p)
}

func (s *session) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func (s *session) waitFor(text string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return strings.Contains(s.text(), text) }, 10*time.Second, 5*time.Millisecond, "%q is shown; there is %q", text, s.text)
}

// press types keys.
func (s *session) press(keys string) {
	_, err := s.keys.WriteString(keys)
	require.NoError(s.t, err)
}

// echoes tells whether the terminal shows what is typed.
func (s *session) echoes() bool {
	state, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	require.NoError(s.t, err)
	return state.Lflag&unix.ECHO != 0
}

// end waits for the process, for 10 s at most.
func (s *session) end() (code int) {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			require.NoError(s.t, err)
		}
	case <-time.After(10 * time.Second):
		require.Fail(s.t, "it does not end", s.text())
	}
	time.Sleep(50 * time.Millisecond) // what it wrote last may be on its way
	return s.cmd.ProcessState.ExitCode()
}

// screen is what stands on a terminal so many columns wide, line by line, after all that was written.
func screen(written string, columns int) []string {
	lines, row, column := [][]rune{nil}, 0, 0
	for _, r := range written {
		switch r {
		case '\r':
			column = 0
			continue
		case '\n':
			row++
		default:
			if column == columns {
				row, column = row+1, 0
			}
		}
		for row >= len(lines) {
			lines = append(lines, nil)
		}
		if r == '\n' {
			continue
		}
		for column >= len(lines[row]) {
			lines[row] = append(lines[row], ' ')
		}
		lines[row][column] = r
		column++
	}
	var text []string
	for _, l := range lines {
		text = append(text, strings.TrimRight(string(l), " "))
	}
	return text
}

// slow is a registry that takes and gives blobs slowly.
func slow(registry http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") && r.Method != http.MethodHead {
			r.Body = io.NopCloser(slowly{r.Body})
			w = slowWriter{w}
		}
		registry.ServeHTTP(w, r)
	})
}

type slowly struct{ io.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return s.Reader.Read(p[:min(len(p), 64<<10)])
}

type slowWriter struct{ http.ResponseWriter }

func (s slowWriter) Write(p []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return s.ResponseWriter.Write(p)
}

func TestAPasswordIsTypedUnseen(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := serve(t, distribution(t, true))
	s := atTerminal(t, 80, "", binary(t), "login", host, "--plain-http")
	s.waitFor("Name for " + host + ": ")
	assert.True(t, s.echoes())
	s.press(user + "\r")
	s.waitFor("(it does not show): ")
	require.Eventually(t, func() bool { return !s.echoes() }, 5*time.Second, time.Millisecond)
	s.press(password + "\r")
	require.Zero(t, s.end(), s.text())
	assert.True(t, s.echoes(), "the terminal is as it was")
	assert.NotContains(t, s.text(), password)
	assert.Contains(t, s.text(), "Name for "+host+": "+user+"\r\nPassword or token (it does not show): \r\nLogged in to "+host+".\r\n")
	file, _ := plugin(t, 100)
	must(t, "", "push", file, host+"/pp:1", "--plain-http")
}

func TestAPromptIsLeftAtOnce(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	program := binary(t)
	hidden := []string{"-u", user}
	for name, c := range map[string]struct {
		args  []string
		leave func(*session)
		says  string
	}{
		"Ctrl-C at the name":     {nil, func(s *session) { s.press("\x03") }, "publish: interrupted\r\n"},
		"Ctrl-C at the password": {hidden, func(s *session) { s.press("half\x03") }, "publish: interrupted\r\n"},
		"a signal":               {hidden, func(s *session) { s.cmd.Process.Signal(syscall.SIGTERM) }, "publish: interrupted\r\n"},
		"Ctrl-D at the name":     {nil, func(s *session) { s.press("\x04") }, "publish: no name was given\r\n"},
		"Enter at the password":  {hidden, func(s *session) { s.press("\r") }, "publish: no password was given\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := atTerminal(t, 80, "", program, append([]string{"login", "registry.test"}, c.args...)...)
			if s.waitFor(": "); c.args != nil {
				require.Eventually(t, func() bool { return !s.echoes() }, 5*time.Second, time.Millisecond)
			}
			c.leave(s)
			assert.Equal(t, 1, s.end(), s.text())
			assert.True(t, s.echoes(), "the terminal is as it was")
			assert.True(t, strings.HasSuffix(s.text(), "\r\n"+c.says), "%q", s.text())
			assert.NotContains(t, s.text(), "half")
		})
	}
}

func TestTheBarStaysOnItsLineAndGoes(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	program := binary(t)
	host := serve(t, slow(distribution(t, false)))
	file, _ := plugin(t, 4<<20)
	out := filepath.Join(t.TempDir(), "x")
	for _, columns := range []int{120, 20, 8} {
		ref := fmt.Sprintf("%s/in%d:1", host, columns)
		for _, args := range [][]string{
			{"push", file, ref, "--verify-whole"},
			{"pull", ref, "-o", out},
			{"copy", ref, ref + "-2", "--from-plain-http"},
		} {
			s := atTerminal(t, uint16(columns), "NO_COLOR=1", program, append(args, "--plain-http")...)
			require.Zero(t, s.end(), s.text())
			bars, said := frames(s.text())
			if args[0] != "copy" { // within a repository there is nothing to send
				require.Greater(t, len(bars), 2, "%s, %d columns: %q", args[0], columns, s.text())
			}
			for _, bar := range bars {
				assert.Less(t, len(bar), columns, "%q", bar)
			}
			assert.Equal(t, screen(said, columns), screen(s.text(), columns), "nothing is left of the bar")
			assert.NotContains(t, s.text(), "\x1b")
		}
	}
	s := atTerminal(t, 80, "TERM=dumb", program, "push", file, host+"/pp:1", "--plain-http")
	require.Zero(t, s.end(), s.text())
	assert.NotContains(t, s.text(), "pushing")
	r := publish(t, "", "push", file, host+"/qq:1", "--plain-http")
	assert.NotContains(t, r.stderr, "pushing", "no terminal, no bar")
	assert.NotContains(t, r.stderr, "\r")
}

func TestCtrlCTakesTheBarAway(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := serve(t, slow(distribution(t, false)))
	file, _ := plugin(t, 32<<20)
	s := atTerminal(t, 60, "", binary(t), "push", file, host+"/pp:1", "--plain-http")
	s.waitFor("pushing")
	s.press("\x03")
	assert.Equal(t, 1, s.end(), s.text())
	_, said := frames(s.text())
	assert.Equal(t, screen(said, 60), screen(s.text(), 60), "nothing is left of the bar")
	assert.Contains(t, said, ": interrupted\r\n")
	assert.NotContains(t, said, "pushing")
}

func TestAPluginIsNotWrittenOntoATerminal(t *testing.T) {
	s := atTerminal(t, 80, "", binary(t), "pull", "registry.test/pp:1", "-o", "-")
	assert.Equal(t, 2, s.end())
	assert.Contains(t, s.text(), "publish: --output - would write a plugin onto the terminal")
}

// frames parts what a bar drew, each state of it, from what stays.
func frames(text string) (bars []string, said string) {
	for _, line := range strings.SplitAfter(text, "\r\n") {
		parts := strings.Split(strings.TrimSuffix(line, "\r\n"), "\r")
		bars = append(bars, parts[:len(parts)-1]...)
		said += parts[len(parts)-1]
		if strings.HasSuffix(line, "\r\n") {
			said += "\r\n"
		}
	}
	return slices.DeleteFunc(bars, func(b string) bool { return b == "" }), said
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	program := binary(t)
	host := serve(t, distribution(t, false))
	file, _ := plugin(t, 100)
	must(t, "", "push", file, host+"/pp:1", "--plain-http")
	for env, coloured := range map[string]bool{"X=": true, "NO_COLOR=1": false, "TERM=dumb": false} {
		s := atTerminal(t, 80, env, program, "inspect", host+"/pp:1", "--plain-http")
		require.Zero(t, s.end(), s.text())
		assert.Equal(t, coloured, strings.Contains(s.text(), "Istio: \x1b[32myes\x1b[0m\r\n"), "%s: %q", env, s.text())
		assert.Equal(t, coloured, strings.Contains(s.text(), "\x1b"), env)
	}
}
