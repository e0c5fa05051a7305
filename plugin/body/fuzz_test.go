package body

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	base "encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
)

// hold checks what holds of every content, and gives it.
func hold(t *testing.T, r Redactor, raw *Raw, limit int) record.Content {
	t.Helper()
	bytesBefore := bytes.Clone(raw.Bytes)
	d := decoder(r)
	got := d.Decode(raw, limit)
	got.Text = strings.Clone(got.Text)
	require.Equal(t, bytesBefore, raw.Bytes, "the body stays as it is")
	require.LessOrEqual(t, len(got.Text), max(limit, 0))
	require.True(t, utf8.ValidString(got.Text), "%q", got.Text)
	switch got.Form {
	case record.NoContent:
		require.Empty(t, got.Text)
		require.False(t, got.Truncated)
	case record.JSON:
		require.True(t, json.Valid([]byte(got.Text)), "%q", got.Text)
		require.Contains(t, "{[", got.Text[:1])
		require.False(t, got.Truncated)
	case record.Base64:
		_, err := base.StdEncoding.DecodeString(got.Text)
		require.NoError(t, err)
	}
	if got.Omitted != record.NotOmitted {
		require.Equal(t, omit(got.Omitted), got)
	} else if int64(len(raw.Bytes)) < raw.Size {
		require.True(t, got.Truncated, "a copy that is cut gives nothing whole")
	}
	d.Decode(entire("application/json", `{"other":"body"}`), 100)
	again := d.Decode(raw, limit)
	require.Equal(t, got, again, "it does not hang on what was decoded before")
	return got
}

func raw(body []byte, cutOff int64, contentType, encoding, grpc string) *Raw {
	return &Raw{Bytes: body, Size: int64(len(body)) + max(cutOff, 0)&1<<20, ContentType: contentType, ContentEncoding: encoding, GRPCEncoding: grpc}
}

func redactors() []Redactor {
	return []Redactor{open(), names(), detect(), hiding("", config.Detectors...), hiding("pin"), hiding("**.1", config.DetectEmail)}
}

func FuzzAnyBodyGivesWhatHolds(f *testing.F) {
	for _, kind := range []string{"application/json", "application/x-ndjson", "text/plain; charset=utf-16", "application/x-www-form-urlencoded", "multipart/mixed; boundary=a",
		"application/grpc", "application/grpc-web", "application/grpc-web-text", "application/grpc+json", "image/png", "text/event-stream", ""} {
		f.Add([]byte(`{"pin":[1,"hunter2"]}`), int64(0), kind, "", "", 100)
		f.Add([]byte("pin=hunter2&a=b\n[1]\n{"), int64(1<<20), kind, "", "", 9)
	}
	f.Add([]byte(pack(f, "gzip", `{"a":1}`)), int64(0), "application/json", "gzip", "", 100)
	f.Add([]byte(frame(1, pack(f, "gzip", bytesOf(1, "hunter2")))), int64(0), "application/grpc", "", "gzip", 100)
	f.Add([]byte("--a\r\ncontent-disposition: a; name=hunter2\r\n\r\n1\r\n--a--"), int64(0), "multipart/mixed; boundary=a", "identity", "", 40)
	f.Fuzz(func(t *testing.T, body []byte, cutOff int64, contentType, encoding, grpc string, limit int) {
		for _, r := range redactors() {
			hold(t, r, raw(body, cutOff, contentType, encoding, grpc), limit%(1<<16))
		}
	})
}

