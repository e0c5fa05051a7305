package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/routelens/routelens/plugin/record"
)

// LokiLabels are the fields, besides the resource's keys, that may be stream
// labels: those that clients cannot make up.
var LokiLabels = []string{"service.name", "severity", "http.route", "http.request.method", "http.response.status_code", "envoy.cluster"}

// ElasticsearchKeys are a record's keys in Elasticsearch alone, where they stand
// for time, trace_id and span_id.
var ElasticsearchKeys = []string{"@timestamp", "trace.id", "span.id"}

// across checks what no single key can tell, where each of them is sound.
func across(c *Config, r *reader) {
	if c.Sink.Retry.Initial > c.Sink.Retry.Max && r.sound("sink.retry.initial", "sink.retry.max") {
		r.report("sink.retry.initial", "must be at most sink.retry.max ("+c.Sink.Retry.Max.String()+")", c.Sink.Retry.Initial.String())
	}
	// What is under way counts towards the buffer: beside one batch on its way the next must have room.
	if c.Sink.Batch.MaxBytes > c.Sink.Buffer.MaxBytes/2 && r.sound("sink.batch.max_bytes", "sink.buffer.max_bytes") {
		r.report("sink.batch.max_bytes", "must be at most half of sink.buffer.max_bytes ("+sizeText(c.Sink.Buffer.MaxBytes)+")", sizeText(c.Sink.Batch.MaxBytes))
	}
	for _, a := range c.Sink.Headers {
		if slices.Contains(framing, a.Name) && r.sound("sink.headers") {
			r.report("sink.headers."+a.Name, "must not be given: Envoy sets it", "")
		}
	}
	acrossResource(c, r)
	acrossLabels(c, r)
	acrossBodies(c, r)
	acrossRedact(c, r)
}

// acrossResource checks that the resource's keys stay apart in the sink.
func acrossResource(c *Config, r *reader) {
	if !r.sound("resource", "sink.type") {
		return
	}
	switch c.Sink.Type {
	case Loki:
		seen := map[string]string{}
		for _, a := range c.Resource {
			if other, taken := seen[underscored(a.Name)]; taken {
				r.report(join("resource", a.Name), "must differ from "+quote(other)+" in more than punctuation, which is _ in Loki", "")
			}
			seen[underscored(a.Name)] = a.Name
		}
	case Elasticsearch:
		own := slices.Concat(record.Keys, ElasticsearchKeys)
		for _, a := range c.Resource {
			acrossElasticsearch(a.Name, own, c.Resource, r)
		}
	}
}

// acrossElasticsearch checks one key: Elasticsearch reads what stands before a
// dot as an object, and refuses each document in which a text is one as well.
func acrossElasticsearch(key string, own []string, all []Attribute, r *reader) {
	path := join("resource", key)
	if slices.Contains(ElasticsearchKeys, key) {
		r.report(path, "must not be a record's own key in Elasticsearch", "")
		return
	}
	for _, part := range strings.Split(key, ".") {
		if strings.TrimSpace(part) == "" {
			r.report(path, "must have a name on either side of each dot, as Elasticsearch reads it", "")
			return
		}
	}
	others := slices.Clone(own)
	for _, a := range all {
		others = append(others, a.Name)
	}
	for i, other := range others {
		if i < len(own) && strings.HasPrefix(key, other+".") {
			r.report(path, "must not be within "+quote(other)+", which is no object in Elasticsearch", "")
			return
		}
		if strings.HasPrefix(other, key+".") {
			r.report(path, "must be no prefix of "+quote(other)+", which makes an object of it in Elasticsearch", "")
			return
		}
	}
}

func acrossLabels(c *Config, r *reader) {
	if !r.sound("sink.labels", "sink.type", "resource") {
		return
	}
	if c.Sink.Type != Loki && c.Sink.Labels != nil {
		r.report("sink.labels", "must not be given: only Loki has stream labels", "type "+c.Sink.Type)
		return
	}
	for i, label := range c.Sink.Labels {
		if !c.allowedLabel(label) {
			r.report(at("sink.labels", i), "must be a key of resource or one of "+list(LokiLabels), quote(label))
		}
	}
}

func (c *Config) allowedLabel(label string) bool {
	return slices.Contains(LokiLabels, label) || slices.ContainsFunc(c.Resource, func(a Attribute) bool { return a.Name == label })
}

// acrossBodies checks that a worker can hold what is to be recorded, and a
// request to the sink as well: with one body in each direction, of half its size.
func acrossBodies(c *Config, r *reader) {
	if !r.sound("bodies", "sink.batch.max_bytes") {
		return
	}
	check := func(path string, b *Body) {
		switch {
		case b.Rate == 0:
		case b.MaxBytes > c.Bodies.MaxHeld:
			r.report(path+".max_bytes", "must be at most bodies.max_held ("+sizeText(c.Bodies.MaxHeld)+")", sizeText(b.MaxBytes))
		case b.MaxBytes > c.Sink.Batch.MaxBytes/2 && c.Sink.Enabled():
			r.report(path+".max_bytes", "must be at most half of sink.batch.max_bytes ("+sizeText(c.Sink.Batch.MaxBytes)+")", sizeText(b.MaxBytes))
		}
	}
	check("bodies.request", &c.Bodies.Request)
	check("bodies.response", &c.Bodies.Response)
	for i := range c.Bodies.Rules {
		rule := &c.Bodies.Rules[i]
		check(at("bodies.rules", i)+".request", &rule.Request)
		check(at("bodies.rules", i)+".response", &rule.Response)
	}
}

// acrossRedact checks each rule as a whole.
func acrossRedact(c *Config, r *reader) {
	if !r.sound("redact.rules") {
		return
	}
	seen := map[string]bool{}
	for i, rule := range c.Redact.Rules {
		place, name, places := rule.place()
		path := at("redact.rules", i)
		switch {
		case places != 1:
			r.report(path, "must name one place: body, header, cookie, query or path", strconv.Itoa(places))
		case seen[place+"\n"+name]:
			r.report(path+"."+place, "must be named by one rule", quote(name))
		case place == "path" && !strings.Contains(name, "{"):
			r.report(path+".path", "must have a variable such as {id}: that is what is hidden", quote(name))
		case rule.Mode == Keep && place != "cookie":
			r.report(path+".mode", "must not be keep but for a cookie: other values are recorded without a rule", "")
		case rule.Mode == Hash && c.Redact.Key == "" && r.sound("redact.key"):
			r.report(path+".mode", "must have redact.key to hash with", "")
		}
		seen[place+"\n"+name] = true
	}
}

// place gives the place that a rule names, with its name there, and how many it names.
func (rule *RedactRule) place() (place, name string, places int) {
	for _, p := range [][2]string{{"body", rule.Body}, {"header", rule.Header}, {"cookie", rule.Cookie}, {"query", rule.Query}, {"path", rule.Path}} {
		if p[1] != "" {
			place, name = p[0], p[1]
			places++
		}
	}
	return place, name, places
}

// framing are the headers that say where a message goes and ends.
var framing = []string{"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}

// underscored is a key as Prometheus and Loki write it.
func underscored(key string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, key)
}
