package redact

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
)

func hidingQuery(names ...string) *Redactor {
	c := &config.Redact{Key: key}
	for _, name := range names {
		name, mode, given := strings.Cut(name, ":")
		if !given {
			mode = config.Mask
		}
		c.Rules = append(c.Rules, config.RedactRule{Query: name, Mode: mode, Last: 4})
	}
	return New(c)
}

func TestTheQuery(t *testing.T) {
	names := []string{"token", "user[pin]", "a b", "Ключ", "php_name"}
	for _, c := range []struct{ name, query, want string }{
		{"that is empty stays empty", "", ""},
		{"keeps what is not masked", "a=1&b=2=3&c&=&&d=%zz&tokens=1&xtoken=2", "a=1&b=2=3&c&=&&d=%zz&tokens=1&xtoken=2"},
		{"loses the values that are masked", "a=1&token=x&token=y&b=2", "a=1&token=[masked]&token=[masked]&b=2"},
		{"loses a value that holds an equals sign", "token=x=y", "token=[masked]"},
		{"shows a masked name without value as masked", "token", "token=[masked]"},
		{"loses values whose name is encoded", "%74oken=x&to%6Ben=y&a+b=1&a%20b=2", "%74oken=[masked]&to%6Ben=[masked]&a+b=[masked]&a%20b=[masked]"},
		{"is decoded once, as servers do", "%2574oken=x", "%2574oken=x"},
		{"loses values whose name differs in case", "Token=x&TOKEN=y&%D0%BA%D0%BB%D1%8E%D1%87=z", "Token=[masked]&TOKEN=[masked]&%D0%BA%D0%BB%D1%8E%D1%87=[masked]"},
		{"loses the parts of a masked list", "token[]=x&token[a][b]=y&token%5B0%5D=z", "token[]=[masked]&token[a][b]=[masked]&token%5B0%5D=[masked]"},
		{"loses a part that is masked by itself", "user[pin]=x&user[name]=y", "user[pin]=[masked]&user[name]=y"},
		{"loses values whose name stands among spaces", "+token=x&token%20=y&token%0a[]=z", "+token=[masked]&token%20=[masked]&token%0a[]=[masked]"},
		{"loses what cannot be decoded", "%=x&%zz=y&a%2=z", "%=[masked]&%zz=[masked]&a%2=[masked]"},
		{"loses what hides behind a semicolon", "a=1;token=x&b;token=y&token;=z&;=w", "a=[masked]&b=[masked]&token=[masked]&=[masked]"},
		{"loses what a server may read to its first zero byte", "token%00x=y&%00=z", "token%00x=[masked]&%00=[masked]"},
		{"loses a name that PHP makes of another", "php.name=x&php+name=y&php-name=z", "php.name=[masked]&php+name=[masked]&php-name=z"},
		{"keeps its empty parameters", "&&a=1&", "&&a=1&"},
		{"may hold bytes that are not UTF-8", "\xff=\xfe&token=\xff", "\xff=\xfe&token=[masked]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, hidingQuery(names...).Query(c.query))
		})
	}
}

func TestTheQueryIsKeptAsItIsWithoutRules(t *testing.T) {
	const query = "a=1&token=x;y=%zz&&="
	assert.Equal(t, query, New(&config.Redact{}).Query(query))
}

func TestARuleSaysWhatBecomesOfAParameter(t *testing.T) {
	r := hidingQuery("id:hash", "gone:remove", "tail:last", "tail")
	assert.Equal(t, "id=[hash:ebb20db31f7ebada]&a=1&tail=[masked]5678&ID=[hash:ebb20db31f7ebada]&tail=[masked]", r.Query("gone=1&id=x&gone[]=2&a=1&tail=12345678&ID=%78&tail=1234567"))
	assert.Equal(t, "", r.Query("gone=1&gone"))
}

func TestDetectorsReadTheQueryDecoded(t *testing.T) {
	r := detecting(config.Detectors...)
	for query, want := range map[string]string{
		"a=1&q=mail+jane%40example.org+now":             "a=1&q=mail+[email]+now",
		"q=jane%252540example.org":                      "q=[email]",
		"c=4111+1111%201111-1111&x":                     "c=[card]&x",
		"c=%34111%32511111111111111":                    "c=%34111%32511111111111111",
		"jane@example.org=1":                            "[email]=1",
		"a=Bearer%20abc":                                "a=Bearer+[token]",
		"a=%zz;jane@example.org":                        "a=%25zz%3B[email]",
		"j=%7B%22a%22:%22jane%5Cu0040example.org%22%7D": "j=%7B%22a%22:%22[email]%22%7D",
	} {
		assert.Equal(t, want, r.Query(query))
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
		q := hidingQuery("token")
		for _, name := range []string{"token", "Token", "%74oken", "token[]", "token[" + url.QueryEscape(after) + "]"} {
			for _, query := range []string{
				name + "=" + secret, before + "&" + name + "=" + secret + "&" + after,
				before + "&" + name + "=" + after + secret, before + ";" + name + "=" + secret + ";" + after,
				name + "=" + strings.NewReplacer("&", "", ";", "").Replace(after) + secret,
			} {
				if strings.Contains(query, "="+after+secret) && strings.ContainsAny(after, "&") {
					continue // the value ends before the secret
				}
				require.NotContains(t, q.Query(query), secret, query)
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
		q := hidingQuery("token")
		want, _ := url.ParseQuery(query)
		got, _ := url.ParseQuery(q.Query(query))
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
