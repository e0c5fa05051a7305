package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
)

var sample = [][2]string{
	{":path", "/a"}, {"user-agent", "curl"}, {"x-many", "1"}, {"Authorization", "Bearer x"}, {"x-many", ""}, {"x-session", "s"}, {"X-Many", "3"},
	{"cookie", "a=b"}, {"cookie", "c=d"}, {"x-bytes", "\xff\x00"}, {"", "no name"},
}

func field(name string, values ...string) record.Field {
	return record.Field{Name: name, Values: values}
}

func hidingHeaders(more ...config.RedactRule) *Redactor {
	return New(&config.Redact{Key: key, Rules: append(more, config.RedactRule{Header: "x-session", Mode: config.Mask})})
}

func TestHeaderSelection(t *testing.T) {
	for _, c := range []struct {
		name   string
		listed []string
		want   []record.Field
	}{
		{"gives nothing that is not listed", nil, nil},
		{"gives nothing that is not there", []string{"x-none"}, nil},
		{"gives all values in their order, in the list's order", []string{"x-many", "user-agent"}, []record.Field{field("x-many", "1", "", "3"), field("user-agent", "curl")}},
		{"masks credentials, each value of them", []string{"authorization", "cookie"}, []record.Field{field("authorization", Masked), field("cookie", Masked, Masked)}},
		{"masks what is configured", []string{"x-session"}, []record.Field{field("x-session", Masked)}},
		{"keeps bytes as they are", []string{"x-bytes"}, []record.Field{field("x-bytes", "\xff\x00")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, hidingHeaders().Select(nil, c.listed, sample))
		})
	}
}

func TestEveryCredentialIsMaskedThoughListed(t *testing.T) {
	assert.Subset(t, credentials, []string{"authorization", "cookie", "set-cookie", "x-access-token", "x-xsrf-token", "x-vault-token", "cf-access-jwt-assertion",
		"x-goog-iap-jwt-assertion", "x-amzn-oidc-data", "x-amzn-oidc-accesstoken", "x-amz-security-token"})
	for _, name := range credentials {
		assert.Equal(t, []record.Field{field(name, Masked)}, New(&config.Redact{}).Select(nil, []string{name}, [][2]string{{strings.ToUpper(name), "secret"}}))
	}
}

func TestALongValueIsCut(t *testing.T) {
	h := New(&config.Redact{})
	for _, n := range []int{MaxValue - 1, MaxValue, MaxValue + 1, 60 << 10} {
		got := h.Select(nil, []string{"a"}, [][2]string{{"a", strings.Repeat("x", n)}})
		assert.Len(t, got[0].Values[0], min(n, MaxValue))
	}
}

func TestFieldsThatAreUsedAgainKeepNothingOfTheLastExchange(t *testing.T) {
	h := New(&config.Redact{})
	dst := h.Select(nil, []string{"user-agent", "x-many"}, sample)
	dst = h.Select(dst[:0], []string{"x-many", "user-agent"}, [][2]string{{"x-many", "new"}})
	assert.Equal(t, []record.Field{field("x-many", "new")}, dst)
	dst = h.Select(dst[:0], []string{"x-none"}, sample)
	assert.Empty(t, dst)
}

func TestARuleSaysWhatBecomesOfAHeader(t *testing.T) {
	rule := func(name, mode string) config.RedactRule {
		return config.RedactRule{Header: name, Mode: mode, Last: 4}
	}
	r := hidingHeaders(rule("x-user", config.Hash), rule("x-gone", config.Remove), rule("authorization", config.Last), rule("x-long", config.Last))
	got := r.Select(nil, []string{"x-user", "x-gone", "authorization", "x-long"}, [][2]string{
		{"x-user", "x"}, {"X-Gone", "y"}, {"authorization", "Bearer abcdef"}, {"x-long", strings.Repeat("x", 60<<10) + "tail"},
	})
	assert.Equal(t, []record.Field{field("x-user", "[hash:ebb20db31f7ebada]"), field("authorization", "[masked]cdef"), field("x-long", "[masked]tail")}, got)
}

func TestCookies(t *testing.T) {
	cookie := func(name, mode string) config.RedactRule {
		return config.RedactRule{Cookie: name, Mode: mode, Last: 4}
	}
	r := New(&config.Redact{Key: key, Detect: config.Detectors, Rules: []config.RedactRule{
		cookie("theme", config.Keep), cookie("gone", config.Remove), cookie("id", config.Hash), cookie("tail", config.Last), cookie("named", config.Mask),
	}})
	for _, c := range []struct{ name, header, value, want string }{
		{"are masked but for those of a rule", "cookie", "a=1; theme=dark; session=s; named=n", "a=[masked]; theme=dark; session=[masked]; named=[masked]"},
		{"are removed by a rule", "cookie", "gone=1; theme=dark; gone=2", "theme=dark"},
		{"are hashed by a rule", "cookie", "id=x", "id=[hash:ebb20db31f7ebada]"},
		{"show their ends by a rule", "cookie", "tail=12345678", "tail=[masked]5678"},
		{"are masked without a name", "cookie", "theme; =s", "[masked]; =[masked]"},
		{"may stand close or apart", "cookie", ";;a=1;theme=b ;; theme = c", "a=[masked]; theme=b; theme= c"},
		{"are named exactly", "cookie", "Theme=s; theme%20=s", "Theme=[masked]; theme%20=[masked]"},
		{"are masked where old servers would read several", "cookie", `theme=dark, session=s; theme="a; session=s"`, `theme=[masked]; theme=[masked]; session=[masked]`},
		{"that are kept lose what is detected", "cookie", "theme=jane%40example.org", "theme=[email]"},
		{"that are set keep what is known of them", "set-cookie", "sid=s; Path=/a; HttpOnly; Expires=Wed, 21 Oct 2026 07:28:00 GMT; samesite=lax; x=y; z", "sid=[masked]; Path=/a; HttpOnly; Expires=Wed, 21 Oct 2026 07:28:00 GMT; samesite=lax; [masked]; [masked]"},
		{"that are set may be kept", "set-cookie", "theme=dark; Path=/, sid=s", "theme=dark; Path=[masked]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, []record.Field{field(c.header, c.want)}, r.Select(nil, []string{c.header}, [][2]string{{c.header, c.value}}))
		})
	}
	assert.Empty(t, r.Select(nil, []string{"cookie", "set-cookie"}, [][2]string{{"cookie", "gone=1"}, {"set-cookie", "gone=1; Path=/"}}))
}

