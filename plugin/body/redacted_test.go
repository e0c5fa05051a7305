package body

import (
	base "encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// hiding is the plugin's own redactor, with a rule for bodies, if there is one, and
// detectors.
func hiding(path string, detectors ...string) *redact.Redactor {
	c := config.Redact{Detect: detectors}
	if path != "" {
		c.Rules = []config.RedactRule{{Body: path, Mode: config.Mask}}
	}
	return redact.New(&c)
}

// planted is a body in which a secret stands once, in a place that a rule names.
type planted struct {
	name, rule, contentType, body string
}

const secret = "s3cr3t.Pa55"

func bodies(secret string) []planted {
	message := varint(1, 7) + bytesOf(2, bytesOf(3, secret)+bytesOf(5, strings.Repeat("x", 40)))
	return []planted{
		{"JSON", "user.pin", "application/json", `{"id":1,"user":{"name":"a","pin":"` + secret + `","z":[1,2]}}`},
		{"JSON at any depth", "**.pin", "application/problem+json", `{"a":[{"b":[{"PIN":{"x":["` + secret + `"]}}]}],"c":"d"}`},
		{"JSON with an escaped key", "pin", "application/json; charset=utf-8", `{"\u0070in":"` + secret + `","pi\u006e":"` + secret + `"}`},
		{"JSON within JSON", "user.pin", "application/json", `{"user":"{\"pin\":\"` + secret + `\",\"a\":1}"}`},
		{"JSON under a text type", "pin", "text/plain", `{"pin":"` + secret + `"}`},
		{"JSON under a form's type", "pin", "application/x-www-form-urlencoded", `{"pin":"` + secret + `"}`},
		{"JSON lines", "pin", "application/x-ndjson", "{\"a\":1}\n{\"pin\":\"" + secret + "\"}\n{\"b\":2}\n"},
		{"a form", "user.pin", "application/x-www-form-urlencoded", "a=1&user%5Bpin%5D=" + secret + "&b=2"},
		{"a text", "pin", "text/html", "<p>pin: " + secret},
		{"bytes", "pin", "application/zip", "PK" + secret},
		{"multipart", "pin", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n" + secret + "\r\n--b--\r\n"},
		{"gRPC", "2.3", "application/grpc", frame(0, varint(1, 1)) + frame(0, message)},
		{"gRPC, a text that is a message", "2.6", "application/grpc", frame(0, bytesOf(2, bytesOf(6, secret+strings.Repeat("x", 40))))},
		{"gRPC, repeated", "2.3", "application/grpc", frame(0, bytesOf(2, varint(1, 1))+bytesOf(2, bytesOf(3, secret)))},
		{"gRPC at any depth", "**.3", "application/grpc+proto", frame(0, group(4, bytesOf(2, bytesOf(3, secret))))},
		{"gRPC in JSON", "pin", "application/grpc+json", frame(0, `{"pin":"`+secret+`"}`)},
		{"gRPC-Web", "2.3", "application/grpc-web", frame(0, message) + frame(0x80, "grpc-status: 0\r\n")},
		{"gRPC-Web text", "2.3", "application/grpc-web-text", base.StdEncoding.EncodeToString([]byte(frame(0, message)))},
	}
}

// However long the copy is, however long the record may be and however it is
// compressed, no part of the secret that tells it shows.
func TestNothingOfAPlantedSecretShows(t *testing.T) {
	shown := 0
	for _, b := range bodies(secret) {
		t.Run(b.name, func(t *testing.T) {
			d := decoder(hiding(b.rule))
			for encoding, body := range map[string]string{"": b.body, "gzip": pack(t, "gzip", b.body), "deflate": pack(t, "zlib", b.body), "deflate,gzip": pack(t, "gzip", pack(t, "flate", b.body))} {
				for n := range len(body) + 1 {
					for _, limit := range []int{4 << 10, n, 20} {
						r := &Raw{Bytes: []byte(body[:n]), Size: int64(len(body)), ContentType: b.contentType, ContentEncoding: encoding}
						got := d.Decode(r, limit)
						require.NotContains(t, got.Text, secret[:6], "%d bytes of %q in %d", n, encoding, limit)
						require.NotContains(t, got.Text, base.StdEncoding.EncodeToString([]byte(secret))[:8])
						if strings.Contains(got.Text, redact.Masked) {
							shown++
						}
					}
				}
			}
		})
	}
	assert.Greater(t, shown, 1000)
}

func TestNothingThatADetectorKnowsShows(t *testing.T) {
	const card = "4111111111111111"
	d := decoder(hiding("", config.Detectors...))
	for _, b := range bodies(card) {
		body := []byte(b.body)
		for n := range len(body) + 1 {
			got := d.Decode(&Raw{Bytes: body[:n], Size: int64(len(body)), ContentType: b.contentType}, 4<<10)
			require.NotContains(t, got.Text, card, b.name)
			require.NotContains(t, got.Text, base.StdEncoding.EncodeToString([]byte(card))[:18], b.name)
		}
	}
}

func TestTheRedactorSeesBodiesAsTheyAre(t *testing.T) {
	for _, c := range []struct {
		name string
		r    *redact.Redactor
		raw  *Raw
		want record.Content
	}{
		{"JSON", hiding("a.#.b"), entire("application/json", `{"a": [{"b": 1, "c": 2}]}`), document(`{"a":[{"b":"[masked]","c":2}]}`)},
		{"JSON that is cut", hiding("b"), beginning("application/json", `{"a":1,"b":"x`), cut(`{"a":1}`)},
		{"lines of which the last is cut", hiding("b"), beginning("application/x-ndjson", "[1]\n\"a"), cut("[1]")},
		{"a form", hiding("user.pin"), entire("application/x-www-form-urlencoded", "user[pin]=1&a=2"), text("user[pin]=[masked]&a=2")},
		{"a text", hiding("", config.DetectEmail), entire("text/plain", "to a@example.org!"), text("to [email]!")},
		{"file names", hiding("", config.DetectEmail), entire("multipart/form-data; boundary=b", "--b\ncontent-disposition: a; filename=a@example.org\n\n--b--"),
			document(`[{"filename":"[email]","size":0}]`)},
		{"gRPC by field numbers, in repeated fields too", hiding("1.3"), entire("application/grpc", frame(0, bytesOf(1, varint(3, 1))+bytesOf(1, varint(3, 2)+varint(4, 3)))),
			document(`[{"1":[{"3":"[masked]"},{"3":"[masked]","4":3}]}]`)},
		{"a text in gRPC that may hide a field", hiding("1.9"), entire("application/grpc", frame(0, bytesOf(1, "Maria")+bytesOf(2, "Maria")+bytesOf(3, "Jo"))), document(`[{"1":"[masked]","2":"Maria","3":"Jo"}]`)},
		{"a number in gRPC", hiding("", config.DetectCard), entire("application/grpc", frame(0, varint(1, 4111111111111111)+fixed64(2, 4111111111111111))), document(`[{"1":"[card]","2":"[card]i64"}]`)},
		{"trailers", hiding("", config.DetectEmail), entire("application/grpc-web", frame(0x80, "grpc-status: 5\r\ngrpc-message: no a@example.org\r\nx-b: c\r\n")),
			document(`[{"trailers":{"grpc-status":"5","grpc-message":"no [email]"}}]`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, decoder(c.r).Decode(c.raw, 4<<10))
		})
	}
}