// The standard library's readers, without a limit, are the reference.
func FuzzWhatIsInflatedIsTheBeginningOfTheWhole(f *testing.F) {
	for _, text := range []string{"", "a", strings.Repeat("ab", 5000)} {
		f.Add([]byte(pack(f, "gzip", text)), "gzip", uint16(100), uint16(0))
		f.Add([]byte(pack(f, "zlib", text)), "deflate", uint16(100), uint16(1))
		f.Add([]byte(pack(f, "flate", text)), "deflate", uint16(9), uint16(0))
		f.Add([]byte(pack(f, "gzip", pack(f, "zlib", text))), "deflate,gzip", uint16(9), uint16(3))
	}
	f.Fuzz(func(t *testing.T, body []byte, encoding string, limit, lost uint16) {
		const ratio = 20
		n := max(0, len(body)-int(lost))
		d := New(&config.Config{Bodies: config.Bodies{MaxRatio: ratio}}, open())
		p, why := d.decompress(part{body[:n], lost > 0}, encoding, int(limit))
		if why != record.NotOmitted {
			return
		}
		if strings.Trim(encoding, " \t,") == "" || strings.EqualFold(strings.Trim(encoding, " \t,"), "identity") {
			require.Equal(t, body[:n], p.bytes)
			return
		}
		require.LessOrEqual(t, len(p.bytes), int(limit))
		require.LessOrEqual(t, len(p.bytes), ratio*n)
		var reader io.Reader
		switch encoding {
		case "gzip":
			zip, err := gzip.NewReader(bytes.NewReader(body[:n]))
			if err != nil {
				require.Empty(t, p.bytes)
				return
			}
			reader = zip
		case "deflate":
			if isZlib(body[:n]) {
				return // one of two readings
			}
			reader = flate.NewReader(bytes.NewReader(body[:n]))
		default:
			return
		}
		all, err := io.ReadAll(io.LimitReader(reader, 1<<20))
		require.True(t, bytes.HasPrefix(all, p.bytes))
		if !p.cut {
			require.NoError(t, err)
			require.Equal(t, len(all), len(p.bytes))
		}
	})
}

// A message is written from random bytes as a grammar, so that it is one.
func FuzzProtobufIsShownWhole(f *testing.F) {
	f.Add([]byte(varint(1, 150)+bytesOf(2, "testing")+bytesOf(3, varint(1, 150))), uint16(1000))
	f.Add([]byte(bytesOf(1, "Maria")+fixed32(2, 7)+fixed64(2, 1)+group(3, varint(1, 1))), uint16(1000))
	f.Add([]byte(nested(40, "\n\x05hello")), uint16(500))
	f.Add([]byte(strings.Repeat(tag(1, 3), 50)), uint16(500))
	f.Add([]byte(linesWithin(40)), uint16(500))
	f.Add([]byte(strings.Repeat("\x08\x01", 1000)), uint16(50))
	f.Fuzz(func(t *testing.T, message []byte, limit uint16) {
		for i, r := range []Redactor{open(), detect(), hiding("**.3", config.Detectors...)} {
			whole := hold(t, r, entire("application/grpc", frame(0, string(message))), 1<<20)
			cutOff := hold(t, r, entire("application/grpc", frame(0, string(message))), int(limit))
			hides := i > 0 // and what is hidden takes more room before it is
			if whole.Form == record.JSON && !hides && len(whole.Text) <= int(limit) && len(message)+5 <= int(limit) {
				require.Equal(t, whole, cutOff)
			}
			if f, isFake := r.(*fake); isFake && f.Detects() {
				require.NotContains(t, whole.Text, "hunter2")
			}
		}
		// However long a prefix, nothing is shown that the whole does not have.
		w := decoder(open()).writer(part{bytes: message}, 1<<20)
		ok := w.message()
		require.True(t, !ok || json.Valid(w.dst), "%s", w.dst)
		for n := range min(len(message), 64) {
			w := decoder(open()).writer(part{message[:n], true}, 1<<20)
			prefix := w.message()
			require.True(t, prefix || !ok, "a prefix of a message is the prefix of one")
			require.True(t, !prefix || json.Valid(w.dst), "%s", w.dst)
		}
	})
}

func FuzzMessagesAreCutApart(f *testing.F) {
	f.Add([]byte(frame(0, varint(1, 2))+frame(1, pack(f, "gzip", "\x08\x01"))), int64(0), false)
	f.Add([]byte(frame(0, "")+frame(0x80, "grpc-status: 0\r\n")), int64(0), true)
	f.Add([]byte(base.StdEncoding.EncodeToString([]byte(frame(0, "")))+base.StdEncoding.EncodeToString([]byte(frame(0x80, "a:hunter2")))), int64(1), true)
	f.Add([]byte("\x00\xff\xff\xff\xff"), int64(1<<20), false)
	f.Fuzz(func(t *testing.T, stream []byte, cutOff int64, web bool) {
		kinds := []string{"application/grpc", "application/grpc+json"}
		if web {
			kinds = []string{"application/grpc-web", "application/grpc-web-text"}
		}
		for _, kind := range kinds {
			for _, r := range redactors() {
				got := hold(t, r, raw(stream, cutOff, kind, "", "gzip"), 2000)
				require.NotEqual(t, record.Base64, got.Form)
			}
		}
	})
}

