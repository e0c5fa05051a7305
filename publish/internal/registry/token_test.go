package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/registry/registrytest"
)

func TestATokenIsFetchedAndNeverShown(t *testing.T) {
	const token, password = "token-of-the-registry", "correct-horse"
	refuse := false
	r := &registrytest.Registry{}
	var host string
	r.Hook = func(w http.ResponseWriter, req *http.Request) bool {
		switch {
		case req.URL.Path == "/token":
			if _, given, _ := req.BasicAuth(); given != password {
				registrytest.Fail(w, 401, "UNAUTHORIZED", "wrong name or password "+given)
				return true
			}
			json.NewEncoder(w).Encode(map[string]string{"token": token})
		case req.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="registry"`, host))
			w.WriteHeader(401)
		case refuse:
			registrytest.Fail(w, 403, "DENIED", "not with "+req.Header.Get("Authorization"))
		default:
			return false
		}
		return true
	}
	server := httptest.NewServer(r)
	defer server.Close()
	host = strings.TrimPrefix(server.URL, "http://")
	require.NoError(t, push(open(t, client(t, Options{PlainHTTP: true, Username: "ada", Password: password}), host+"/p:1", Write), "1"))

	err := push(open(t, client(t, Options{PlainHTTP: true, Username: "ada", Password: "wrong-horse"}), host+"/p:1", Write), "1")
	require.ErrorIs(t, err, ErrUnauthorized)
	assert.Equal(t, host+": cannot look for tag 1 of p: unauthorized (HTTP 401: wrong name or password [hidden])\nLog in with: publish login "+host+" (or --username and --password-stdin).", err.Error())

	refuse = true
	err = push(open(t, client(t, Options{PlainHTTP: true, Username: "ada", Password: password}), host+"/p:2", Write), "2")
	require.ErrorIs(t, err, ErrDenied)
	assert.NotContains(t, err.Error(), token)
}
