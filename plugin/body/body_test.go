package body

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
)

func decoder(r Redactor) *Decoder {
	c := config.Default()
	c.Bodies.GRPC = true
	c.Headers.ResponseTrailers = []string{"grpc-message", "x-cost"}
	return New(&c, r)
}

// Three redactors: one that hides nothing, one that hides members called pin,
// and one that hides the word hunter2.
func open() *fake   { return &fake{} }
func names() *fake  { return &fake{name: "pin"} }
func detect() *fake { return &fake{word: "hunter2"} }

func entire(contentType, body string) *Raw {
	return &Raw{Bytes: []byte(body), Size: int64(len(body)), ContentType: contentType}
}

func beginning(contentType, body string) *Raw {
	r := entire(contentType, body)
	r.Size += 1000
	return r
}

func text(s string) record.Content { return record.Content{Form: record.Text, Text: s} }
func cut(s string) record.Content  { return record.Content{Form: record.Text, Text: s, Truncated: true} }
func in64(s string) record.Content { return record.Content{Form: record.Base64, Text: s} }
func document(s string) record.Content {
	return record.Content{Form: record.JSON, Text: s}
}

type decoding struct {
	name  string
	r     *fake
	raw   *Raw
	limit int // 0: 4 KiB
	want  record.Content
}

func check(t *testing.T, cases []decoding) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			limit := c.limit
			if limit == 0 {
				limit = 4 << 10
			}
			d := decoder(c.r)
			d.Decode(entire("application/json", `{"left":"over"}`), limit)
			assert.Equal(t, c.want, d.Decode(c.raw, limit))
		})
	}
}

func TestABody(t *testing.T) {
	check(t, []decoding{
		{"that is empty gives nothing", open(), entire("application/json", ""), 0, record.Content{}},
		{"of which nothing was copied is a text that is cut", open(), &Raw{Size: 9, ContentType: "text/plain"}, 0, cut("")},
		{"has no room without a limit", open(), entire("text/plain", "a"), -1, omit(record.NoRoom)},
		{"that is an event stream is left out", open(), entire("text/event-stream", "data: a\n\n"), 0, omit(record.OfStream)},
		{"without a type is shown in base64", open(), entire("", "a\x00\xff"), 0, in64("YQD/")},
		{"of bytes is cut between groups of base64", open(), entire("image/png", "123456"), 7, record.Content{Form: record.Base64, Text: "MTIz", Truncated: true}},
		{"of bytes is left out where fields are hidden", names(), entire("image/png", "a"), 0, omit(record.NotRedactable)},
		{"of bytes is left out where words are hidden", detect(), entire("image/png", "a"), 0, omit(record.NotRedactable)},
	})
}

