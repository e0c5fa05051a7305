package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/routelens/routelens/envoy/config"
)

// Loki is a running Loki. It shows records alike in stream, time, line and metadata as one.
type Loki struct {
	*Process
	Address string // host:port
	URL     string
}

// lokiSettings leaves Loki's limits on records as they are, so that what it refuses here it refuses elsewhere. Its limits
// on rates and on answers are raised: a test is in a hurry, and looks for everything at once. For its hurry Loki would
// also split streams, by their rate; what is behind one part's newest entry hangs on chance then.
const lokiSettings = `auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: %[1]s, grpc_listen_address: 127.0.0.1, grpc_listen_port: %[2]s, log_level: warn}
common:
  instance_addr: 127.0.0.1
  path_prefix: %[3]q
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: %[4]q, rules_directory: %[5]q}}
ingester: {lifecycler: {min_ready_duration: 0s}}
schema_config: {configs: [{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]}
limits_config:
  ingestion_rate_mb: 1000
  ingestion_burst_size_mb: 1000
  per_stream_rate_limit: 1GB
  per_stream_rate_limit_burst: 1GB
  shard_streams: {enabled: false}
  max_entries_limit_per_query: %[6]d
analytics: {reporting_enabled: false}
`

const maxEntries = 1_000_000

// StartLoki returns once Loki takes records.
func StartLoki(ctx context.Context, o StoreOptions) (_ *Loki, err error) {
	if o.Address == "" {
		if o.Address, err = FreeAddress(0); err != nil {
			return nil, err
		}
	}
	grpc, err := FreeAddress(0)
	if err != nil {
		return nil, err
	}
	settings, data := filepath.Join(o.Dir, "loki.yaml"), filepath.Join(o.Dir, "loki")
	text := fmt.Sprintf(lokiSettings, port(o.Address), port(grpc), data, data+"/chunks", data+"/rules", maxEntries)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return nil, err
	}
	process, err := start("loki", o.Binary, o.Dir, "-config.file", settings)
	if err != nil {
		return nil, err
	}
	l := &Loki{Process: process, Address: o.Address, URL: "http://" + o.Address}
	if err := l.Serves(ctx, time.Minute, Answers(l.URL+"/ready")); err != nil {
		return nil, err
	}
	return l, nil
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// Cluster is the sink "logs".
func (l *Loki) Cluster() *config.Cluster { return &config.Cluster{Name: "logs", Address: l.Address} }

// everyStream selects as LogQL must: by a label that all have.
const everyStream = `{service_name=~".+"}`

// Stored counts a run's records of the last day. Counting by id is Loki's work in principle, but it takes minutes where
// there are as many ids as records: so it gives the ids, as lines of one stream, and they are counted here.
func (l *Loki) Stored(ctx context.Context, run string) (map[string]int, error) {
	lines, err := l.entries(ctx, fmt.Sprintf("%s | envoy_request_id=~`%s.*` | line_format `{{.envoy_request_id}}` | keep service_name", everyStream, run))
	if err != nil {
		return nil, err
	}
	ids := map[string]int{}
	for _, stream := range lines {
		for _, value := range stream.Values {
			ids[value[1]]++
		}
	}
	return ids, nil
}

// Records are a request's, of the last day.
func (l *Loki) Records(ctx context.Context, id string) ([]Record, error) {
	return l.Query(ctx, fmt.Sprintf("%s | envoy_request_id=%q", everyStream, id))
}

// Query runs LogQL over the last day.
func (l *Loki) Query(ctx context.Context, logql string) ([]Record, error) {
	streams, err := l.entries(ctx, logql)
	if err != nil {
		return nil, err
	}
	var records []Record
	for _, stream := range streams {
		for _, value := range stream.Values {
			ns, err := strconv.ParseInt(value[0], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("Loki's time of a record: %w", err)
			}
			r := Record(maps.Clone(stream.Stream))
			r["time"], r["message"] = time.Unix(0, ns).UTC().Format(time.RFC3339Nano), value[1]
			records = append(records, r)
		}
	}
	return records, nil
}

// lokiStream is a part of Loki's answers.
type lokiStream struct {
	Stream map[string]string // labels and metadata
	Values [][2]string       // when, the line
}

func (l *Loki) entries(ctx context.Context, logql string) ([]lokiStream, error) {
	page, err := fetch(ctx, l.URL+"/loki/api/v1/query_range", "query", logql, "since", "24h", "limit", strconv.Itoa(maxEntries))
	if err != nil {
		return nil, err
	}
	var answer struct{ Data struct{ Result []lokiStream } }
	if err := json.Unmarshal(page, &answer); err != nil {
		return nil, fmt.Errorf("Loki's answer to %q: %w", logql, err)
	}
	return answer.Data.Result, nil
}
