package capture

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/routelens/routelens/plugin/body"
	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
	"github.com/routelens/routelens/plugin/sampling"
)

// bodies chooses bodies as their headers pass, since Envoy shows those in no later
// callback but the last, and copies them chunk by chunk.
type bodies struct {
	host    Source
	config  *config.Bodies
	routes  *Routes
	points  *sampling.Points
	decoder *body.Decoder
	answers bool     // some response body may be chosen
	hashed  bool     // by a share
	placing *set     // what rules and shares hang on: read for every exchange
	names   []string // of the headers that rules match on
	head    head
	raw     body.Raw
	held    int // bytes, of config.MaxHeld
	spare   [][]byte
}

// head is what placing fills in, reused.
type head struct {
	record record.Record
	values []string // of the headers that rules match on
}

// content is what headers say of a body.
type content struct{ kind, encoding, grpcEncoding string }

// copied is a body on its way.
type copied struct {
	want    *config.Body // nil: it was not chosen
	state   state
	omitted record.Omission
	content content
	bytes   []byte
}

type state uint8

const (
	ahead  state = iota // its headers have not passed
	open                // it is copied
	closed              // no more of it is
)

func newBodies(host Source, c *config.Config, routes *Routes, redactor *redact.Redactor) *bodies {
	if !c.Sink.Enabled() || !c.Bodies.Wanted() {
		return nil
	}
	b := &bodies{host: host, config: &c.Bodies, routes: routes, points: sampling.NewPoints(rand.Uint64()), decoder: body.New(c, redactor)}
	b.add(&c.Bodies.Request, &c.Bodies.Response)
	for i := range c.Bodies.Rules {
		b.add(&c.Bodies.Rules[i].Request, &c.Bodies.Rules[i].Response)
	}
	b.prepare(c)
	return b
}

func (b *bodies) add(request, response *config.Body) {
	b.answers = b.answers || response.Rate > 0
	b.hashed = b.hashed || fraction(request.Rate) || fraction(response.Rate)
}

// prepare makes the set, of no more than the configuration needs.
func (b *bodies) prepare(c *config.Config) {
	var placing []attribute
	if b.hashed {
		placing = append(placing, attribute{ids, setIDs, always})
	}
	byRoute, byMethod := false, false
	for i := range b.config.Rules {
		rule := &b.config.Rules[i]
		byRoute, byMethod = byRoute || len(rule.Routes) > 0, byMethod || len(rule.Methods) > 0
		for _, h := range rule.Headers {
			if !slices.Contains(b.names, h.Name) {
				b.names = append(b.names, h.Name)
			}
		}
	}
	if byMethod {
		placing = append(placing, attribute{"request.method", func(r *record.Record, v []byte) { r.Method = text(v) }, always})
	}
	if byRoute {
		placing = append(placing, attribute{"xds.route_name", func(r *record.Record, v []byte) { r.Route = text(v) }, maybe})
		if len(c.Routes.Templates) > 0 {
			placing = append(placing, attribute{"request.url_path", func(r *record.Record, v []byte) { r.Path = text(v) }, always})
		}
	}
	b.head.values = make([]string, len(b.names))
	for i, name := range b.names {
		placing = append(placing, attribute{"request.headers/" + name, func(_ *record.Record, v []byte) { b.head.values[i] = text(v) }, maybe})
	}
	b.placing = newSet(b.host, placing)
}

// requestHead chooses: both bodies by one rule and one point. What becomes of the
// response's is settled by its own headers.
func (b *bodies) requestHead(p *Passed, last bool) {
	if last && !b.answers {
		return
	}
	p.request, p.response = copied{}, copied{}
	b.choose(p)
	if last {
		p.request.want = nil
	}
	b.judge(&p.request, b.host.RequestHeader)
}

// choose goes by the first rule that matches, else by what holds for all.
func (b *bodies) choose(p *Passed) {
	h := &b.head
	h.record = record.Record{Drawn: p.drawn}
	clear(h.values)
	if len(b.placing.attributes) > 0 {
		whole := b.placing.read(b.host, &h.record)
		if b.hashed && (!whole || h.record.RequestID == unreadable) {
			readRequest(&h.record, b.host.RequestHeaders())
		}
	}
	request, response := &b.config.Request, &b.config.Response
	for i := range b.config.Rules {
		if rule := &b.config.Rules[i]; b.matches(rule) {
			request, response = &rule.Request, &rule.Response
			break
		}
	}
	if b.chosen(request.Rate) {
		p.request.want = request
	}
	if b.chosen(response.Rate) {
		p.response.want = response
	}
	p.drawn = h.record.Drawn
}

func (b *bodies) chosen(rate float64) bool {
	return rate >= 1 || rate > 0 && b.points.Of(&b.head.record) < rate
}

func (b *bodies) matches(rule *config.BodyRule) bool {
	h := &b.head
	if len(rule.Methods) > 0 && !slices.Contains(rule.Methods, h.record.Method) {
		return false
	}
	if len(rule.Routes) > 0 && !slices.Contains(rule.Routes, b.routes.find(h.record.Route, h.record.Path)) {
		return false
	}
	for _, want := range rule.Headers {
		got := h.values[slices.Index(b.names, want.Name)]
		if got == "" || want.Value != "*" && got != want.Value {
			return false
		}
	}
	return true
}

