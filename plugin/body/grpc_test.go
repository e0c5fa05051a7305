package body

import (
	base "encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// The wire format, as far as the tests need it.

func frame(flag byte, message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message)))) + message
}

func tag(number, wire int) string { return uvarint(uint64(number)<<3 | uint64(wire)) }

func uvarint(v uint64) string { return string(binary.AppendUvarint(nil, v)) }

func varint(number int, v uint64) string { return tag(number, 0) + uvarint(v) }

func bytesOf(number int, v string) string { return tag(number, 2) + uvarint(uint64(len(v))) + v }

func fixed32(number int, v uint32) string {
	return tag(number, 5) + string(binary.LittleEndian.AppendUint32(nil, v))
}

func fixed64(number int, v uint64) string {
	return tag(number, 1) + string(binary.LittleEndian.AppendUint64(nil, v))
}

func group(number int, v string) string { return tag(number, 3) + v + tag(number, 4) }

func nested(depth int, inner string) string {
	for range depth {
		inner = bytesOf(1, inner)
	}
	return inner
}

func TestAProtobufMessage(t *testing.T) {
	const kind = "application/grpc"
	for _, c := range []struct {
		name, message, want string
	}{
		{"that is empty is an empty object", "", `{}`},
		{"shows varints as signed numbers", varint(1, 150) + varint(2, 0) + varint(3, math.MaxUint64), `{"1":150,"2":0,"3":-1}`},
		{"shows numbers that a float cannot hold as texts", varint(1, 1<<53) + varint(2, 1<<53+1) + varint(3, 1<<63), `{"1":9007199254740992,"2":"9007199254740993","3":"-9223372036854775808"}`},
		{"shows what has 64 bits as an integer", fixed64(1, 42) + fixed64(2, math.MaxUint64), `{"1":"42i64","2":"-1i64"}`},
		{"shows what has 64 bits as a float too where it may be one", fixed64(1, math.Float64bits(1.5)) + fixed64(2, math.Float64bits(-1e6)),
			`{"1":"1.5 or 4609434218613702656i64","2":"-1000000 or -4526534890170089472i64"}`},
		{"shows what has 32 bits likewise", fixed32(1, 42) + fixed32(2, math.Float32bits(0.1)) + fixed32(3, math.MaxUint32), `{"1":"42i32","2":"0.1 or 1036831949i32","3":"-1i32"}`},
		{"shows no float that is none", fixed64(1, math.Float64bits(math.Inf(1))) + fixed64(2, math.Float64bits(math.NaN())), `{"1":"9218868437227405312i64","2":"9221120237041090561i64"}`},
		{"shows texts", bytesOf(1, "grüß \"dich\"") + bytesOf(2, ""), `{"1":"grüß \"dich\"","2":""}`},
		{"shows texts with line breaks", bytesOf(1, "a\r\n\tb"), `{"1":"a\r\n\tb"}`},
		{"shows messages within", bytesOf(1, bytesOf(2, varint(3, 1))), `{"1":{"2":{"3":1}}}`},
		{"shows bytes in base64", bytesOf(1, "\x00\xff") + bytesOf(2, "a\x00"), `{"1":{"base64":"AP8="},"2":{"base64":"YQA="}}`},
		{"shows repeated fields as a list, wherever they stand", varint(2, 1) + bytesOf(1, "a") + varint(2, 2) + bytesOf(2, "b"), `{"1":"a","2":[1,2,"b"]}`},
		{"orders fields by their numbers", varint(536870911, 1) + varint(3, 2), `{"3":2,"536870911":1}`},
		{"shows groups as messages", group(1, varint(2, 3)+group(3, "")) + varint(4, 5), `{"1":{"2":3,"3":{}},"4":5}`},
		{"within which a group does not end is bytes", bytesOf(1, tag(1, 3)+"\x08\x01"), `{"1":{"base64":"CwgB"}}`},
		{"within which a group ends as another is bytes", bytesOf(1, tag(1, 3)+tag(2, 4)), `{"1":{"base64":"CxQ="}}`},
		{"within which wire types are unknown is bytes", bytesOf(1, "\x0e\x01") + bytesOf(2, "\x0f\x01"), `{"1":{"base64":"DgE="},"2":{"base64":"DwE="}}`},
		{"within which a field has number 0 is bytes", bytesOf(1, "\x00\x01"), `{"1":{"base64":"AAE="}}`},
		{"within which a number is beyond all is bytes", bytesOf(1, "\x88\x80\x80\x80\x10\x01"), `{"1":{"base64":"iICAgBAB"}}`},
		{"within which a varint does not end is bytes", bytesOf(1, "\x08\x80"), `{"1":{"base64":"CIA="}}`},
		{"within which a varint is too long is bytes", bytesOf(1, "\x08"+strings.Repeat("\xff", 10)+"\x01"), `{"1":{"base64":"CP////////////8B"}}`},
		{"within which a length is beyond its end is bytes", bytesOf(1, "\x0a\x02a") + bytesOf(2, "\x0a\xff\xff\xff\xff\x0f"), `{"1":{"base64":"CgJh"},"2":{"base64":"Cv////8P"}}`},
		{"within which a fixed value is short is bytes", bytesOf(1, "\x09\x01") + bytesOf(2, "\x0d\x01"), `{"1":{"base64":"CQE="},"2":{"base64":"DQE="}}`},
		{"is taken apart to a depth", nested(maxDepth, varint(1, 1)), strings.Repeat(`{"1":`, maxDepth) + `{"1":1}` + strings.Repeat("}", maxDepth)},
		{"is taken apart to no more than a depth", nested(maxDepth+1, varint(1, 1)), strings.Repeat(`{"1":`, maxDepth+1) + `{"base64":"CAE="}` + strings.Repeat("}", maxDepth+1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := decoder(open()).Decode(entire(kind, frame(0, c.message)), 4<<10)
			assert.Equal(t, document("["+c.want+"]"), got)
		})
	}
	fields := decoder(open()).Decode(entire(kind, frame(0, strings.Repeat("\x08\x01", maxFields+1))), 1<<20)
	assert.Equal(t, cut(`[{"1":[1`+strings.Repeat(",1", maxFields-1)+`]}]`), fields, "of more fields than are taken apart the first are shown")
	many := nested(1, strings.Repeat(tag(1, 3), maxDepth+1)+strings.Repeat(tag(1, 4), maxDepth+1))
	assert.Contains(t, decoder(open()).Decode(entire(kind, frame(0, many)), 4<<10).Text, "base64", "groups nest to a depth")
}

