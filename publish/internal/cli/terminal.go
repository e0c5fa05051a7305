package cli

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
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

// progress draws a bar of bytes on a terminal, and nothing elsewhere.
type progress struct {
	to io.Writer // nil where there is no terminal

	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	early int64 // bytes that came before the bar
}

// start begins a bar. total is negative where it is not known.
func (p *progress) start(doing string, total int64) {
	if p.to == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(p.to),
		progressbar.OptionSetDescription(doing),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(65*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionEnableColorCodes(false),
	)
	p.bar.Add64(p.early)
	p.early = 0
}

func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		p.early += n
		return
	}
	p.bar.Add64(n)
}

// stop takes the bar away.
func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Finish()
		p.bar = nil
	}
}
