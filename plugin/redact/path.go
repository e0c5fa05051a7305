package redact

import (
	"slices"
	"strings"

	"github.com/routelens/routelens/plugin/config"
)

// template is a path rule.
type template struct {
	treatment
	segments []string // folded, "" stands for a variable
	rest     bool     // the last one is all that follows
}

func newTemplate(path string, t treatment) template {
	n := template{treatment: t}
	for _, segment := range strings.Split(path, "/") {
		if segment == "" {
			continue
		}
		n.rest = strings.HasSuffix(segment, "...}")
		if strings.HasPrefix(segment, "{") {
			segment = ""
		}
		n.segments = append(n.segments, fold(segment))
	}
	return n
}

// place is a segment of a path.
type place struct {
	begin, end int
	name       string // decoded and folded
	treats     bool
	by         treatment
}

// Path gives a path with the variables of the templates hidden. It is read as
// any server may: decoded, once or more, in any case, with empty segments, dots and
// path parameters passed over, and with %2F and \ for a slash or not.
func (r *Redactor) Path(path string) string {
	if path == "" || len(r.templates) == 0 && !r.Detects() {
		return path
	}
	places := r.read(path, plainSlash)
	if len(r.templates) > 0 && strings.ContainsAny(path, `%\`) {
		places = merge(places, r.read(path, anySlash))
	}
	var dst []byte
	clean := 0
	for i := range places {
		p := &places[i]
		begin := len(dst)
		dst = append(dst, path[clean:p.begin]...)
		text := path[p.begin:p.end]
		if p.treats {
			dst = r.variable(dst, p.by, text)
		} else if hidden, found := r.detectEscaped(text, false); found {
			dst = append(dst, hidden...)
		} else {
			dst = dst[:begin]
			continue
		}
		clean = p.end
	}
	if clean == 0 {
		return path
	}
	return view(append(dst, path[clean:]...))
}

// merge gives the segments of a rough reading, where it hides them whole, and
// those of a fine one elsewhere.
func merge(rough, fine []place) []place {
	var merged []place
	for _, p := range rough {
		for len(fine) > 0 && fine[0].end <= p.begin {
			fine = fine[1:]
		}
		if p.treats {
			merged = append(merged, p)
			continue
		}
		for len(fine) > 0 && fine[0].end <= p.end {
			merged = append(merged, fine[0])
			fine = fine[1:]
		}
	}
	return merged
}

// variable appends what stands for a segment.
func (r *Redactor) variable(dst []byte, t treatment, text string) []byte {
	if t.mode == config.Remove {
		return trimSlash(dst)
	}
	decoded, _ := appendUnescaped(nil, text, false)
	r.found = r.replace(r.found[:0], t, view(decoded))
	return appendEscaped(dst, view(r.found), false)
}

func trimSlash(b []byte) []byte {
	if len(b) > 1 && b[len(b)-1] == '/' {
		return b[:len(b)-1]
	}
	return b
}

// read gives the segments of a path, with the variables marked.
func (r *Redactor) read(path string, slash func(string) int) []place {
	var places []place
	var way []int // the numbers of those that lead somewhere
	for at := begin(path); at < len(path); {
		end, size := at, 0
		for ; end < len(path); end++ {
			if size = slash(path[end:]); size > 0 {
				break
			}
		}
		if end > at {
			places, way = r.enter(places, way, path, at, end)
		}
		at = end + size
	}
	for i := range r.templates {
		r.templates[i].mark(places, way)
	}
	// Some servers pass over a segment of parameters alone as over an empty one.
	named := slices.DeleteFunc(slices.Clone(way), func(at int) bool { return places[at].name == "" })
	if len(named) < len(way) {
		for i := range r.templates {
			r.templates[i].mark(places, named)
		}
	}
	return places
}

// begin is where the path begins in what may be a whole URL: a client may have
// written it.
func begin(path string) int {
	host := strings.Index(path, "://")
	if host <= 0 || strings.ContainsAny(path[:host], `/\%`) {
		return 0
	}
	host += len("://")
	slash := strings.IndexByte(path[host:], '/')
	if slash < 0 {
		return len(path)
	}
	return host + slash
}

// enter adds a segment. What .. takes back is hidden, where there are
// templates: nobody can say what it stood for.
func (r *Redactor) enter(places []place, way []int, path string, begin, end int) ([]place, []int) {
	p := place{begin: begin, end: end}
	if len(r.templates) == 0 {
		return append(places, p), way
	}
	text := path[begin:end]
	for range maxEscaped {
		decoded, _ := appendUnescaped(nil, text, false)
		if len(decoded) == len(text) {
			break
		}
		text = view(decoded)
	}
	name, _, _ := strings.Cut(text, ";")
	p.name = fold(name)
	switch p.name {
	case ".":
		return append(places, p), way
	case "..":
		if len(way) > 0 {
			back := &places[way[len(way)-1]]
			back.treats, back.by = true, masking
			way = way[:len(way)-1]
		}
		return append(places, p), way
	}
	return append(places, p), append(way, len(places))
}

// plainSlash and anySlash give the size of what parts segments, or 0.
func plainSlash(s string) int {
	if s[0] == '/' {
		return 1
	}
	return 0
}

func anySlash(s string) int {
	if s[0] != '%' {
		if s[0] == '/' || s[0] == '\\' {
			return 1
		}
		return 0
	}
	i := 1
	for strings.HasPrefix(s[i:], "25") { // encoded again
		i += 2
	}
	if len(s) > i+1 && (s[i] == '2' && s[i+1]|0x20 == 'f' || s[i] == '5' && s[i+1]|0x20 == 'c') {
		return i + 2
	}
	return 0
}

// mark marks the variables of a path that the template matches.
func (t *template) mark(places []place, way []int) {
	n := len(t.segments)
	if len(way) < n || len(way) > n && !t.rest {
		return
	}
	for i, want := range t.segments {
		if want != "" && places[way[i]].name != want {
			return
		}
	}
	for i, want := range t.segments {
		if want != "" {
			continue
		}
		places[way[i]].hide(t.treatment)
		if t.rest && i == n-1 {
			for _, at := range way[i+1:] {
				places[at].hide(t.treatment)
			}
		}
	}
}

func (p *place) hide(t treatment) {
	if !p.treats {
		p.treats, p.by = true, t
	}
}
