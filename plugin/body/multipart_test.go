package body

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/record"
)

func lines(s ...string) string { return strings.Join(s, "\r\n") }

func TestMultipart(t *testing.T) {
	const kind = `multipart/form-data; boundary="a b"`
	upload := lines("preamble", "--a b ", `Content-Disposition: form-data; name="user"`, "", "alice", "--a b",
		`content-disposition: form-data; name="f"; filename="C:\a\"b\".txt"`, "Content-Type: text/plain", "", "1", "--a", "--a bc", "3", "--a b--", "epilogue", "--a b", "")
	check(t, []decoding{
		{"lists its parts with their sizes", names(), entire(kind, upload), 0,
			document(`[{"name":"user","size":5},{"name":"f","filename":"C:\\a\"b\".txt","content_type":"text/plain","size":17}]`)},
		{"may have line feeds alone", open(), entire(kind, "--a b\nContent-Type:a\n\nxy\n--a b\n\n\n--a b--"), 0, document(`[{"content_type":"a","size":2},{"size":0}]`)},
		{"may have empty parts", open(), entire(kind, lines("--a b", "", "--a b", "", "", "--a b--")), 0, document(`[{"size":0},{"size":0}]`)},
		{"may have no parts", open(), entire(kind, "--a b--"), 0, document(`[]`)},
		{"loses the words that are hidden", detect(), entire(kind, lines("--a b", `content-disposition: a; name=hunter2; filename="hunter2"`, "content-type: hunter2", "", "--a b--")), 0,
			document(`[{"name":"[word]","filename":"[word]","content_type":"[word]","size":0}]`)},
		{"reads encoded file names", detect(), entire(kind, lines("--a b", `content-disposition: a; filename=x; filename*=UTF-8''%e2%82%AC%20hunter%32%`, "", "--a b--")), 0,
			document(`[{"filename":"€ [word]%","size":0}]`)},
		{"says which part is cut", open(), beginning(kind, lines("--a b", "content-disposition: a; name=b", "", "12", "--a")), 0, cut(`[{"name":"b","size":7,"truncated":true}]`)},
		{"says nothing of a part whose header is cut", open(), beginning(kind, lines("--a b", "", "1", "--a b", "content-disposition: a; name=b", "")), 0, cut(`[{"size":1}]`)},
		{"that ended early is cut", open(), entire(kind, lines("--a b", "", "1")), 0, cut(`[{"size":1,"truncated":true}]`)},
		{"may be cut after a boundary", open(), beginning(kind, lines("--a b", "", "1", "--a b")), 0, cut(`[{"size":1}]`)},
		{"has names cut between characters", open(), entire(kind, lines("--a b", "content-disposition: a; name="+strings.Repeat("x", 255)+"é", "", "--a b--")), 0,
			document(`[{"name":"` + strings.Repeat("x", 255) + `","size":0}]`)},
		{"has broken UTF-8 in names replaced", open(), entire(kind, lines("--a b", "content-disposition: a; name=\xff", "", "--a b--")), 0, document(`[{"name":"\ufffd","size":0}]`)},
		{"with more parts than fit is cut", open(), entire(kind, strings.Repeat("--a b\n\nx\n", 9)+"--a b--"), 81, cut(`[{"size":1},{"size":1},{"size":1},{"size":1},{"size":1},{"size":1},{"size":1},{}]`)},
		{"without a boundary is left out", open(), entire("multipart/mixed", upload), 0, omit(record.Malformed)},
		{"with a boundary beyond all measure is left out", open(), entire("multipart/mixed; boundary="+strings.Repeat("a", 201), upload), 0, omit(record.Malformed)},
		{"that is none is left out", open(), entire(kind, "a=b"), 0, omit(record.Malformed)},
	})
}

// A search for the boundary alone takes 0.14 s for this, 0.8 s in a VM.
func TestABodyOfNearlyBoundariesIsReadOnce(t *testing.T) {
	boundary := strings.Repeat("a", maxBoundary)
	body := []byte("--" + boundary + "\n\n" + strings.Repeat("a", 1<<20))
	best := time.Hour
	for range 5 { // on a machine that does other things
		begin := time.Now()
		_, found := delimiter(body, len("--")+maxBoundary+1, boundary)
		best = min(best, time.Since(begin))
		assert.False(t, found)
	}
	assert.Less(t, best, 20*time.Millisecond)
}

func TestAContentType(t *testing.T) {
	for _, c := range []struct {
		header string
		want   Type
	}{
		{"", Type{}},
		{";", Type{}},
		{"application/octet-stream", Type{Media: "application/octet-stream"}},
		{" Application/JSON ; Charset=UTF-8", Type{Media: "application/json", Kind: JSON, Charset: "utf-8"}},
		{"application/vnd.api+json;v=1;charset = 'latin1' ", Type{Media: "application/vnd.api+json", Kind: JSON, Charset: "latin1"}},
		{"application/json, text/plain; charset=latin1", Type{Media: "application/json", Kind: JSON}},
		{"application/x-ndjson", Type{Media: "application/x-ndjson", Kind: JSONLines}},
		{"application/geo+json-seq", Type{Media: "application/geo+json-seq", Kind: JSONLines}},
		{"application/x-www-form-urlencoded", Type{Media: "application/x-www-form-urlencoded", Kind: Form}},
		{"text/event-stream;charset=utf-8", Type{Media: "text/event-stream", Kind: EventStream, Charset: "utf-8"}},
		{"text/html; a; charset=utf-8; charset=x", Type{Media: "text/html", Kind: Text, Charset: "utf-8"}},
		{"image/svg+xml", Type{Media: "image/svg+xml", Kind: Text}},
		{"application/javascript", Type{Media: "application/javascript", Kind: Text}},
		{`multipart/form-data; x="a;boundary=no\""; boundary="=_a\\b;c"`, Type{Media: "multipart/form-data", Kind: Multipart, Boundary: `=_a\b;c`}},
		{`multipart/mixed; boundary="open`, Type{Media: "multipart/mixed", Kind: Multipart, Boundary: "open"}},
		{`multipart/mixed; boundary=`, Type{Media: "multipart/mixed", Kind: Multipart}},
		{"application/grpc", Type{Media: "application/grpc", Kind: GRPC}},
		{"application/grpc+proto", Type{Media: "application/grpc+proto", Kind: GRPC}},
		{"application/grpc+json", Type{Media: "application/grpc+json", Kind: GRPC}},
		{"application/grpc-web", Type{Media: "application/grpc-web", Kind: GRPCWeb}},
		{"application/grpc-web+proto", Type{Media: "application/grpc-web+proto", Kind: GRPCWeb}},
		{"application/grpc-web-text+proto", Type{Media: "application/grpc-web-text+proto", Kind: GRPCWebText}},
		{"application/grpcfoo", Type{Media: "application/grpcfoo"}},
	} {
		assert.Equal(t, c.want, ParseType(c.header), c.header)
	}
	for kind := Binary; kind <= EventStream; kind++ {
		assert.Equal(t, kind == GRPC || kind == GRPCWeb || kind == GRPCWebText, kind.IsGRPC())
	}
	assert.Zero(t, testing.AllocsPerRun(10, func() { ParseType("application/json; charset=utf-8") }))
}
