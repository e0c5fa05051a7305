package lab

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestACrashIsSeenInEnvoysLog(t *testing.T) {
	const crash = `[critical][wasm] wasm log: Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable`
	assert.Equal(t, []string{crash}, Crashes("[info][main] starting\n"+crash+"\nProc-Exit\n"))
	assert.Equal(t, []string{"[error] panic: index out of range"}, Crashes("[error] panic: index out of range\n"))
	assert.Empty(t, Crashes("[warning][wasm] routelens: configuration refused\n"))
}
