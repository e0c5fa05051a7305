package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/record"
)

var sample = [][2]string{
	{":path", "/a"}, {"user-agent", "curl"}, {"x-many", "1"}, {"Authorization", "Bearer x"}, {"x-many", ""}, {"x-session", "s"}, {"X-Many", "3"},
	{"cookie", "a=b"}, {"cookie", "c=d"}, {"x-bytes", "\xff\x00"}, {"", "no name"},
}

func field(name string, values ...string) record.Field {
	return record.Field{Name: name, Values: values}
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
			assert.Equal(t, c.want, NewHeaders([]string{"x-session"}).Select(nil, c.listed, sample))
		})
	}
}

func TestEveryCredentialIsMaskedThoughListed(t *testing.T) {
	assert.Subset(t, credentials, []string{"authorization", "cookie", "set-cookie", "x-access-token", "x-xsrf-token", "x-vault-token", "cf-access-jwt-assertion",
		"x-goog-iap-jwt-assertion", "x-amzn-oidc-data", "x-amzn-oidc-accesstoken", "x-amz-security-token"})
	for _, name := range credentials {
		assert.Equal(t, []record.Field{field(name, Masked)}, NewHeaders(nil).Select(nil, []string{name}, [][2]string{{strings.ToUpper(name), "secret"}}))
	}
}

func TestALongValueIsCut(t *testing.T) {
	h := NewHeaders(nil)
	for _, n := range []int{MaxValue - 1, MaxValue, MaxValue + 1, 60 << 10} {
		got := h.Select(nil, []string{"a"}, [][2]string{{"a", strings.Repeat("x", n)}})
		assert.Len(t, got[0].Values[0], min(n, MaxValue))
	}
}

func TestFieldsThatAreUsedAgainKeepNothingOfTheLastExchange(t *testing.T) {
	h := NewHeaders(nil)
	dst := h.Select(nil, []string{"user-agent", "x-many"}, sample)
	dst = h.Select(dst[:0], []string{"x-many", "user-agent"}, [][2]string{{"x-many", "new"}})
	assert.Equal(t, []record.Field{field("x-many", "new")}, dst)
	dst = h.Select(dst[:0], []string{"x-none"}, sample)
	assert.Empty(t, dst)
}

func BenchmarkSelect(b *testing.B) {
	h := NewHeaders([]string{"x-session"})
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
		got := NewHeaders([]string{"x-session"}).Select(nil, []string{listed, "authorization"}, all)
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
