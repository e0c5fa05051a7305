package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// every tells how often a line is written where there is no terminal.
const every = 5 * time.Second

// screen draws a view over the one before on a terminal, and writes a line now and then elsewhere.
type screen struct {
	out     io.Writer
	size    func() (width, height int, err error) // nil: not a terminal
	colours bool
	drawn   int       // lines of the last view
	last    time.Time // of the last plain line
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		s.size = func() (int, int, error) { return term.GetSize(int(file.Fd())) }
		s.colours = os.Getenv("NO_COLOR") == ""
	}
	return s
}

// say writes lines that stay.
func (s *screen) say(text string) {
	s.drawn = 0
	fmt.Fprintln(s.out, text)
}

func (s *screen) draw(v view) {
	if s.size == nil {
		s.drawPlain(v)
		return
	}
	width, height, err := s.size()
	if err != nil {
		width, height = 80, 24
	}
	lines := table(v)
	lines = lines[:min(len(lines), height-1)] // one more, and the terminal would scroll
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn) // up, to the first line
	}
	for _, l := range lines {
		b.WriteString("\r" + s.styled(l, width) + "\x1b[K\n") // and clear what was longer
	}
	b.WriteString("\x1b[J")
	s.drawn = len(lines)
	io.WriteString(s.out, b.String())
}

func (s *screen) styled(l line, width int) string {
	if text := []rune(l.text); len(text) > width {
		l.text = string(text[:width])
	}
	if !s.colours || l.style == plain {
		return l.text
	}
	return string(l.style) + l.text + string(normal)
}

func (s *screen) drawPlain(v view) {
	if v.at.Sub(s.last) >= every {
		s.last = v.at
		fmt.Fprintln(s.out, oneLine(v))
	}
}