func (b *bodies) responseHead(p *Passed, last bool) {
	if !last {
		b.judge(&p.response, b.host.ResponseHeader)
	}
}

// judge tells from its headers whether a body that was chosen is copied. The first
// byte waits for this: it asks for one header where one will do. What becomes a
// tunnel has no content type as a rule, and if it has one is thrown away at its end.
func (b *bodies) judge(c *copied, header func(name string) string) {
	if c.want == nil {
		c.state = closed
		return
	}
	contentType := header("content-type")
	kind := body.ParseType(contentType)
	switch grpc := kind.Kind.IsGRPC(); {
	case kind.Kind == body.EventStream:
		c.omit(record.OfStream)
	case grpc && !b.config.GRPC:
		c.omit(record.OfGRPC)
	case grpc:
		c.state, c.content = open, content{kind: contentType, grpcEncoding: header("grpc-encoding")}
	case !listed(c.want.ContentTypes, kind.Media):
		c.omit(record.OfContentType)
	default:
		c.state, c.content = open, content{kind: contentType, encoding: header("content-encoding")}
	}
}

func (c *copied) omit(why record.Omission) { c.omitted, c.state = why, closed }

// listed tells whether one of the patterns matches; * stands for any run.
func listed(patterns []string, media string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return wild(pattern, media) })
}

func wild(pattern, s string) bool {
	first, rest, any := strings.Cut(pattern, "*")
	s, ok := strings.CutPrefix(s, first)
	if !any || !ok {
		return ok && s == ""
	}
	for {
		// The leftmost place of each part leaves the most to the others.
		first, rest, any = strings.Cut(rest, "*")
		if !any {
			return strings.HasSuffix(s, first)
		}
		if _, s, ok = strings.Cut(s, first); !ok {
			return false
		}
	}
}

// room tells how much of a chunk is to be copied.
func (b *bodies) room(c *copied, size int) int {
	if c.state != open {
		return 0
	}
	n := min(size, c.want.MaxBytes-len(c.bytes))
	if n > 0 && b.held-cap(c.bytes)+max(cap(c.bytes), len(c.bytes)+n) > b.config.MaxHeld {
		b.release(c)
		c.omit(record.NoRoom)
		return 0
	}
	return n
}

// take appends what was read of n bytes.
func (b *bodies) take(c *copied, n int, chunk []byte) {
	chunk = chunk[:min(n, len(chunk)):len(chunk)]
	if c.bytes == nil {
		c.bytes = chunk // the host's copy of a body of one chunk is the only one
		b.held += cap(chunk)
	} else {
		b.grow(c, len(c.bytes)+len(chunk))
		c.bytes = append(c.bytes, chunk...)
	}
	if len(chunk) < n || len(c.bytes) == c.want.MaxBytes {
		c.state = closed // after a hole nothing fits
	}
}

// Buffers of up to so many bytes are used again, so many of them.
const (
	bigBuffer = 64 << 10
	maxSpare  = 4
)

// grow makes room for so many bytes, within the budget. A second chunk is a sign
// of many: up to bigBuffer the buffer grows once.
func (b *bodies) grow(c *copied, need int) {
	if need <= cap(c.bytes) {
		return
	}
	most := b.config.MaxHeld - b.held + cap(c.bytes)
	size := min(max(need, bigBuffer, 2*cap(c.bytes)), c.want.MaxBytes, most)
	var grown []byte
	if last := len(b.spare) - 1; last >= 0 && cap(b.spare[last]) >= need && cap(b.spare[last]) <= most {
		grown, b.spare = b.spare[last], b.spare[:last]
	} else {
		grown = make([]byte, 0, size)
	}
	b.held += cap(grown) - cap(c.bytes)
	c.bytes = append(grown[:0], c.bytes...)
}

// release lets go of what a stream holds.
func (b *bodies) release(c *copied) {
	size := cap(c.bytes)
	b.held -= size
	if size > 0 && size <= bigBuffer && size >= min(bigBuffer, c.want.MaxBytes) && len(b.spare) < maxSpare {
		b.spare = append(b.spare, c.bytes[:0])
	}
	c.bytes = nil
}

// content makes of a copied body what is recorded of it.
func (b *bodies) content(c *copied, passed int64, tunnel bool) record.Content {
	switch {
	case c.want == nil || passed == 0 || c.state == ahead:
		return record.Content{}
	case tunnel:
		return record.Content{Omitted: record.OfStream}
	case c.omitted != record.NotOmitted:
		return record.Content{Omitted: c.omitted}
	}
	b.raw = body.Raw{Bytes: c.bytes, Size: passed, ContentType: c.content.kind, ContentEncoding: c.content.encoding, GRPCEncoding: c.content.grpcEncoding}
	content := b.decoder.Decode(&b.raw, c.want.MaxBytes)
	b.raw = body.Raw{}
	return content
}