func TestJSON(t *testing.T) {
	const kind = "application/json; charset=utf-8"
	check(t, []decoding{
		{"that is whole is embedded", open(), entire(kind, " {\"a\" : [1, 2.50, \"\\u0041\"]}\n"), 0, document(`{"a":[1,2.50,"A"]}`)},
		{"that is a list is embedded", open(), entire("application/problem+json", `[1]`), 0, document(`[1]`)},
		{"that is a scalar is a text", open(), entire("text/json", ` "a" `), 0, text(`"a"`)},
		{"is redacted", names(), entire(kind, `{"a":{"PIN":[1]},"b":1}`), 0, document(`{"a":{"PIN":"[masked]"},"b":1}`)},
		{"whose copy is cut becomes a text that parses", open(), beginning(kind, `{"a":[1,{"b":"c","d":"e`), 0, cut(`{"a":[1,{"b":"c"}]}`)},
		{"whose copy is cut is redacted", names(), beginning(kind, `{"pin":"1234","b":`), 0, cut(`{"pin":"[masked]"}`)},
		{"that is too long is cut", open(), entire(kind, `{"a":"b","c":"d","e":"f"}`), 20, cut(`{"a":"b","c":"d"}`)},
		{"that is too long once it is redacted is cut", names(), entire(kind, `[{"a":1},{"pin":1}]`), 20, cut(`[{"a":1},{}]`)},
		{"with no room for its brackets has no room", names(), entire(kind, `{}`), 1, omit(record.NoRoom)},
		{"that is a long scalar is cut between characters", open(), entire(kind, `"ééé"`), 6, cut(`"éé`)},
		{"that is broken is a text where nothing is hidden", open(), entire(kind, `{"a":`), 0, text(`{"a":`)},
		{"that is broken is left out where fields are hidden", names(), entire(kind, `{"a":`), 0, omit(record.Malformed)},
		{"that is broken is left out where words are hidden", detect(), entire(kind, `{"a":`), 0, omit(record.Malformed)},
		{"that cannot be redacted is left out", names(), entire(kind, strings.Repeat("[", 6000)+strings.Repeat("]", 6000)), 20_000, omit(record.NotRedactable)},
		{"that cannot be redacted is a text where nothing is hidden", open(), entire(kind, strings.Repeat("[", 6000)+strings.Repeat("]", 6000)), 20_000,
			text(strings.Repeat("[", 6000) + strings.Repeat("]", 6000))},
		{"with broken UTF-8 has it replaced", open(), entire(kind, "{\"a\":\"\xff\xc3\"}"), 0, document("{\"a\":\"\ufffd\ufffd\"}")},
		{"under a text type is JSON", names(), entire("text/plain", ` {"pin":1}`), 0, document(`{"pin":"[masked]"}`)},
		{"under a form's type is JSON", names(), entire("application/x-www-form-urlencoded", `{"pin":"a=b&c"}`), 0, document(`{"pin":"[masked]"}`)},
		{"under a form's type that may be fields as well is left out where fields are hidden", names(), entire("application/x-www-form-urlencoded", `{"a":"b&pin=1"}`), 0, omit(record.NotRedactable)},
		{"under a form's type that may be fields as well is shown where nothing is hidden", open(), entire("application/x-www-form-urlencoded", `{"a":"b&pin=1"}`), 0, document(`{"a":"b&pin=1"}`)},
		{"under a form's type that is broken is left out where fields are hidden", names(), entire("application/x-www-form-urlencoded", `{"pin":"a=b`), 0, omit(record.Malformed)},
		{"under a form's type that cannot be redacted is left out", names(),
			entire("application/x-www-form-urlencoded", strings.Repeat("[", 6000)+strings.Repeat("]", 6000)), 20_000, omit(record.NotRedactable)},
		{"under a form's type that is broken is a form where nothing is hidden", open(), entire("application/x-www-form-urlencoded", `[a]=1`), 0, text(`[a]=1`)},
	})
}

func TestJSONLines(t *testing.T) {
	const kind = "application/x-ndjson"
	check(t, []decoding{
		{"are redacted one by one", names(), entire(kind, "{\"pin\": 1}\r\n\n [2]\n\"a\""), 0, text("{\"pin\":\"[masked]\"}\n[2]\n\"a\"")},
		{"may be a sequence with record separators", open(), entire("application/json-seq", "\x1e{\"a\": 1}\n\x1e2\n"), 0, text("{\"a\":1}\n2")},
		{"are closed where they are cut", names(), beginning(kind, "[1]\n{\"pin\":2,\"a\":3"), 0, cut("[1]\n{\"pin\":\"[masked]\"}")},
		{"lose a last line of which nothing is whole", names(), beginning(kind, "[1]\n\"a"), 0, cut("[1]")},
		{"stay within the limit", open(), entire(kind, "[1]\n[2,3,4,5]\n[6]"), 10, cut("[1]\n[2,3]")},
		{"stay within the limit where nothing of a line fits", open(), entire(kind, "[1]\n[2,3,4,5]\n[6]"), 5, cut("[1]\n[")},
		{"with a broken one are left out where fields are hidden", names(), entire(kind, "[1]\n{"), 0, omit(record.Malformed)},
		{"with a broken one are a text where nothing is hidden", open(), entire(kind, "[1]\n{"), 0, text("[1]\n{")},
		{"with one that cannot be redacted are left out", names(), entire(kind, strings.Repeat("[", 6000)+strings.Repeat("]", 6000)), 20_000, omit(record.NotRedactable)},
	})
}

