package capture

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/capture/capturetest"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/sampling"
)

// proxy is a host whose headers are there only where Envoy shows them: in the
// callback that tells of them, and at the end.
type proxy struct {
	*capturetest.Host
	capturer *Capturer
	passed   Passed
	hidden   capturetest.Host
}

func newProxy(t testing.TB, host *capturetest.Host, config string) *proxy {
	x := &proxy{Host: host}
	x.capturer = New(host, parse(t, config), admits(true))
	x.hidden = *host
	x.show(false, false)
	return x
}

func (x *proxy) show(request, response bool) {
	x.Request, x.Response, x.Trailers, x.Answered = nil, nil, nil, nil
	x.Attributes = map[string][]byte{}
	for name, value := range x.hidden.Attributes {
		if request || response && strings.HasPrefix(name, "response.") || !strings.HasPrefix(name, "re") {
			x.Attributes[name] = value
		}
	}
	if request {
		x.Request = x.hidden.Request
	}
	if response {
		x.Response = x.hidden.Response
	}
}

func (x *proxy) requestHead(last bool) {
	x.show(true, false)
	x.capturer.RequestHead(&x.passed, last)
	x.show(false, false)
}

func (x *proxy) responseHead(last bool) {
	x.show(false, true)
	x.passed.Begun, x.passed.HeadersOnly, x.passed.Ended = true, last, last
	x.capturer.ResponseHead(&x.passed, last)
	x.show(false, false)
}

func (x *proxy) requestBody(chunks ...string) {
	for _, chunk := range chunks {
		x.Chunk = []byte(chunk)
		x.capturer.RequestChunk(&x.passed, len(chunk))
		clear(x.Chunk)
		x.Chunk = nil
	}
}

func (x *proxy) responseBody(chunks ...string) {
	for _, chunk := range chunks {
		x.Chunk = []byte(chunk)
		x.capturer.ResponseChunk(&x.passed, len(chunk))
		x.Chunk = nil
	}
	x.passed.Ended = true
}

// end completes the exchange and gives its contents.
func (x *proxy) end() (request, response record.Content) {
	x.show(true, true)
	r := x.capturer.Decide(&x.passed)
	x.capturer.Complete(r, &x.passed)
	request, response = r.RequestContent, r.ResponseContent
	request.Text, response.Text = strings.Clone(request.Text), strings.Clone(response.Text)
	x.reset()
	return request, response
}

// reset ends the exchange without a record.
func (x *proxy) reset() {
	x.capturer.Release(&x.passed)
	x.passed = Passed{}
	x.show(false, false)
}

func (x *proxy) exchange(request, response string) (record.Content, record.Content) {
	x.requestHead(request == "")
	x.requestBody(request)
	x.responseHead(response == "")
	x.responseBody(response)
	return x.end()
}

// posted is an exchange of two JSON bodies.
func posted(headers ...[2]string) *capturetest.Host {
	return &capturetest.Host{
		Attributes: map[string][]byte{"request.method": []byte("POST"), "request.url_path": []byte("/users/7"), "xds.route_name": []byte("users"), "response.code": capturetest.Int(200)},
		Request:    append([][2]string{{":path", "/users/7"}, {"content-type", "application/json"}}, headers...),
		Response:   [][2]string{{":status", "200"}, {"content-type", "application/json"}},
	}
}

// spoken is an exchange of two plain texts.
func spoken() *capturetest.Host {
	host := posted()
	host.Request[1][1], host.Response[1][1] = "text/plain", "text/plain"
	return host
}

// texts records plain texts up to so many bytes.
func texts(request, response int) string {
	body := func(most int) string {
		return fmt.Sprintf(`{"rate":1,"content_types":["text/*"],"max_bytes":"%dB"}`, most)
	}
	return withBodies(`{"request":` + body(request) + `,"response":` + body(response) + `}`)
}

func cut(text string) record.Content {
	return record.Content{Form: record.Text, Text: text, Truncated: true}
}

func withBodies(bodies string) string {
	return `{"sink":{"cluster":"logs","batch":{"max_bytes":"4MiB"}},"sampling":{"rate":1},"bodies":` + bodies + `}`
}

const bothBodies = `{"request":{"rate":1},"response":{"rate":1}}`

func embedded(text string) record.Content { return record.Content{Form: record.JSON, Text: text} }

func omitted(why record.Omission) record.Content { return record.Content{Omitted: why} }

const small, answer = `{"a":1}`, `{"b":2}`