// mime/multipart is the reference, which is stricter: what it reads as parts is
// listed so. Where line breaks are of both kinds its reading is one of two.
func FuzzPartsAreListedAsTheyAreRead(f *testing.F) {
	const kind = "multipart/form-data; boundary=xyz"
	f.Add([]byte("--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xyz\r\nContent-Disposition: form-data; name=b; filename=\"c\"\r\nContent-Type: text/plain\r\n\r\n\r\n--xyz--\r\n"), kind)
	f.Add([]byte("pre\r\n--xyz \r\n\r\n--xyzz\r\n--xyz--"), kind)
	f.Add([]byte("--xyz\n\n1\n--xyz--\n"), kind)
	f.Add([]byte("--a\r\nContent-Disposition: a; filename*=UTF-8''%e2%82%ac; name=\"hunter2\"\r\n\r\n"), `multipart/mixed; boundary="a"`)
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		for _, r := range redactors() {
			hold(t, r, entire(contentType, string(body)), 500)
		}
		got := hold(t, open(), entire(contentType, string(body)), 1<<20)
		_, parameters, err := mime.ParseMediaType(contentType)
		if err != nil || parameters["boundary"] != ParseType(contentType).Boundary || len(body) > 1<<16 || got.Form != record.JSON || ParseType(contentType).Kind != Multipart {
			return
		}
		if single := bytes.ReplaceAll(body, []byte("\r\n"), nil); len(single) < len(body) && bytes.IndexByte(single, '\n') >= 0 {
			return
		}
		var parts []struct{ Size int }
		require.NoError(t, json.Unmarshal([]byte(got.Text), &parts))
		reader := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
		for i, size := 0, -1; ; i++ {
			p, err := reader.NextRawPart()
			if err != nil && err != io.EOF {
				return // what the last part ends with may be no boundary
			}
			require.True(t, i == 0 || parts[i-1].Size == size, "part %d has %d bytes", i-1, size)
			if err == io.EOF {
				require.Len(t, parts, i)
				return
			}
			content, err := io.ReadAll(p)
			if err != nil {
				return
			}
			require.Less(t, i, len(parts))
			size = len(content)
		}
	})
}

func FuzzFormsAndCharacterSetsStayWithinTheirLimit(f *testing.F) {
	for _, set := range []string{"utf-8", "latin1", "utf-16", "utf-16le", "utf-16be", "ascii", "koi8-r"} {
		f.Add([]byte("a=\xe9&pin=\x80\xd8\x00\xdc%e2%82"), set, uint16(12), int64(0))
		f.Add([]byte("\xff\xfe\x3d\xd8\x00\xde"), set, uint16(3), int64(1<<20))
	}
	f.Fuzz(func(t *testing.T, body []byte, set string, limit uint16, cutOff int64) {
		for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "application/json"} {
			for _, r := range redactors() {
				hold(t, r, raw(body, cutOff, kind+`; charset="`+set+`"`, "", ""), int(limit))
			}
		}
		p, why := decoder(open()).toUTF8(part{bytes: body}, set, int(limit)+len(body))
		if why == record.NotOmitted && charsetOf(set) == unicode8 && utf8.Valid(body) && !isWide(body) && !bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
			require.Equal(t, body, p.bytes)
		}
	})
}

func FuzzAContentTypeIsReadAsTheStandardLibraryReadsIt(f *testing.F) {
	f.Add("text/plain; charset=utf-8")
	f.Add(`multipart/form-data; boundary="a\"b;c"; x`)
	f.Add(" A/B ;; charset = x")
	f.Fuzz(func(t *testing.T, header string) {
		got := ParseType(header)
		media, parameters, err := mime.ParseMediaType(header)
		if err != nil || strings.ContainsAny(header, ",\\*") || strings.Trim(header, " \t") != strings.TrimSpace(header) {
			return
		}
		require.Equal(t, media, got.Media)
		require.Equal(t, strings.ToLower(strings.Trim(parameters["charset"], " '")), got.Charset)
		require.Equal(t, parameters["boundary"], got.Boundary)
	})
}