func TestAForm(t *testing.T) {
	const kind = "application/x-www-form-urlencoded"
	check(t, []decoding{
		{"is redacted by field", names(), entire(kind, "a=1&pin=2"), 0, text("a=1&pin=[masked]")},
		{"is cut", open(), entire(kind, "a=1&b=2"), 5, cut("a=1&b")},
		{"that cannot be redacted is left out", names(), entire(kind, "%%=1"), 0, omit(record.NotRedactable)},
	})
}

func TestAText(t *testing.T) {
	check(t, []decoding{
		{"is kept as it is", open(), entire("text/html", "<p>\n"), 0, text("<p>\n")},
		{"may be XML", open(), entire("application/soap+xml", "<a/>"), 0, text("<a/>")},
		{"loses the words that are hidden", detect(), entire("text/plain", "my hunter2"), 0, text("my [word]")},
		{"loses an unfinished word where words are hidden", detect(), beginning("text/plain", "my hunte"), 0, cut("my")},
		{"is left out where fields are hidden", names(), entire("text/plain", "pin=1"), 0, omit(record.NotRedactable)},
		{"is cut between characters", open(), entire("text/plain", "aé€"), 5, cut("aé")},
		{"loses a character whose copy is cut", open(), beginning("text/plain", "a\xe2\x82"), 0, cut("a")},
		{"keeps to its limit when it grows", &fake{word: "a"}, entire("text/plain", "a a a"), 11, cut("[word] [wor")},
	})
}

func TestCharacterSets(t *testing.T) {
	check(t, []decoding{
		{"without a name are UTF-8", open(), entire("text/plain", "é"), 0, text("é")},
		{"may be UTF-8 with a byte order mark", open(), entire("text/plain; charset=utf-8", "\xef\xbb\xbfé"), 0, text("é")},
		{"may be broken UTF-8", open(), entire("text/plain; charset=UTF8", "a\xffb\xe2\x82"), 0, text("a\ufffdb\ufffd\ufffd")},
		{"may be ASCII", open(), entire(`text/plain; charset="us-ascii"`, "a\x80"), 0, text("a\ufffd")},
		{"may be ISO 8859-1", open(), entire("text/plain; charset=ISO-8859-1", "\xe9\x80\x9f\xe9"), 0, text("é€Ÿé")},
		{"may be UTF-8 though called ISO 8859-1", &fake{name: "contraseña"}, entire("application/json; charset=ISO-8859-1", `{"contraseña":1}`), 0, document(`{"contraseña":"[masked]"}`)},
		{"may be UTF-8 though called ISO 8859-1 and cut", &fake{name: "contraseña"}, beginning("application/json; charset=latin1", "{\"contraseña\":1,\"\xc3"), 0, cut(`{"contraseña":"[masked]"}`)},
		{"may be UTF-16 by their first characters", detect(), entire("text/plain", "h\x00u\x00n\x00t\x00e\x00r\x002\x00"), 0, text("[word]")},
		{"may be UTF-16 by their first characters, big end first", names(), entire("application/json", "\x00{\x00\"\x00p\x00i\x00n\x00\"\x00:\x001\x00}"), 0, document(`{"pin":"[masked]"}`)},
		{"may be windows-1252", open(), entire("text/plain; charset=windows-1252", "\x93\xff"), 0, text("“ÿ")},
		{"that grow stay within the limit", open(), entire("text/plain; charset=latin1", "\xe9\xe9\xe9"), 5, cut("éé")},
		{"may be UTF-16, little end first", open(), entire("text/plain; charset=utf-16le", "a\x00\xac\x20\x3d\xd8\x00\xde"), 0, text("a€😀")},
		{"may be UTF-16, big end first", open(), entire("text/plain; charset=utf-16be", "\x00a\x20\xac\xd8\x3d\xde\x00"), 0, text("a€😀")},
		{"may be UTF-16 with a mark", open(), entire("text/plain; charset=utf-16", "\xff\xfea\x00"), 0, text("a")},
		{"may be UTF-16 with the other mark", open(), entire("text/plain; charset=utf-16", "\xfe\xff\x00a"), 0, text("a")},
		{"may be UTF-16 without a mark", open(), entire("text/plain; charset=utf-16", "\xac\x20a\x00"), 0, text("€a")},
		{"may be UTF-16 without anything to tell by", open(), entire("text/plain; charset=utf-16", "\x20\xac"), 0, text("€")},
		{"may be UTF-16 by a mark alone", names(), entire("application/json", "\xff\xfe{\x00}\x00"), 0, document("{}")},
		{"may be UTF-16 by the other mark alone", names(), entire("application/json", "\xfe\xff\x00{\x00}"), 0, document("{}")},
		{"may be broken UTF-16", open(), entire("text/plain; charset=utf-16le", "\x3d\xd8a\x00\x00\xdeb\x00c"), 0, text("\ufffda\ufffdb\ufffd")},
		{"may be UTF-16 whose copy is cut", open(), beginning("text/plain; charset=utf-16le", "a\x00\x3d\xd8"), 0, cut("a")},
		{"that nobody here reads are left out", open(), entire("text/plain; charset=shift_jis", "a"), 0, omit(record.OfCharset)},
		{"are nothing that bytes have", open(), entire("image/png; charset=shift_jis", "a"), 0, in64("YQ==")},
	})
}