func TestBothBodiesAreInTheRecord(t *testing.T) {
	for _, without := range []bool{false, true} {
		host := posted()
		host.WithoutCEL = without
		x := newProxy(t, host, withBodies(bothBodies))
		for range 2 {
			request, response := x.exchange(small, answer)
			assert.Equal(t, []record.Content{embedded(small), embedded(answer)}, []record.Content{request, response})
			assert.Zero(t, x.capturer.bodies.held)
		}
	}
}

func TestABodyIsCopiedHoweverItIsCut(t *testing.T) {
	text := strings.Repeat("these words ", 17<<10)
	for _, most := range []int{1, 100, 4 << 10, 64 << 10, 100 << 10, 1 << 20} {
		x := newProxy(t, spoken(), texts(most, most))
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 1))
			var chunks []string
			for rest := text; rest != ""; {
				n := min(len(rest), random.IntN(1<<(1+random.IntN(18))))
				chunks = append(chunks, rest[:n])
				rest = rest[n:]
			}
			x.requestHead(false)
			x.requestBody(chunks...)
			x.responseHead(false)
			x.responseBody(append(chunks, "")...)
			require.LessOrEqual(t, x.capturer.bodies.held, 2*max(most, bigBuffer))
			want := cut(text[:min(most, len(text))])
			want.Truncated = most < len(text)
			request, response := x.end()
			require.Equal(t, want, request)
			require.Equal(t, want, response)
			require.Zero(t, x.capturer.bodies.held)
		}
	}
}

func TestNoMoreIsReadFromTheHostThanIsKept(t *testing.T) {
	x := newProxy(t, spoken(), withBodies(`{"request":{"rate":1,"max_bytes":"10B","content_types":["text/*"]}}`))
	x.Calls = map[string]int{}
	x.requestHead(false)
	clear(x.Calls)
	x.requestBody("", "abcdefg", "hijklm", "more", "and more")
	assert.Equal(t, map[string]int{"RequestBody": 2}, x.Calls)
	x.responseHead(false)
	x.responseBody("not chosen")
	assert.Equal(t, map[string]int{"RequestBody": 2}, x.Calls)
	request, response := x.end()
	assert.Equal(t, cut("abcdefghij"), request)
	assert.Equal(t, record.Content{}, response)
}

// What a stream costs is host calls, most of all.
func TestWhatBodiesCostInCalls(t *testing.T) {
	const one = `{"request":{"rate":1e-9},"response":{"rate":1e-9}}`
	for _, c := range []struct {
		name, bodies      string
		request, response string
		want              map[string]int // before the end
	}{
		{"nothing where none are wanted", `{}`, small, answer, map[string]int{}},
		{"nothing where only rules of rate 0 match", `{"rules":[{"match":{"methods":["POST"]}}]}`, small, answer, map[string]int{}},
		{"a look at the ids where they are not chosen", one, small, answer, map[string]int{"Evaluate": 1}},
		{"a look at the ids of a request without one, too, as its response may be chosen", one, "", answer, map[string]int{"Evaluate": 1}},
		{"nothing where there is none of that direction", `{"request":{"rate":1e-9}}`, "", answer, map[string]int{}},
		{"a look at the headers and a read for each", bothBodies, small, answer, map[string]int{"RequestHeader": 2, "ResponseHeader": 2, "RequestBody": 1, "ResponseBody": 1}},
		{"no look at the request's where it has none", bothBodies, "", answer, map[string]int{"ResponseHeader": 2, "ResponseBody": 1}},
		{"no look at the response's where it has none", bothBodies, small, "", map[string]int{"RequestHeader": 2, "RequestBody": 1}},
		{"no look at the response's where only requests' are wanted", `{"request":{"rate":1}}`, small, answer, map[string]int{"RequestHeader": 2, "RequestBody": 1}},
		{"no read of what is not listed", `{"request":{"rate":1,"content_types":["text/plain"]},"response":{"rate":1,"content_types":["text/plain"]}}`, small, answer, map[string]int{"RequestHeader": 1, "ResponseHeader": 1}},
		{"one look for rules, and the headers", `{"rules":[{"match":{"methods":["POST"],"headers":{"content-type":"*"}},"request":{"rate":1}}]}`, small, answer, map[string]int{"Evaluate": 1, "RequestHeader": 2, "RequestBody": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newProxy(t, posted([2]string{"x-request-id", "r1"}), withBodies(c.bodies))
			x.Calls = map[string]int{}
			x.requestHead(c.request == "")
			x.requestBody(c.request)
			x.responseHead(c.response == "")
			x.responseBody(c.response)
			assert.Equal(t, c.want, x.Calls)
		})
	}
}