func TestGRPC(t *testing.T) {
	const kind = "application/grpc"
	text1 := bytesOf(1, "alice")
	withEncoding := func(encoding, body string) *Raw {
		r := entire(kind, body)
		r.GRPCEncoding = encoding
		return r
	}
	long := frame(1, pack(t, "gzip", bytesOf(1, strings.Repeat("a", 60))))
	zipped := frame(1, pack(t, "gzip", text1))
	check(t, []decoding{
		{"is cut apart into messages", open(), entire(kind, frame(0, text1)+frame(0, "")+frame(0, varint(2, 3))), 0, document(`[{"1":"alice"},{},{"2":3}]`)},
		{"may have compressed messages", open(), withEncoding("gzip", zipped+frame(0, text1)), 0, document(`[{"1":"alice"},{"1":"alice"}]`)},
		{"may have messages in deflate", open(), withEncoding("deflate", frame(1, pack(t, "zlib", text1))+frame(1, "")), 0, document(`[{"1":"alice"},{}]`)},
		{"compressed in a way that nobody here reads is left out", open(), withEncoding("snappy", zipped), 0, omit(record.OfEncoding)},
		{"compressed in a way that nobody named is left out", open(), withEncoding("identity", zipped), 0, omit(record.Malformed)},
		{"that inflates to more than the ratio allows is left out", open(), withEncoding("gzip", frame(1, pack(t, "gzip", strings.Repeat("a", 1<<18)))), 1 << 20, omit(record.OfRatio)},
		{"whose messages inflate beyond the limit in sum is cut", &fake{name: "1"}, withEncoding("gzip", long+long+long), 120, cut(`[{"1":"[masked]"},{"1":"[masked]"}]`)},
		{"that ends within a message is cut", open(), entire(kind, frame(0, text1)+frame(0, text1+bytesOf(2, "bob"))[:13]), 0, cut(`[{"1":"alice"},{"1":"alice"}]`)},
		{"that ends within a message's length is cut", open(), beginning(kind, frame(0, text1)+"\x00\x00"), 0, cut(`[{"1":"alice"}]`)},
		{"with unknown flags is left out", open(), entire(kind, frame(2, text1)), 0, omit(record.Malformed)},
		{"has no trailers in its body", open(), entire(kind, frame(0x80, "")), 0, omit(record.Malformed)},
		{"with too much to show is cut to whole values", open(), entire(kind, frame(0, text1)+frame(0, text1)+frame(0, varint(1, 1)+varint(2, 2))), 38, cut(`[{"1":"alice"},{"1":"alice"},{"1":1}]`)},
		{"is redacted message by message", &fake{name: "2"}, entire(kind, frame(0, bytesOf(1, varint(2, 3)))+frame(0, bytesOf(2, "a"))), 0, document(`[{"1":{"2":"[masked]"}},{"2":"[masked]"}]`)},
		{"that is no protobuf is shown as it is", open(), entire(kind, frame(0, "zz")+frame(0, "\x00")), 0, document(`["zz",{"base64":"AA=="}]`)},
		{"that is no protobuf is left out where fields are hidden", names(), entire(kind, frame(0, "zz")), 0, omit(record.Malformed)},
		{"may hold JSON", names(), entire("application/grpc+json", frame(0, `{"pin": 1}`)), 0, document(`[{"pin":"[masked]"}]`)},
		{"may hold JSON that is cut", names(), entire("application/grpc+json", frame(0, `{"pin": 1, "a": 2}`)[:18]), 0, cut(`[{"pin":"[masked]"}]`)},
		{"with a codec that nobody here reads is shown as it is", open(), entire("application/grpc+thrift", frame(0, "\x00")), 0, document(`[{"base64":"AA=="}]`)},
		{"with a codec that nobody here reads is left out where fields are hidden", names(), entire("application/grpc+thrift", frame(0, "\x00")), 0, omit(record.Malformed)},
	})
}

