package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/routelens/routelens/publish/internal/registry"
)

// isTerminal tells whether a person is at the other end.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// style adds colours, or nothing.
type style struct{ on bool }

func styleFor(w io.Writer) style {
	return style{isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s style) bold(text string) string  { return s.in("\x1b[1m", text) }
func (s style) green(text string) string { return s.in("\x1b[32m", text) }
func (s style) red(text string) string   { return s.in("\x1b[31m", text) }

func (s style) in(code, text string) string {
	if !s.on {
		return text
	}
	return code + text + "\x1b[0m"
}

// verdict is yes or no, in its colour.
func (s style) verdict(yes bool) string {
	if yes {
		return s.green("yes")
	}
	return s.red("no")
}

// progress draws a bar of bytes on a terminal, on one line however narrow it is, and nothing elsewhere.
type progress struct {
	to *os.File // nil where there is no terminal

	mu    sync.Mutex
	doing string // empty while no bar is shown
	total int64  // negative where it is not known
	bytes int64  // that came, also before the bar
	drawn time.Time
	width int // of what is on the line
}

// redraw is the time between two states of a bar.
const redraw = 65 * time.Millisecond

// on makes bars show, if stream is a terminal that can go back to the start of its line.
func (p *progress) on(stream any) bool {
	if isTerminal(stream) && os.Getenv("TERM") != "dumb" {
		p.to = stream.(*os.File)
	}
	return p.to != nil
}

// start begins a bar. total is negative where it is not known.
func (p *progress) start(doing string, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.to != nil {
		p.doing, p.total = doing, total
		p.draw()
	}
}

func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += n
	if p.doing != "" && time.Since(p.drawn) >= redraw {
		p.draw()
	}
}

// stop takes the bar away.
func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.doing != "" {
		fmt.Fprintf(p.to, "\r%*s\r", p.width+len("^C"), "")
	}
	p.doing, p.bytes, p.width = "", 0, 0
}

// draw writes over the line. Its last columns stay free: what stands in the very last may wrap, and a terminal shows Ctrl-C as ^C.
func (p *progress) draw() {
	columns, _, err := term.GetSize(int(p.to.Fd()))
	if err != nil || columns <= 0 {
		columns = 80
	}
	room := max(0, columns-1-len("^C"))
	line := bar(p.doing, p.bytes, p.total, room)
	fmt.Fprintf(p.to, "\r%-*s", min(p.width, room), line)
	p.width, p.drawn = len(line), time.Now()
}

// bar is a line of so many columns at the most, ASCII.
func bar(doing string, bytes, total int64, columns int) string {
	line := doing + " " + bytesOf(bytes)
	if total > 0 {
		bytes = min(bytes, total) // what is sent again counts twice
		line = fmt.Sprintf("%s %3d %% of %s", doing, 100*bytes/total, bytesOf(total))
		if room := min(columns-len(line)-3, 40); room >= 10 {
			line += " [" + strings.Repeat("#", int(int64(room)*bytes/total)) + strings.Repeat(" ", room-int(int64(room)*bytes/total)) + "]"
		}
	}
	return line[:max(0, min(len(line), columns))]
}

// line reads what a person types at the terminal that a.in is, up to the end of the line, or Ctrl-D. hidden does not show
// it. Ctrl-C ends it at once, and the terminal shows again what is typed.
func (a *app) line(hidden bool) (string, error) {
	f := a.in.(*os.File)
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	type read struct {
		text string
		err  error
	}
	done := make(chan read, 1)
	go func() { // it cannot be interrupted, so it is left behind
		var r read
		if hidden {
			var secret []byte
			secret, r.err = term.ReadPassword(int(f.Fd()))
			r.text = string(secret)
		} else {
			r.text, r.err = bufio.NewReader(f).ReadString('\n')
		}
		done <- r
	}()
	select {
	case r := <-done:
		if hidden || !strings.HasSuffix(r.text, "\n") {
			fmt.Fprintln(a.err)
		}
		if errors.Is(r.err, io.EOF) {
			r.err = nil
		}
		return strings.TrimRight(r.text, "\r\n"), r.err
	case <-a.interrupted:
		fmt.Fprintln(a.err)
		return "", errors.Join(registry.ErrInterrupted, term.Restore(int(f.Fd()), before))
	}
}