func TestWhyABodyIsLeftOut(t *testing.T) {
	none := record.Content{}
	for _, c := range []struct {
		name, bodies      string
		change            func(h *capturetest.Host)
		request, response record.Content
	}{
		{"its type is not listed", `{"request":{"rate":1,"content_types":["text/*"]},"response":{"rate":1,"content_types":["application/json","a/b"]}}`,
			func(*capturetest.Host) {}, omitted(record.OfContentType), embedded(answer)},
		{"it has no type", bothBodies, func(h *capturetest.Host) { h.Request, h.Response = nil, nil }, omitted(record.OfContentType), omitted(record.OfContentType)},
		{"a type has parameters and case, which do not matter", bothBodies, func(h *capturetest.Host) {
			h.Request[1][1] = "Application/JSON; charset=utf-8"
		}, embedded(small), embedded(answer)},
		{"it is a stream of events", `{"request":{"rate":1},"response":{"rate":1,"content_types":["text/*"]}}`, func(h *capturetest.Host) {
			h.Response[1][1] = "text/event-stream;x=y"
		}, embedded(small), omitted(record.OfStream)},
		{"it has no type, and all types are listed", `{"request":{"rate":1,"content_types":["*/*"]},"response":{"rate":1,"content_types":["*/*"]}}`,
			func(h *capturetest.Host) { h.Request, h.Response = nil, nil }, omitted(record.OfContentType), omitted(record.OfContentType)},
		{"an upgrade was asked for and not given", bothBodies, func(h *capturetest.Host) { h.Request = append(h.Request, [2]string{"upgrade", "h2c"}) }, embedded(small), embedded(answer)},
		{"the connection was upgraded", bothBodies, func(h *capturetest.Host) { h.Attributes["response.code"] = capturetest.Int(101) }, omitted(record.OfStream), omitted(record.OfStream)},
		{"it is a tunnel", `{"response":{"rate":1}}`, func(h *capturetest.Host) { h.Attributes["request.method"] = []byte("CONNECT") }, none, omitted(record.OfStream)},
		{"it is gRPC", bothBodies, func(h *capturetest.Host) {
			h.Request[1][1], h.Response[1][1] = "application/grpc", "application/grpc-web+proto"
		}, omitted(record.OfGRPC), omitted(record.OfGRPC)},
		{"it is gRPC, which is wanted whatever types are listed, and broken", `{"grpc":true,"request":{"rate":1},"response":{"rate":1}}`, func(h *capturetest.Host) {
			h.Request[1][1], h.Response[1][1] = "application/grpc", "application/grpc-web+proto"
		}, omitted(record.Malformed), omitted(record.Malformed)},
		{"it cannot be decoded", bothBodies, func(h *capturetest.Host) { h.Request = append(h.Request, [2]string{"content-encoding", "br"}) }, omitted(record.OfEncoding), embedded(answer)},
		{"it was not chosen", `{"response":{"rate":1}}`, func(*capturetest.Host) {}, none, embedded(answer)},
	} {
		for _, without := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				host := posted()
				c.change(host)
				host.WithoutCEL = without
				x := newProxy(t, host, withBodies(c.bodies))
				for range 2 {
					request, response := x.exchange(small, answer)
					assert.Equal(t, []record.Content{c.request, c.response}, []record.Content{request, response})
				}
				request, response := x.exchange("", "")
				assert.Equal(t, []record.Content{none, none}, []record.Content{request, response}, "of an empty body there is nothing to tell")
			})
		}
	}
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	const rules = `{"request":{"rate":1,"max_bytes":"3B","content_types":["text/*"]},"rules":[
		{"match":{"methods":["PUT","PATCH"],"routes":["users"]},"request":{"rate":1,"max_bytes":"1B","content_types":["text/*"]}},
		{"match":{"headers":{"x-debug":"on","x-team":"*"}},"request":{"rate":1,"max_bytes":"2B","content_types":["text/*"]}},
		{"match":{"routes":["/carts/{id}"]},"response":{"rate":1,"content_types":["text/*"]}},
		{"match":{"methods":["DELETE"]}}]}`
	config := strings.Replace(withBodies(rules), `{"sink"`, `{"routes":{"templates":["/carts/{id}"]},"sink"`, 1)
	most := func(n int) record.Content { return cut("told"[:n]) }
	for _, c := range []struct {
		name, method, route, path string
		headers                   [][2]string
		request, response         record.Content
	}{
		{"none: what holds for all", "POST", "users", "/", nil, most(3), record.Content{}},
		{"by method and route", "PATCH", "users", "/", nil, most(1), record.Content{}},
		{"by method alone, which is not enough", "PATCH", "carts", "/", nil, most(3), record.Content{}},
		{"by headers", "POST", "users", "/", [][2]string{{"x-debug", "on"}, {"x-team", "a"}}, most(2), record.Content{}},
		{"by a header with another value", "POST", "users", "/", [][2]string{{"x-debug", "off"}, {"x-team", "a"}}, most(3), record.Content{}},
		{"by a header alone, of two", "POST", "users", "/", [][2]string{{"x-debug", "on"}}, most(3), record.Content{}},
		{"by two, and the first counts", "PUT", "users", "/", [][2]string{{"x-debug", "on"}, {"x-team", "a"}}, most(1), record.Content{}},
		{"by template", "POST", "", "/carts/7", nil, record.Content{}, record.Content{Form: record.Text, Text: "told"}},
		{"by a rule that wants none", "DELETE", "users", "/", nil, record.Content{}, record.Content{}},
	} {
		for _, without := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				host := spoken()
				host.Request = append(host.Request, c.headers...)
				host.WithoutCEL = without
				host.Attributes["request.method"], host.Attributes["xds.route_name"], host.Attributes["request.url_path"] = []byte(c.method), []byte(c.route), []byte(c.path)
				x := newProxy(t, host, config)
				request, response := x.exchange("told", "told")
				assert.Equal(t, []record.Content{c.request, c.response}, []record.Content{request, response})
			})
		}
	}
}