func TestGRPCWeb(t *testing.T) {
	trailers := frame(0x80, "grpc-status: 0\r\ngrpc-message:hunter2\r\nX-Cost: 1\r\nx-cost: 2\r\nx-secret: s\r\n")
	stream := frame(0, varint(1, 2)) + trailers
	const want = `[{"1":2},{"trailers":{"grpc-status":"0","grpc-message":"[word]","x-cost":["1","2"]}}]`
	in64 := base.StdEncoding.EncodeToString
	check(t, []decoding{
		{"ends with trailers, of which only the listed are shown", detect(), entire("application/grpc-web+proto", stream), 0, document(want)},
		{"may be in base64", detect(), entire("application/grpc-web-text", in64([]byte(stream))), 0, document(want)},
		{"may be in several pieces of base64", detect(), entire("application/grpc-web-text+proto", in64([]byte(stream[:7]))+in64([]byte(trailers))), 0, document(want)},
		{"in base64 may be cut", detect(), beginning("application/grpc-web-text", in64([]byte(stream))[:15]), 0, cut(`[{"1":2}]`)},
		{"in what is no base64 is left out", open(), entire("application/grpc-web-text", "!!!!"), 0, omit(record.Malformed)},
		{"may have its trailers cut", open(), beginning("application/grpc-web", frame(0x80, "grpc-status: 0\r\ngrpc-message: a\r\n")[:30]), 0, cut(`[{"trailers":{"grpc-status":"0"}}]`)},
	})
}

