package redact

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
)

func TestTheQuery(t *testing.T) {
	mask := []string{"token", "user[pin]", "a b", "Ключ"}
	for _, c := range []struct{ name, mode, query, want string }{
		{"is left out", config.QueryDrop, "a=1&token=x", ""},
		{"is kept as it is", config.QueryKeep, "a=1&token=x;y=%zz&&=", "a=1&token=x;y=%zz&&="},
		{"that is empty stays empty", config.QueryMask, "", ""},
		{"keeps what is not masked", config.QueryMask, "a=1&b=2=3&c&=&&d=%zz&tokens=1&xtoken=2", "a=1&b=2=3&c&=&&d=%zz&tokens=1&xtoken=2"},
		{"loses the values that are masked", config.QueryMask, "a=1&token=x&token=y&b=2", "a=1&token=[masked]&token=[masked]&b=2"},
		{"loses a value that holds an equals sign", config.QueryMask, "token=x=y", "token=[masked]"},
		{"shows a masked name without value as masked", config.QueryMask, "token", "token=[masked]"},
		{"loses values whose name is encoded", config.QueryMask, "%74oken=x&to%6Ben=y&a+b=1&a%20b=2", "%74oken=[masked]&to%6Ben=[masked]&a+b=[masked]&a%20b=[masked]"},
		{"is decoded once, as servers do", config.QueryMask, "%2574oken=x", "%2574oken=x"},
		{"loses values whose name differs in case", config.QueryMask, "Token=x&TOKEN=y&%D0%BA%D0%BB%D1%8E%D1%87=z", "Token=[masked]&TOKEN=[masked]&%D0%BA%D0%BB%D1%8E%D1%87=[masked]"},
		{"loses the parts of a masked list", config.QueryMask, "token[]=x&token[a][b]=y&token%5B0%5D=z", "token[]=[masked]&token[a][b]=[masked]&token%5B0%5D=[masked]"},
		{"loses a part that is masked by itself", config.QueryMask, "user[pin]=x&user[name]=y", "user[pin]=[masked]&user[name]=y"},
		{"loses values whose name stands among spaces", config.QueryMask, "+token=x&token%20=y&token%0a[]=z", "+token=[masked]&token%20=[masked]&token%0a[]=[masked]"},
		{"loses what cannot be decoded", config.QueryMask, "%=x&%zz=y&a%2=z", "%=[masked]&%zz=[masked]&a%2=[masked]"},
		{"loses what hides behind a semicolon", config.QueryMask, "a=1;token=x&b;token=y&token;=z&;=w", "a=[masked]&b=[masked]&token=[masked]&=[masked]"},
		{"may hold bytes that are not UTF-8", config.QueryMask, "\xff=\xfe&token=\xff", "\xff=\xfe&token=[masked]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, NewQuery(config.Query{Mode: c.mode, Mask: mask}).Apply(c.query))
		})
	}
}

func FuzzAMaskedValueNeverSurvives(f *testing.F) {
	const secret = "s3cr3t"
	f.Add("a=1", "b=2")
	f.Add("", "")
	f.Add("x;y", "z;w=1")
	f.Add("%", "%74oken")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, secret) {
			return
		}
		q := NewQuery(config.Query{Mode: config.QueryMask, Mask: []string{"token"}})
		for _, name := range []string{"token", "Token", "%74oken", "token[]", "token[" + url.QueryEscape(after) + "]"} {
			for _, query := range []string{
				name + "=" + secret, before + "&" + name + "=" + secret + "&" + after,
				before + "&" + name + "=" + after + secret, before + ";" + name + "=" + secret + ";" + after,
				name + "=" + strings.NewReplacer("&", "", ";", "").Replace(after) + secret,
			} {
				if strings.Contains(query, "="+after+secret) && strings.ContainsAny(after, "&") {
					continue // the value ends before the secret
				}
				require.NotContains(t, q.Apply(query), secret, query)
			}
		}
	})
}

// What a server reads is the reference: of every parameter that net/url reads
// from a query, a masked one has no value left, and another keeps its own.
func FuzzAServerReadsWhatWasNotMaskedAsItWas(f *testing.F) {
	f.Add("a=1&token=x&b=2")
	f.Add("to%6ben=%zz&&=&token")
	f.Add("token%5b%5d=1&%=2;3")
	f.Fuzz(func(t *testing.T, query string) {
		q := NewQuery(config.Query{Mode: config.QueryMask, Mask: []string{"token"}})
		want, _ := url.ParseQuery(query)
		got, _ := url.ParseQuery(q.Apply(query))
		for name, values := range got {
			for i, value := range values {
				if value != Masked {
					require.NotEqual(t, "token", name)
					require.Contains(t, want[name], value, "%q, %d", name, i)
				}
			}
		}
	})
}