func TestARulesRouteIsKnownThoughTheBudgetIsSpent(t *testing.T) {
	host := posted()
	x := newProxy(t, host, withBodies(`{"rules":[{"match":{"routes":["users"]},"request":{"rate":1}}]}`))
	x.capturer = New(host, parse(t, withBodies(`{"rules":[{"match":{"routes":["users"]},"request":{"rate":1}}]}`)), admits(false))
	request, _ := x.exchange(small, answer)
	assert.Equal(t, embedded(small), request)
}

func TestARecordThatIsChosenByRateHasItsBodiesAtAnEqualRate(t *testing.T) {
	const config = `{"sink":{"cluster":"logs"},"sampling":{"rate":0.3,"follow_trace":false},"bodies":{"request":{"rate":0.3},"response":{"rate":0.3}}}`
	for name, id := range map[string]func(n int) [2]string{
		"by its trace":             func(n int) [2]string { return [2]string{"traceparent", fmt.Sprintf("00-%032x-%s-01", n+1, spanID)} },
		"by a B3 header":           func(n int) [2]string { return [2]string{"b3", fmt.Sprintf("%032x-%s-1", n+1, spanID)} },
		"by its id":                func(n int) [2]string { return [2]string{"x-request-id", fmt.Sprint("r", n)} },
		"by its id, as B3 says no": func(n int) [2]string { return [2]string{"x-request-id", fmt.Sprint("r", n)} },
		"by chance":                func(int) [2]string { return [2]string{"x-other", "1"} },
	} {
		for _, without := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				host := posted()
				host.WithoutCEL = without
				x := newProxy(t, host, config)
				sampler := sampling.New(parse(t, config).Sampling, 7)
				kept := 0
				for n := range 300 {
					header := id(n)
					x.hidden = *posted(header)
					delete(x.hidden.Attributes, "request.id")
					if header[0] == "x-request-id" {
						x.hidden.Attributes["request.id"] = []byte(header[1])
					}
					if strings.Contains(name, "B3 says") {
						x.hidden.Request = append(x.hidden.Request, [2]string{"b3", "0"})
					}
					x.requestHead(false)
					x.requestBody(small)
					x.responseHead(false)
					x.responseBody(answer)
					x.show(true, true)
					r := x.capturer.Decide(&x.passed)
					decision, _ := sampler.Decide(r)
					x.capturer.Complete(r, &x.passed)
					want := record.NoContent
					if decision.Kept() {
						kept++
						want = record.JSON
					}
					require.Equal(t, []record.Form{want, want}, []record.Form{r.RequestContent.Form, r.ResponseContent.Form})
					x.reset()
				}
				assert.InDelta(t, 90, kept, 45)
			})
		}
	}
}

