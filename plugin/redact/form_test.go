package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
)

func TestAForm(t *testing.T) {
	for _, c := range []struct{ name, rules, form, want string }{
		{"keeps what no rule names", "password", "a=1&b=+%zz&&c=", "a=1&b=+%zz&&c="},
		{"is none the less one for its quotes", "password", `"&password=s&"`, "[masked]&password=[masked]&[masked]"},
		{"loses lines that are no field's", "password", "a=1\r\npassword=s&b=2\npassword=s\r\n&c=3\r\n", "a=[masked]&b=[masked]&c=3\r\n"},
		{"loses a field by its name", "password", "a=1&password=s&%70assword=t&Password=u&password", "a=1&password=[masked]&%70assword=[masked]&Password=[masked]&password=[masked]"},
		{"loses a field by its path", "user.email", "user[email]=a&user.email=b&user[x][email]=c&email=d&user%5Bemail%5D=e", "user[email]=[masked]&user.email=[masked]&user[x][email]=c&email=d&user%5Bemail%5D=[masked]"},
		{"loses a field with all below", "user", "user[email]=a&user=b&users=c", "user[email]=[masked]&user=[masked]&users=c"},
		{"loses fields of a list", "cards.#.pan", "cards[][pan]=1&cards[0][pan]=2&cards[0].pan=3&cards.1.pan=4", "cards[][pan]=[masked]&cards[0][pan]=[masked]&cards[0].pan=[masked]&cards.1.pan=[masked]"},
		{"loses an item of a list", "a.1", "a[0]=x&a[1]=y", "a[0]=x&a[1]=[masked]"},
		{"loses a field at any depth", "**.pin", "a[b][pin]=1&pin=2", "a[b][pin]=[masked]&pin=[masked]"},
		{"loses a name with dots in it", `a\.b`, "a.b=1", "a.b=[masked]"},
		{"loses a name that PHP makes of another", "a_b", "a.b=1&a+b=2&a_b=3&a-b=4", "a.b=[masked]&a+b=[masked]&a_b=[masked]&a-b=4"},
		{"loses a name with its value", "a remove", "a=1&b=2&a=3", "b=2"},
		{"shows a hash of the decoded value", "a hash", "a=%78", "a=[hash:ebb20db31f7ebada]"},
		{"loses what cannot be read with certainty", "x", "%zz=1&a[b=2&a]=3&b;x=4&a[b]c=5&c=6;x=7&d%00=8", "%zz=[masked]&a[b=[masked]&a]=[masked]&b=[masked]&a[b]c=[masked]&c=[masked]&[masked]"},
		{"is looked into where a value is JSON", "a.b", "a=%7B%22b%22:%22s%22%7D", "a=%7B%22b%22:%22[masked]%22%7D"},
		{"loses what has no name", "x", "c&note: it is=y&<a>b</a>", "[masked]&[masked]&[masked]"},
		{"loses a document that stands for a name", "b", "%7B%22b%22:%22s%22%7D", "[masked]"},
		{"may be JSON that nobody said is", "b", `{"b":"s=t&u"}`, `{"b":"[masked]"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, verdict := hiding(strings.Split(c.rules, "|")...).Form([]byte("before "), []byte(c.form), false)
			require.Equal(t, Redacted, verdict)
			assert.Equal(t, "before "+c.want, string(got))
		})
	}
}

func TestAFormThatIsJSONAtOnceIsNotShown(t *testing.T) {
	const form = `{"a":"s&b=u"}`
	_, verdict := hiding("b").Form(nil, []byte(form), false)
	assert.Equal(t, NotRedactable, verdict)
	got, verdict := detecting("card").Form(nil, []byte(form), false)
	assert.Equal(t, Redacted, verdict, "where no field is hidden")
	assert.Equal(t, form, string(got))
}

func TestAFormThatIsCutLosesItsLastField(t *testing.T) {
	for form, want := range map[string]string{"a=1&b=2": "a=1", "a=1": "", "a=1&": "a=1", "": ""} {
		got, verdict := hiding("x").Form(nil, []byte(form), true)
		require.Equal(t, Redacted, verdict)
		assert.Equal(t, want, string(got))
	}
	got, _ := New(&config.Redact{}).Form(nil, []byte("a=1&b=2"), true)
	assert.Equal(t, "a=1&b=2", string(got), "where nothing is hidden, nothing needs to go")
}

func TestAFormThatIsBrokenJSONIsNotRedactable(t *testing.T) {
	got, verdict := hiding("b").Form([]byte("x"), []byte(`{"b":"s" and more`), false)
	assert.Equal(t, NotRedactable, verdict)
	assert.Equal(t, "x", string(got))
}

func TestDetectorsReadAForm(t *testing.T) {
	got, verdict := detecting(config.Detectors...).Form(nil, []byte("a=jane%40example.org&jane@example.org=1&c=4111+1111+1111+1111&d=a+b"), false)
	require.Equal(t, Redacted, verdict)
	assert.Equal(t, "a=[email]&[email]=1&c=[card]&d=a+b", string(got))
}

func TestAFieldCostsNoMemory(t *testing.T) {
	r := New(&config.Redact{Rules: rules("user.email", "**.password"), Detect: config.Detectors})
	form := []byte(strings.Repeat("a=1&&user[email]=x&b.c=%20&", 100))
	dst, _ := r.Form(nil, form, false)
	assert.Less(t, testing.AllocsPerRun(10, func() { dst, _ = r.Form(dst[:0], form, false) }), 5.0)
}