func pack(t testing.TB, encoding, s string) string {
	var b bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		w, _ = flate.NewWriter(&b, flate.DefaultCompression)
	}
	_, err := w.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func encoded(encoding, body string) *Raw {
	r := entire("application/json", body)
	r.ContentEncoding = encoding
	return r
}

func TestACompressedBody(t *testing.T) {
	const doc = `{"pin":1,"b":"22222222"}`
	const seen = `{"pin":"[masked]","b":"22222222"}`
	zip, z, raw := pack(t, "gzip", doc), pack(t, "zlib", doc), pack(t, "flate", doc)
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = 'a' + byte(i*i*7919>>8)%26
	}
	long := pack(t, "gzip", string(noise))
	cutZip := encoded("gzip", long[:1000])
	cutZip.Size, cutZip.ContentType = int64(len(long)), "text/plain"
	early := encoded("gzip", long[:1000])
	early.ContentType = "text/plain"
	broken := []byte(long)
	broken[500] ^= 0xff
	check(t, []decoding{
		{"is inflated from gzip", names(), encoded("gzip", zip), 0, document(seen)},
		{"is inflated from x-gzip in any case", names(), encoded("X-GZip", zip), 0, document(seen)},
		{"is inflated from several members", names(), encoded("gzip", pack(t, "gzip", `{"pin":1`)+pack(t, "gzip", `,"b":"22222222"}`)), 0, document(seen)},
		{"is inflated from zlib", names(), encoded("deflate", z), 0, document(seen)},
		{"is inflated from bare deflate", names(), encoded("deflate", raw), 0, document(seen)},
		{"is inflated from bare deflate that begins like zlib", open(), encoded("deflate", "\x78\x01\x00\xfe\xff2\x03\x00"), 0, text("2")},
		{"may not be compressed at all", names(), encoded("identity", doc), 0, document(seen)},
		{"may be compressed twice", names(), encoded("deflate, identity ,gzip", pack(t, "gzip", z)), 0, document(seen)},
		{"may be compressed three times", names(), encoded("gzip,gzip,gzip", pack(t, "gzip", pack(t, "gzip", zip))), 0, document(seen)},
		{"that is compressed once more is left out", names(), encoded("gzip,gzip,gzip,gzip", pack(t, "gzip", pack(t, "gzip", pack(t, "gzip", zip)))), 0, omit(record.OfEncoding)},
		{"that nobody here reads is left out", open(), encoded("br", "a"), 0, omit(record.OfEncoding)},
		{"with zstd within is left out", open(), encoded("zstd, gzip", zip), 0, omit(record.OfEncoding)},
		{"that is none is left out", open(), encoded("gzip", doc), 0, omit(record.Malformed)},
		{"that is no deflate is left out", open(), encoded("deflate", "\xff\xff"), 0, omit(record.Malformed)},
		{"that is broken is left out", open(), encoded("gzip", string(broken)), 0, omit(record.Malformed)},
		{"inflates up to the limit", open(), encoded("gzip", zip), 10, cut(`{"pin":1}`)},
		{"inflates to more than the ratio allows", open(), encoded("gzip", pack(t, "gzip", strings.Repeat("a", 1<<20))), 1 << 20, omit(record.OfRatio)},
		{"inflates to more than the ratio allows, layer by layer", open(), encoded("gzip,gzip", pack(t, "gzip", pack(t, "gzip", strings.Repeat("a", 1<<20)))), 1 << 20, omit(record.OfRatio)},
	})
	for _, c := range []struct {
		name string
		raw  *Raw
	}{{"whose copy is cut gives its beginning", cutZip}, {"that ended early gives its beginning", early}} {
		t.Run(c.name, func(t *testing.T) {
			got := decoder(open()).Decode(c.raw, 4<<10)
			assert.True(t, got.Truncated)
			assert.Greater(t, len(got.Text), 500)
			assert.True(t, strings.HasPrefix(string(noise), got.Text))
		})
	}
}

