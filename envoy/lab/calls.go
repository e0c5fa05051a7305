package lab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Call is one kind of request, for the route that it should take. Do sends it under the id and returns
// the HTTP status that the caller sees.
type Call struct {
	Route string
	Do    func(ctx context.Context, c *Caller, id string) (code int, err error)
}

// Get asks for a path. In it, {n} becomes a number from 0 to 49.
func Get(route, path string) Call { return Send(route, http.MethodGet, path, "") }

// Send sends a JSON body; see Get for the path.
func Send(route, method, path, body string) Call {
	return Call{route, func(ctx context.Context, c *Caller, id string) (int, error) {
		request, err := http.NewRequestWithContext(ctx, method, c.entry+numbered(path, id), strings.NewReader(body))
		if err != nil {
			return 0, err
		}
		request.Header.Set("x-request-id", id)
		if body != "" {
			request.Header.Set("Content-Type", "application/json")
		}
		response, err := c.web.Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return response.StatusCode, err
	}}
}

// SayGRPC makes a unary call of the echo service.
func SayGRPC(message string) Call {
	return Call{"grpc", func(ctx context.Context, c *Caller, id string) (int, error) {
		got, err := c.echo.Say(ctx, id, message)
		if status.Code(err) == codes.NotFound {
			return http.StatusOK, nil // the answer that "missing" asks for
		}
		return echoed(http.StatusOK, message, got, err)
	}}
}

// ChatGRPC opens a stream of the echo service and says a few things on it.
func ChatGRPC(messages ...string) Call {
	return Call{"grpc", func(ctx context.Context, c *Caller, id string) (int, error) {
		say, end, err := c.echo.Chat(ctx, id)
		if err != nil {
			return 0, err
		}
		for _, message := range messages {
			got, err := say(message)
			if code, err := echoed(http.StatusOK, message, got, err); err != nil {
				return code, err
			}
		}
		return http.StatusOK, end()
	}}
}

// TalkWebSocket opens a WebSocket, says a few things and closes it.
func TalkWebSocket(messages ...string) Call {
	return Call{"ws", func(ctx context.Context, c *Caller, id string) (int, error) {
		conn, _, err := websocket.Dial(ctx, c.entry+"/ws", &websocket.DialOptions{
			HTTPClient: c.web1, HTTPHeader: http.Header{"X-Request-Id": {id}},
		})
		if err != nil {
			return 0, err
		}
		defer conn.CloseNow()
		for _, message := range messages {
			if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
				return 0, err
			}
			_, got, err := conn.Read(ctx)
			if code, err := echoed(http.StatusSwitchingProtocols, message, string(got), err); err != nil {
				return code, err
			}
		}
		return http.StatusSwitchingProtocols, conn.Close(websocket.StatusNormalClosure, "")
	}}
}

func echoed(code int, sent, got string, err error) (int, error) {
	if err == nil && got != sent {
		err = fmt.Errorf("the echo of %q was %q", sent, got)
	}
	if err != nil {
		return 0, err
	}
	return code, nil
}

// numbered derives the number from the id's last digits, which count.
func numbered(path, id string) string {
	if !strings.Contains(path, "{n}") {
		return path
	}
	n, _ := strconv.Atoi(id[len(id)-6:])
	return strings.ReplaceAll(path, "{n}", strconv.Itoa(n%50))
}

// Caller holds one worker's connections.
type Caller struct {
	entry string
	web   *http.Client
	web1  *http.Client // HTTP/1.1, whatever web speaks
	echo  EchoClient
}

// NewCaller talks to the entry, by HTTP/2 if so told.
func NewCaller(entry string, http2 bool) (*Caller, error) {
	c := &Caller{entry: entry, web1: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}}
	c.web = c.web1
	if http2 {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		c.web = &http.Client{Transport: &http.Transport{Protocols: protocols}}
	}
	var err error
	c.echo, err = NewEchoClient(strings.TrimPrefix(entry, "http://"))
	return c, err
}

// Close closes the connections.
func (c *Caller) Close() {
	c.web.CloseIdleConnections()
	c.web1.CloseIdleConnections()
	c.echo.Close()
}
