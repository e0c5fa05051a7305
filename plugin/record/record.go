// Package record is one exchange, as a value: what capture fills in and encode
// writes out. It says nothing of where it came from or goes to.
package record

// Record is one HTTP exchange. Texts view memory that lives only as long as the
// callback that filled them: encode before returning to the proxy.
//
// A text that is empty, a list that is nil and a number that is [Unknown] were
// not there: a local reply has no upstream, a reset no response.
type Record struct {
	Start     int64 // Unix time in ns
	Duration  int64 // ns, to the end of the exchange
	FirstByte int64 // ns, from request sent upstream to first byte back, or Unknown

	Method, Scheme, Host, Path, Query, Protocol string
	OriginalPath                                string // as a header says: a client may have set it

	Route, Cluster, VirtualHost string

	Status int64 // 0: no response was begun
	Cut    bool  // the response was begun, and did not end
	GRPC   int64 // gRPC status, or Unknown

	RequestBody, ResponseBody int64 // bytes that passed the plugin

	Flags       int64 // Envoy's response flags, as bits
	CodeDetails string
	Termination string

	Upstream         string // address with port
	Attempts         int64  // or Unknown
	TransportFailure string

	Client     string // address with port
	TLSVersion string
	TLSSubject string // of the client's certificate

	Istio *Istio // nil: the proxy is not Istio's, or nobody asks

	RequestID       string
	Trace           Trace
	RequestHeaders  []Field
	ResponseHeaders []Field
	RequestTrailers []Field
	RespTrailers    []Field

	RequestContent, ResponseContent Content

	Sampled string  // why the record was kept
	Weight  float64 // how many exchanges it stands for
	Drawn   float64 // where chance has placed it for sampling, having no id; 0: not yet
}

// Unknown is the value of a number that was not there.
const Unknown = -1

// Field is a header field with all its values, in their order.
type Field struct {
	Name   string
	Values []string
}

// Failed tells whether the server is at fault, as OpenTelemetry sees it
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status): 5xx, a
// gRPC status that is a server's error, and, unless the client went away, no
// response or one that was cut off. A response of which no end was seen and no
// flag tells anything has the benefit of the doubt.
func (r *Record) Failed() bool {
	switch {
	case r.Status >= 500:
		return true
	case r.left():
		return false
	case r.Status == 0 || r.Cut && r.Flags > 0:
		return true
	}
	switch r.GRPC {
	case 2, 4, 12, 13, 14, 15: // UNKNOWN DEADLINE_EXCEEDED UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS
		return true
	}
	return false
}

// left tells whether the client went away before the response had ended.
func (r *Record) left() bool {
	return (r.Status == 0 || r.Cut) && r.Flags > 0 && r.Flags&clientLeft != 0
}

// Tunnel tells whether the exchange became a tunnel (101, or 2xx to CONNECT):
// its response is whole once it stands, and either side may end it at any time.
func (r *Record) Tunnel() bool {
	return r.Status == 101 || r.Method == "CONNECT" && r.Status >= 200 && r.Status < 300
}

// Severity is OpenTelemetry's word for how bad the exchange went.
func (r *Record) Severity() string {
	switch {
	case r.Failed():
		return "ERROR"
	case r.Status >= 400 || r.GRPC > 0 || r.left():
		return "WARN"
	}
	return "INFO"
}

// KnownMethod tells whether a method is one of RFC 9110 or RFC 5789; others are
// [OtherMethod] in every label, so that a client cannot make up values.
func KnownMethod(m string) bool {
	switch m {
	case "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE":
		return true
	}
	return false
}

// OtherMethod is OpenTelemetry's name for every other method.
const OtherMethod = "_OTHER"