func TestTextsOfTwoBodiesLiveAtOnce(t *testing.T) {
	d := decoder(open())
	first := d.Decode(entire("application/json", `{"a":1}`), 100)
	second := d.Decode(encoded("gzip", pack(t, "gzip", `{"b":2}`)), 100)
	assert.Equal(t, `{"a":1}`, first.Text)
	assert.Equal(t, `{"b":2}`, second.Text)
}

func TestLargeBuffersAreLetGo(t *testing.T) {
	d := decoder(open())
	long := `["` + strings.Repeat("\xe9", 400<<10) + `"]`
	for range 2 {
		require.NotEmpty(t, d.Decode(&Raw{Bytes: []byte(long), Size: int64(len(long)), ContentType: "application/json; charset=latin1"}, 1<<20).Text)
	}
	for _, b := range [][]byte{d.outs[0], d.outs[1], d.utf8, d.layers[0], d.layers[1], d.doc, d.text, d.inner} {
		assert.LessOrEqual(t, cap(b), kept)
	}
}

func TestEveryOmissionThatBelongsHereIsGiven(t *testing.T) {
	off := New(&config.Config{}, open())
	c := off.Decode(entire("application/grpc", "\x00\x00\x00\x00\x00"), 100)
	assert.Equal(t, omit(record.OfGRPC), c)
	// The others are in the tables above; of_content_type is decided at the head.
}

func TestClosingJSON(t *testing.T) {
	const doc = `{"a":[1,{"b":"}\"]"},[]],"c":{"d":null},"e":-1.5e3}`
	require.True(t, json.Valid([]byte(doc)))
	longest := 0
	for limit := range len(doc) + 2 {
		got := closeJSON([]byte(doc), limit)
		if limit < 2 {
			require.Empty(t, got)
			continue
		}
		require.LessOrEqual(t, len(got), limit)
		require.True(t, json.Valid(got), "%d: %s", limit, got)
		require.GreaterOrEqual(t, len(got), longest, "%d: %s", limit, got)
		longest = len(got)
	}
	assert.Equal(t, doc, string(closeJSON([]byte(doc), len(doc))))
	assert.Equal(t, `{"a":[1,{}]}`, string(closeJSON([]byte(doc), 12)))
}

func TestStrings(t *testing.T) {
	for _, s := range []string{"", "a", "\"\\\n\r\t\x00\x1f", "é😀", "\xff", "a\xe2\x82"} {
		var got string
		require.NoError(t, json.Unmarshal(jsontext.AppendString(nil, s), &got))
		assert.Equal(t, strings.ToValidUTF8(s, "\ufffd"), strings.ReplaceAll(got, "\ufffd\ufffd", "\ufffd"))
		assert.True(t, utf8.ValidString(got))
	}
}
