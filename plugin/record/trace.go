package record

// Trace is the trace context that a request came with. IDs are lower-case hex.
type Trace struct {
	TraceID, SpanID string
	Flags           byte // bit 0: sampled
	Present         bool
}

// Sampled tells whether the trace itself is sampled.
func (t Trace) Sampled() bool { return t.Flags&1 != 0 }

// ParseTraceparent reads a W3C traceparent header
// (https://www.w3.org/TR/trace-context/#traceparent-header). A version above 00
// may hold more after a further dash.
func ParseTraceparent(s string) (t Trace, ok bool) {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' ||
		!isHex(s[:2]) || s[:2] == "ff" || (s[:2] == "00" && len(s) != 55) || (len(s) > 55 && s[55] != '-') {
		return Trace{}, false
	}
	traceID, spanID, flags := s[3:35], s[36:52], s[53:55]
	if !isID(traceID) || !isID(spanID) || !isHex(flags) {
		return Trace{}, false
	}
	return Trace{traceID, spanID, nibble(flags[0])<<4 | nibble(flags[1]), true}, true
}

// ParseB3 reads B3 headers (https://github.com/openzipkin/b3-propagation): the
// single one if it is there, else the several.
func ParseB3(single, traceID, spanID, sampled string) (t Trace, ok bool) {
	if single != "" {
		traceID, single = cut(single)
		spanID, single = cut(single)
		sampled, _ = cut(single)
	}
	if (len(traceID) != 32 && len(traceID) != 16) || len(spanID) != 16 || !isID(traceID) || !isID(spanID) {
		return Trace{}, false
	}
	t = Trace{TraceID: traceID, SpanID: spanID, Present: true}
	if sampled == "1" || sampled == "d" || sampled == "true" {
		t.Flags = 1
	}
	return t, true
}

func cut(s string) (before, after string) {
	for i := range len(s) {
		if s[i] == '-' {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// isID tells whether s is lower-case hex and not all zero.
func isID(s string) bool {
	zero := true
	for i := range len(s) {
		zero = zero && s[i] == '0'
	}
	return !zero && isHex(s)
}

func isHex(s string) bool {
	for i := range len(s) {
		if !(s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f') {
			return false
		}
	}
	return s != ""
}

func nibble(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}