func TestAWorkerHoldsNoMoreThanItsBudget(t *testing.T) {
	const most = 64 << 10
	host := posted()
	x := newProxy(t, host, withBodies(`{"max_held":"64KiB","request":{"rate":1,"max_bytes":"20KiB"},"response":{"rate":1,"max_bytes":"20KiB"}}`))
	b := x.capturer.bodies
	random := rand.New(rand.NewPCG(1, 2))
	streams := make([]Passed, 20)
	refused := 0
	for range 20_000 {
		p := &streams[random.IntN(len(streams))]
		x.passed = *p
		switch random.IntN(12) {
		case 0:
			x.reset()
		case 1:
			x.capturer.Release(&x.passed) // its configuration went, or so
			x.passed = Passed{}
		case 2, 3:
			if x.passed.request.state == ahead {
				x.requestHead(false)
			}
		case 4, 5:
			if x.passed.response.state == ahead {
				x.responseHead(false)
			}
		case 6, 7, 8:
			x.requestBody(strings.Repeat("x", random.IntN(9000)))
		default:
			x.responseBody(strings.Repeat("y", random.IntN(9000)))
		}
		*p = x.passed
		held := 0
		for i := range streams {
			for _, c := range []*copied{&streams[i].request, &streams[i].response} {
				held += cap(c.bytes)
				require.LessOrEqual(t, len(c.bytes), 20<<10)
				if c.omitted == record.NoRoom {
					require.Nil(t, c.bytes)
					refused++
				}
			}
		}
		require.Equal(t, held, b.held)
		require.LessOrEqual(t, held, most)
		spare := 0
		for _, s := range b.spare {
			spare += cap(s)
		}
		require.LessOrEqual(t, spare, maxSpare*bigBuffer)
	}
	assert.Positive(t, refused)
	for i := range streams {
		x.capturer.Release(&streams[i])
		x.capturer.Release(&streams[i]) // twice does no harm
	}
	assert.Zero(t, b.held)
}

func TestBuffersAreUsedAgainAndNoStreamSeesAnothers(t *testing.T) {
	x := newProxy(t, spoken(), texts(32<<10, 1<<20))
	for n := range 50 {
		text := strings.Repeat(string(rune('a'+n%26)), 40<<10)
		x.requestHead(false)
		x.requestBody(text[:10], text[10:20<<10], text[20<<10:])
		x.responseHead(false)
		x.responseBody(text[:30<<10], text[30<<10:], text, text)
		request, response := x.end()
		require.Equal(t, cut(text[:32<<10]), request)
		require.Equal(t, record.Content{Form: record.Text, Text: text + text + text}, response)
		require.Len(t, x.capturer.bodies.spare, 1, "the large one is let go")
	}
}

func TestAChunkThatCannotBeReadEndsTheCopy(t *testing.T) {
	x := newProxy(t, spoken(), texts(99, 99))
	x.requestHead(false)
	x.requestBody("12345")
	x.capturer.RequestChunk(&x.passed, 5) // there is none
	x.requestBody("67890")
	x.responseHead(false)
	x.Chunk = []byte("ab")
	x.capturer.ResponseChunk(&x.passed, 5) // there is less
	x.responseBody("fghij")
	request, response := x.end()
	assert.Equal(t, cut("12345"), request)
	assert.Equal(t, cut("ab"), response)
}

func TestBodiesWithoutTheirHeadersAreNotCopied(t *testing.T) {
	x := newProxy(t, posted(), withBodies(bothBodies))
	x.requestBody(small)
	x.responseHead(false)
	x.responseBody(answer)
	request, response := x.end()
	assert.Equal(t, []record.Content{{}, {}}, []record.Content{request, response}, "of a local reply before the plugin")

	x.requestHead(true)
	x.requestBody(small)
	x.responseBody(answer)
	request, response = x.end()
	assert.Equal(t, []record.Content{{}, {}}, []record.Content{request, response}, "whatever a host does")
}

