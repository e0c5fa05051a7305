package export_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/queue"
)

func secretive() config.Config {
	c := config.Config{Sink: settings()}
	c.Sink.Path = "/receiver/v1/p4th-t0ken-of-a-vendor==/push?_time_field=time&filter_path=errors&tenant=blue&token=qu%2Fery-t0ken&bare-p4rameter"
	c.Sink.Headers = []config.Attribute{
		{Name: "authorization", Value: "Bearer b3arer-t0ken"},
		{Name: "proxy-authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte("user:hunter2"))},
		{Name: "cookie", Value: `session="c00kie/value&<x>"; theme=dark`},
		{Name: "x-scope-orgid", Value: "7"},
	}
	c.Redact.Key = "r3daction-key"
	return c
}

// warning is what is logged where a sink answers with words.
func warning(t *testing.T, status int, words string) string {
	c := secretive()
	r := newRig(t, nil)
	r.Exporter = export.New(&c, encode.Envelope{}, r.sink.Send, r.ledger, func() float64 { return 0 }, func(m string) { r.warned = append(r.warned, m) })
	r.add(queue.Ordinary, "a", 1)
	r.late()
	r.say(status, words)
	require.Len(t, r.warned, 1)
	return r.warned[0]
}

func TestNoSecretOfTheConfigurationIsInAWarning(t *testing.T) {
	secrets := []string{"b3arer-t0ken", "hunter2", base64.StdEncoding.EncodeToString([]byte("user:hunter2")), "c00kie/value", "qu/ery-t0ken", "qu%2Fery-t0ken", "bare-p4rameter", "p4th-t0ken-of-a-vendor==", "r3daction-key"}
	for _, secret := range secrets {
		escaped, err := json.Marshal(secret)
		require.NoError(t, err)
		for form, words := range map[string]string{
			"alone":               secret,
			"in a sentence":       "the value " + secret + " is wrong",
			"within a word":       "token=" + secret + "x",
			"in upper case":       "GOT " + strings.ToUpper(secret),
			"in JSON":             `{"sent":` + string(escaped) + `}`,
			"in a URL":            "/push?x=" + url.QueryEscape(secret),
			"twice":               secret + secret,
			"at the cut":          strings.Repeat("-", 195) + secret,
			"behind others":       strings.Repeat(secret+" ", 20) + secret,
			"cut by the sink":     "got " + secret[:max(len(secret)-2, 7)] + "…",
			"where the text ends": "got " + secret[:max(len(secret)-2, 7)],
		} {
			for _, status := range []int{400, 503} {
				warned := warning(t, status, words)
				assert.NotContains(t, strings.ToLower(warned), strings.ToLower(secret), form)
				assert.NotContains(t, strings.ToLower(warned), strings.ToLower(secret[:max(len(secret)-2, 7)]), form)
				if !strings.Contains(form, "cut") {
					assert.Contains(t, warned, "[secret]", form)
				}
			}
		}
	}
}

func TestAShortValueIsMaskedAsAWordOnly(t *testing.T) {
	assert.Contains(t, warning(t, 400, "tenant 7 has 77 streams since 2027"), `"tenant [secret] has 77 streams since 2027"`)
}

func TestWordsWithoutASecretStayAsTheyAre(t *testing.T) {
	assert.Contains(t, warning(t, 400, "the token of the session is no Bearer token: key and cookie are missing"), `"the token of the session is no Bearer token: key and cookie are missing"`)
}

func TestTheNamesOfFieldsMayBeRead(t *testing.T) {
	assert.Contains(t, warning(t, 400, "errors: no field time of tenant blue"), `"errors: no field time of tenant [secret]"`)
}

func TestALongNameInThePathMayBeRead(t *testing.T) {
	c := secretive()
	c.Sink.Path = "/logs-routelens-production.eu/_bulk"
	r := newRig(t, nil)
	r.Exporter = export.New(&c, encode.Envelope{}, r.sink.Send, r.ledger, func() float64 { return 0 }, func(m string) { r.warned = append(r.warned, m) })
	r.add(queue.Ordinary, "a", 1)
	r.late()
	r.say(404, "no such index [logs-routelens-production.eu]")
	assert.Contains(t, strings.Join(r.warned, ""), "[logs-routelens-production.eu]")
}

func TestADispatchErrorIsScrubbedToo(t *testing.T) {
	c := secretive()
	r := newRig(t, nil)
	r.Exporter = export.New(&c, encode.Envelope{}, r.sink.Send, r.ledger, func() float64 { return 0 }, func(m string) { r.warned = append(r.warned, m) })
	r.sink.Refuse = errors.New("bad header Bearer b3arer-t0ken")
	r.add(queue.Ordinary, "a", 1)
	r.late()
	assert.Equal(t, []string{`the sink failed, and will be asked again: "bad header [secret]"`}, r.warned)
}
