package registry

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// secrets knows every credential that was used, so that none gets into a text: not even one that a registry sends back.
type secrets struct {
	mu    sync.Mutex
	known []string
}

// shortest is the length below which hiding a secret would hide ordinary words instead. Such a password protects nothing.
const shortest = 4

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if len(v) >= shortest && !slices.Contains(s.known, v) {
			s.known = append(s.known, v)
		}
	}
	slices.SortFunc(s.known, func(a, b string) int { return len(b) - len(a) }) // the longest first: one may hold another
}

// addPassword adds a password in every form that it is sent in.
func (s *secrets) addPassword(username, password string) {
	s.add(password, url.QueryEscape(password), url.PathEscape(password), base64.StdEncoding.EncodeToString([]byte(username+":"+password)))
}

// addHeader adds what a request proves itself with.
func (s *secrets) addHeader(h http.Header) {
	if _, credential, ok := strings.Cut(h.Get("Authorization"), " "); ok {
		s.add(credential)
	}
}

// addProxies adds what the environment's proxies are used with.
func (s *secrets) addProxies() {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		value := os.Getenv(name)
		if value == "" || !strings.Contains(value, "@") {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.User == nil {
			s.add(value)
			continue
		}
		password, _ := u.User.Password()
		s.addPassword(u.User.Username(), password)
	}
}

// queries are those of addresses: they hold the state of uploads, signed, and what else a registry puts there.
var queries = regexp.MustCompile(`(https?://[^\s"?]*)\?[^\s"]*`)

// clean makes a text from outside fit to be shown: without credentials, control characters and more than 300 bytes.
func (s *secrets) clean(text string) string {
	s.mu.Lock()
	for _, secret := range s.known {
		text = strings.ReplaceAll(text, secret, "[hidden]")
	}
	s.mu.Unlock()
	text = queries.ReplaceAllString(text, "$1")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

const maxText = 300