func TestARecordsOwnTextsAreLookedThrough(t *testing.T) {
	config := strings.Replace(everything, `"redact":{`, `"redact":{"detect":["email"],`, 1)
	host := whole()
	const secret = "ada@shop.example"
	host.Request = append(host.Request, [2]string{"x-envoy-original-path", "/o/" + secret + "?x"})
	host.Request[1][1], host.Request[2][1], host.Request[8][1] = "/users/"+secret+"?a="+secret, secret, secret
	for name, value := range host.Attributes {
		switch name {
		case "response.code_details", "connection.subject_peer_certificate", "connection.termination_details", "upstream.transport_failure_reason", "request.method":
			host.Attributes[name] = append(value, " "+secret...)
		}
	}
	r := capture(New(host, parse(t, config), admits(true)), passed)
	for name, text := range map[string]string{"host": r.Host, "path": r.Path, "original path": r.OriginalPath, "query": r.Query, "subject": r.TLSSubject, "details": r.CodeDetails,
		"termination": r.Termination, "transport failure": r.TransportFailure, "method": r.Method, "request id": r.RequestID} {
		assert.NotContains(t, text, secret, name)
		assert.Contains(t, text, "[email]", name)
	}
}

func TestUUIDs(t *testing.T) {
	for s, want := range map[string]bool{"68f9cc50-ad6a-4c9b-9819-722fe68bffb2": true, "68F9CC50-AD6A-4C9B-9819-722FE68BFFB2": true, "": false,
		"68f9cc50-ad6a-4c9b-9819-722fe68bffb": false, "68f9cc50-ad6a-4c9b-9819-722fe68bffbg": false, "68f9cc50aad6a-4c9b-9819-722fe68bffb2": false, "68f9cc50-ad6a-4c9b-9819-722fe-8bffb2": false} {
		assert.Equal(t, want, isUUID(s), s)
	}
}

func TestContentTypesWithWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"application/json", []string{"application/json"}, []string{"", "application/jsonx", "xapplication/json"}},
		{"text/*", []string{"text/", "text/plain"}, []string{"text", "xtext/plain"}},
		{"application/*+json", []string{"application/problem+json", "application/+json", "application/a+json+json"}, []string{"application/json", "application/a+jsonx"}},
		{"*/*", []string{"a/b", "/"}, []string{"", "a"}},
		{"*/*a*a", []string{"x/aa", "x/abab/aba"}, []string{"x/a", "x/aab"}},
	} {
		for _, media := range c.yes {
			assert.True(t, wild(c.pattern, media), "%s %s", c.pattern, media)
		}
		for _, media := range c.no {
			assert.False(t, wild(c.pattern, media), "%s %s", c.pattern, media)
		}
	}
}

// Of patterns with nothing but letters and *, path.Match says the same.
func FuzzAWildcardStandsForAnyRun(f *testing.F) {
	f.Add("a*b", "ab")
	f.Add("*a*aa*", "baaa")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if strings.Trim(pattern, "ab*") != "" || strings.Trim(s, "ab") != "" {
			return
		}
		want, err := path.Match(pattern, s)
		require.NoError(t, err)
		require.Equal(t, want, wild(pattern, s))
	})
}

func BenchmarkAnExchangeWithoutBodies(b *testing.B) {
	x := newProxy(b, posted(), `{"sink":{"cluster":"a"}}`)
	p := &x.passed
	x.Calls = map[string]int{}
	b.ReportAllocs()
	for b.Loop() {
		x.capturer.RequestHead(p, false)
		x.capturer.RequestChunk(p, 1000)
		x.capturer.ResponseHead(p, false)
		x.capturer.ResponseChunk(p, 1000)
		x.capturer.Release(p)
		*p = Passed{}
	}
	require.Empty(b, x.Calls)
	require.Zero(b, testing.AllocsPerRun(100, func() { x.capturer.RequestHead(p, false); x.capturer.ResponseChunk(p, 1); x.capturer.Release(p) }))
}

func BenchmarkAnExchangeWithBodies(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			host := posted()
			k := New(replay(host), parse(b, withBodies(fmt.Sprintf(`{"request":{"rate":1,"max_bytes":"%dB"},"response":{"rate":1,"max_bytes":"%dB"}}`, size, size))), admits(true))
			host.Chunk = bytes.Repeat([]byte("x"), min(size, 16<<10))
			p := &Passed{}
			b.ReportAllocs()
			for b.Loop() {
				k.RequestHead(p, false)
				k.ResponseHead(p, false)
				for sent := 0; sent < size; sent += len(host.Chunk) {
					k.RequestChunk(p, len(host.Chunk))
					k.ResponseChunk(p, len(host.Chunk))
				}
				if len(p.request.bytes) != size || len(p.response.bytes) != size {
					b.Fatal("the bodies are not there")
				}
				k.Release(p)
				*p = Passed{}
			}
		})
	}
}
