package host

import (
	"errors"
	"time"

	"github.com/routelens/routelens/plugin/metrics"
)

// Host is what the proxy offers a plugin.
type Host struct{}

// Log levels of the proxy.
func (*Host) Info(message string)  { logInfo("routelens: " + message) }
func (*Host) Warn(message string)  { logWarn("routelens: " + message) }
func (*Host) Error(message string) { logError("routelens: " + message) }

// Finished tells the proxy that a plugin whose Done returned false is done.
func (*Host) Finished() { pluginDone() }

// Property reads an attribute by its path. The bytes are the caller's.
func (*Host) Property(path []string) ([]byte, bool) {
	value, err := getProperty(path)
	return value, err == nil
}

// Compile prepares a CEL expression for [Host.Evaluate]. It is Envoy's own
// foreign function; a host without it answers false.
func (*Host) Compile(expression string) (token []byte, ok bool) {
	token, err := callForeign("expr_create", []byte(expression))
	return token, err == nil && len(token) > 0
}

// Evaluate evaluates a compiled expression on the current stream.
func (*Host) Evaluate(token []byte) ([]byte, bool) {
	value, err := callForeign("expr_evaluate", token)
	return value, err == nil
}

// RequestHeader and ResponseHeader read one header of the current stream, "" where
// it is absent: much cheaper than the map, or than [Host.Evaluate] for two or three.
func (*Host) RequestHeader(name string) string  { return orEmpty(requestHeader(name)) }
func (*Host) ResponseHeader(name string) string { return orEmpty(responseHeader(name)) }

func orEmpty(value string, err error) string {
	if err != nil {
		return ""
	}
	return value
}

// The header maps of the current stream; nil where there is none.
func (*Host) RequestHeaders() [][2]string   { return orNil(requestHeaders()) }
func (*Host) ResponseHeaders() [][2]string  { return orNil(responseHeaders()) }
func (*Host) RequestTrailers() [][2]string  { return orNil(requestTrailers()) }
func (*Host) ResponseTrailers() [][2]string { return orNil(respTrailers()) }

func orNil(m [][2]string, err error) [][2]string {
	if err != nil {
		return nil
	}
	return m
}

// RequestBody and ResponseBody read from the chunk that is just passing: they know
// it only in the callback that tells of it. The bytes are the caller's; nil where
// there is no such chunk.
func (*Host) RequestBody(start, size int) []byte  { return bytesOrNil(requestBody(start, size)) }
func (*Host) ResponseBody(start, size int) []byte { return bytesOrNil(responseBody(start, size)) }

func bytesOrNil(b []byte, err error) []byte {
	if err != nil {
		return nil
	}
	return b
}

// Define makes a metric, or finds the one of that name.
func (*Host) Define(kind metrics.Kind, name string) uint32 { return defineMetric(kind, name) }

// Increment adds to a counter. Envoy refuses to add 0, and the SDK would panic.
func (*Host) Increment(id uint32, n uint64) {
	if n > 0 {
		incrementCounter(id, n)
	}
}

// Record records into a histogram, or sets a gauge.
func (*Host) Record(id uint32, v uint64) { recordMetric(id, v) }

// Get reads shared data with its version for [Host.Swap]. An absent key has
// version 0.
func (*Host) Get(key string) (value []byte, version uint32) {
	value, version, err := getSharedData(key)
	if err != nil {
		return nil, 0
	}
	return value, version
}

// Swap writes shared data if it still has the given version; with version 0 it
// always writes (proxy-wasm has no insert-if-absent). It tells whether it wrote.
func (*Host) Swap(key string, value []byte, version uint32) bool {
	return setSharedData(key, value, version) == nil
}

// Resolve finds a queue that some VM with this vm_id has registered.
func (*Host) Resolve(vmID, name string) (id uint32, ok bool) {
	id, err := resolveQueue(vmID, name)
	return id, err == nil
}

// Register makes the queue, or takes over an existing one with what it holds.
func (*Host) Register(name string) (id uint32, ok bool) {
	id, err := registerQueue(name)
	return id, err == nil
}

// Enqueue puts an item on a queue.
func (*Host) Enqueue(id uint32, item []byte) bool { return enqueue(id, item) == nil }

// Dequeue takes the oldest item from a queue; false where it is empty.
func (*Host) Dequeue(id uint32) ([]byte, bool) {
	item, err := dequeue(id)
	return item, err == nil && len(item) > 0
}

// Request is an HTTP call to a cluster of the proxy.
type Request struct {
	Cluster string
	Headers [][2]string // with :method, :path and :authority
	Body    []byte
	Timeout time.Duration
}

// Response is the answer to a [Request]. Status 0 means that none came.
type Response struct {
	Status  int
	Headers [][2]string
	// Body reads the first bytes of the body, so many at most; nil where there is
	// none. It may be called until done returns: whoever asks knows how much of an
	// answer is worth the VM's memory.
	Body func(most int) []byte
}

// Call dispatches a request. The proxy copies it before Call returns; done is
// called later, once, unless the VM goes first.
func (*Host) Call(r Request, done func(Response)) error {
	_, err := dispatchCall(r.Cluster, r.Headers, r.Body, nil, uint32(r.Timeout/time.Millisecond),
		func(headers, bodySize, _ int) {
			var answer Response
			if headers > 0 {
				answer.Headers = orNil(callHeaders())
				answer.Status = status(answer.Headers)
			}
			if bodySize > 0 {
				answer.Body = func(most int) []byte {
					body, err := callBody(0, min(bodySize, most))
					if err != nil {
						return nil
					}
					return body
				}
			}
			done(answer)
		})
	if err != nil {
		return errors.New("the proxy refused a call to cluster " + r.Cluster + " (does it know the cluster?): " + err.Error())
	}
	return nil
}

func status(headers [][2]string) int {
	for _, h := range headers {
		if h[0] == ":status" && len(h[1]) == 3 {
			return int(h[1][0]-'0')*100 + int(h[1][1]-'0')*10 + int(h[1][2]-'0')
		}
	}
	return 0
}