func TestDetectorsReadEveryHeader(t *testing.T) {
	r := detecting(config.Detectors...)
	got := r.Select(nil, []string{"x", "referer"}, [][2]string{
		{"x", "jane@example.org, 4111 1111 1111 1111"}, {"x", `{"a":"jane\u0040example.org"}`}, {"referer", "https://x.org/?q=jane%2540example.org&c=4111%201111%201111%201111"},
	})
	assert.Equal(t, []record.Field{field("x", "[email], [card]", `{"a":"[email]"}`), field("referer", "https://x.org/?q=[email]&c=[card]")}, got)
}

func TestHeadersThatHoldURLsFollowTheRulesOfPathsAndQueries(t *testing.T) {
	r := New(&config.Redact{Rules: []config.RedactRule{{Query: "token", Mode: config.Mask}, {Path: "/users/{id}", Mode: config.Mask}}})
	got := r.Select(nil, []string{"referer", "location", "x-other"}, [][2]string{
		{"referer", "https://example.org/users/7?a=1&token=s#token=t&b"}, {"location", "/users/7"}, {"x-other", "/users/7?token=s"},
	})
	assert.Equal(t, []record.Field{
		field("referer", "https://example.org/users/[masked]?a=1&token=[masked]#token=[masked]&b"), field("location", "/users/[masked]"), field("x-other", "/users/7?token=s"),
	}, got)
}

func TestAURLIsReadToItsEnd(t *testing.T) {
	r := New(&config.Redact{Rules: []config.RedactRule{{Query: "token", Mode: config.Mask}, {Path: "/users/{id}", Mode: config.Mask}}})
	for url, want := range map[string]string{
		"https://a.org/cb#token=s&state=1": "https://a.org/cb#token=[masked]&state=1",
		"/cb#token=s?s":                    "/cb#token=[masked]",
		"/cb?token=s?s#token=s":            "/cb?token=[masked]#token=[masked]",
		"https://a.org/#/users/7?token=s":  "https://a.org/#/users/[masked]?token=[masked]",
		"https://a.org/#/users/7":          "https://a.org/#/users/[masked]",
		"//a.org/users/7?a":                "//a.org/users/[masked]?a",
		"//users/7":                        "//users/[masked]",
		"//a.org":                          "//a.org",
		"/users/7#top":                     "/users/[masked]#top",
		"https://a.org/#x?token=s":         "https://a.org/#x?token=[masked]",
		"/users/7?#":                       "/users/[masked]?#",
	} {
		got := r.Select(nil, []string{"location"}, [][2]string{{"location", url}})
		assert.Equal(t, []record.Field{field("location", want)}, got)
	}
}

func BenchmarkSelect(b *testing.B) {
	h := hidingHeaders()
	listed := []string{"user-agent", "x-many", "x-session"}
	dst := h.Select(nil, listed, sample)
	b.ReportAllocs()
	for b.Loop() {
		dst = h.Select(dst[:0], listed, sample)
	}
	require.Len(b, dst, 3)
	require.Zero(b, testing.AllocsPerRun(100, func() { dst = h.Select(dst[:0], listed, sample) }))
}

func FuzzHeaderSelectionGivesOnlyWhatIsListedAndNoCredential(f *testing.F) {
	f.Add("user-agent", "curl", "Cookie", "secret", "x-session")
	f.Add("\xff", "\x00", "", "", "İ")
	f.Add("K", "kelvin", "k", "", "x")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2, listed string) {
		all := [][2]string{{name1, value1}, {name2, value2}, {"authorization", value1}, {name1, value2}}
		got := hidingHeaders().Select(nil, []string{listed, "authorization"}, all)
		for _, field := range got {
			require.True(t, field.Name == listed || field.Name == "authorization")
			require.NotEmpty(t, field.Values)
			want := 0
			for _, h := range all {
				if strings.EqualFold(h[0], field.Name) {
					want++
				}
			}
			require.Len(t, field.Values, want)
			for _, value := range field.Values {
				require.LessOrEqual(t, len(value), max(MaxValue, len(Masked)))
				if strings.EqualFold(field.Name, "authorization") || field.Name == "x-session" {
					require.Equal(t, Masked, value)
				} else {
					require.True(t, strings.HasPrefix(value1, value) || strings.HasPrefix(value2, value))
				}
			}
		}
	})
}