// What may be a text and may be a message is a text, but nothing is shown
// through the one that is hidden in the other.
func TestATextThatMayBeAMessage(t *testing.T) {
	const kind = "application/grpc"
	inner := bytesOf(6, "hunter2"+strings.Repeat("x", 30)) // "2%hunter2xxx…"
	split := bytesOf(8, strings.Repeat("a", 28)+"hunt") + bytesOf(12, strings.Repeat("b", 41))
	check(t, []decoding{
		{"is shown as a text", open(), entire(kind, frame(0, bytesOf(1, inner))), 0, document(`[{"1":"2%hunter2` + strings.Repeat("x", 30) + `"}]`)},
		{"loses the words that are hidden in the text", &fake{word: "%hunt"}, entire(kind, frame(0, bytesOf(1, inner))), 0, document(`[{"1":"[masked]"}]`)},
		{"loses the words that are hidden in the message", detect(), entire(kind, frame(0, bytesOf(1, inner))), 0, document(`[{"1":"[masked]"}]`)},
		{"loses words that lie across the message's fields", &fake{word: "huntb"}, entire(kind, frame(0, bytesOf(1, split))), 0, document(`[{"1":"[masked]"}]`)},
		{"with line breaks is a message", open(), entire(kind, frame(0, bytesOf(1, bytesOf(1, "alice has\r")))), 0, document(`[{"1":{"1":"alice has\r"}}]`)},
		{"with line breaks is a message where words are hidden too", detect(), entire(kind, frame(0, bytesOf(1, bytesOf(1, "alice has\r")))), 0, document(`[{"1":{"1":"alice has\r"}}]`)},
		{"with line breaks loses the words that lie across", &fake{word: "\n\nalice"}, entire(kind, frame(0, bytesOf(1, bytesOf(1, "alice has\r")))), 0, document(`[{"1":"[masked]"}]`)},
		{"has the size of its bytes where words are hidden", detect(), entire(kind, frame(0, bytesOf(1, "\x00\xff"))), 0, document(`[{"1":{"bytes":2}}]`)},
	})
	for kind, opaque := range map[string]bool{kind: true, "application/grpc+json": false} {
		f := names()
		decoder(f).Decode(entire(kind, frame(0, "{}")+frame(0, "")), 4<<10)
		for _, o := range f.opaque {
			assert.Equal(t, opaque, o, kind)
		}
	}
}

// Of what may be a text and may be a message both are looked into, once a level and
// no deeper than maxEither: else a client could have each byte read 60 times. Here
// 0a is a line feed or a tag, and each length a tab or a printing character.
func TestLinesThatMayBeMessagesWithinMessagesAreReadOnce(t *testing.T) {
	for depth, shown := range map[int]bool{maxEither: true, maxEither + 1: false, maxDepth: false} {
		message := linesWithin(depth)
		assert.True(t, isLines([]byte(message)))
		c := &counting{fake: fake{word: "hunter2"}}
		got := decoder(c).Decode(entire("application/grpc", frame(0, message)), 64<<10)
		assert.Equal(t, shown, strings.Contains(got.Text, "xxxxxxxxx"), got.Text)
		assert.LessOrEqual(t, c.reads, maxEither+2)
		assert.LessOrEqual(t, c.texts, maxEither+2)
	}
}

func linesWithin(depth int) string {
	return nested(depth, bytesOf(1, "xxxxxxxxx")+strings.Repeat("\t12345678", 3))
}

type counting struct {
	fake
	reads, texts int
}

func (c *counting) Text(dst []byte, text string, cut bool) []byte {
	c.texts++
	return c.fake.Text(dst, text, cut)
}

func (c *counting) JSON(dst, doc []byte, o redact.Options) ([]byte, redact.Verdict) {
	c.reads++
	return c.fake.JSON(dst, doc, o)
}
