package lab

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
)

// needed fails the test, never skips it, where a variable is missing.
func needed(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	require.NotEmpty(t, value, "%s must be set; make e2e does", variable)
	return value
}

func startEnvoy(t *testing.T, shop *Shop) *Envoy {
	envoy, err := StartEnvoy(t.Context(), EnvoyOptions{
		Binary: needed(t, "ROUTELENS_ENVOY"), Dir: t.TempDir(), Replaceable: true,
		Config: config.Options{Routes: shop.Routes(), Clusters: shop.Clusters()},
	})
	require.NoError(t, err)
	t.Cleanup(func() { envoy.Stop() })
	return envoy
}

func TestEnvoyServesTheWholeShop(t *testing.T) {
	shop, err := OpenShop()
	require.NoError(t, err)
	defer shop.Close()
	envoy := startEnvoy(t, shop)
	for _, http2 := range []bool{false, true} {
		report, err := Load{Entry: envoy.Entry, Mix: ShopMix(), Total: 300, HTTP2: http2}.Run(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Failures)
		require.Equal(t, 300, report.Sent)
		require.Equal(t, 117, report.Counts[Outcome{"catalog", "200"}])
		require.Equal(t, 12, report.Counts[Outcome{"users", "201"}])
		require.Equal(t, 6, report.Counts[Outcome{"ws", "101"}])
		require.Equal(t, 3, report.Counts[Outcome{"unmatched", "404"}])
	}
	require.NoError(t, envoy.Stop())
}

func TestEnvoyTunnelsToTheShop(t *testing.T) {
	shop, err := OpenShop()
	require.NoError(t, err)
	defer shop.Close()
	envoy := startEnvoy(t, shop)
	conn, err := net.Dial("tcp", strings.TrimPrefix(envoy.Entry, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	answers := bufio.NewReader(conn)
	for _, request := range []string{"CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\n", "GET /catalog HTTP/1.1\r\nHost: shop\r\n\r\n"} {
		_, err := conn.Write([]byte(request))
		require.NoError(t, err)
		response, err := http.ReadResponse(answers, &http.Request{Method: strings.Fields(request)[0]})
		require.NoError(t, err)
		require.Equal(t, 200, response.StatusCode, request)
	}
}

func TestEnvoyTakesAnotherListenerOrSaysNo(t *testing.T) {
	shop, err := OpenShop()
	require.NoError(t, err)
	defer shop.Close()
	envoy := startEnvoy(t, shop)
	status := func() int {
		response, err := http.Get(envoy.Entry + "/catalog")
		require.NoError(t, err)
		response.Body.Close()
		return response.StatusCode
	}
	require.Equal(t, 200, status())

	require.NoError(t, envoy.Replace(t.Context(), func(o *config.Options) {
		o.Routes = []config.Route{{Name: "teapot", Prefix: "/", Status: 418}}
	}))
	require.Eventually(t, func() bool { return status() == 418 }, 10*time.Second, 10*time.Millisecond)

	err = envoy.Replace(t.Context(), func(o *config.Options) {
		o.Plugin = &config.Plugin{File: "/nowhere/routelens.wasm"}
	})
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "/nowhere/routelens.wasm", "Envoy's own words")
	require.Equal(t, 418, status(), "the last good listener stays")
}

func TestEnvoyThatCannotStartSaysWhy(t *testing.T) {
	_, err := StartEnvoy(t.Context(), EnvoyOptions{
		Binary: needed(t, "ROUTELENS_ENVOY"), Dir: t.TempDir(),
		Config: config.Options{Plugin: &config.Plugin{File: "/nowhere/routelens.wasm"}},
	})
	require.ErrorContains(t, err, "/nowhere/routelens.wasm")
}

func TestProcessIsStoppedOnceAndItsLogIsShown(t *testing.T) {
	p, err := start("sh", "/bin/sh", t.TempDir(), "-c", "echo out of coffee; exec sleep 60")
	require.NoError(t, err)
	require.NoError(t, p.Failed())
	time.Sleep(100 * time.Millisecond)
	require.NoError(t, p.Stop())
	require.ErrorContains(t, p.Stop(), "out of coffee")
	require.Error(t, p.Failed())
}

func TestUntilSaysWhatItSawLast(t *testing.T) {
	n := 0
	err := Until(t.Context(), "the moon", 120*time.Millisecond, func(context.Context) (string, bool) {
		n++
		return "clouds", false
	})
	require.ErrorContains(t, err, "for the moon; last seen: clouds")
	require.Greater(t, n, 1)
}

func TestFreeAddressIsNeverGivenTwice(t *testing.T) {
	first, err := FreeAddress(0)
	require.NoError(t, err)
	_, port, _ := net.SplitHostPort(first)
	preferred, _ := strconv.Atoi(port)
	second, err := FreeAddress(preferred)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}
