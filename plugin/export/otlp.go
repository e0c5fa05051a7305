package export

import (
	"github.com/tidwall/gjson"

	"github.com/routelens/routelens/plugin/metrics"
)

// readOTLP reads an answer of OTLP/HTTP
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response): with partialSuccess
// a sink that took the request says how many records of it it refused, not which.
// With none refused it is a warning. An answer that is not JSON took all.
func readOTLP(r *Response, b batch) outcome {
	verdict := judgeOTLP(r.Status)
	o := byStatus(verdict, r, b)
	if verdict == accepted {
		partial := gjson.Get(r.text(maxPartialSuccess), "partialSuccess")
		o.lose(metrics.Rejected, clamp(partial.Get("rejectedLogRecords").Int(), o.records)) // Protobuf's JSON has int64 as a text or a number
		o.words = partial.Get("errorMessage").String()
	}
	return o
}

// maxPartialSuccess bounds what is read of an answer, in bytes: it is a number and
// a message.
const maxPartialSuccess = 64 << 10

// judgeOTLP reads a status as OTLP wants it: these are sent again, and no other.
func judgeOTLP(status int) verdict {
	switch status {
	case 0, 429, 502, 503, 504:
		return again
	}
	if status >= 200 && status < 300 {
		return accepted
	}
	return refused
}
