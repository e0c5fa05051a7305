package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/routelens/routelens/envoy/config"
)

// The paths that VictoriaLogs takes records at.
const (
	NDJSONPath = "/insert/jsonline?_stream_fields=service.name,http.route&_time_field=time&_msg_field=message"
	LokiPath   = "/insert/loki/api/v1/push"
	BulkPath   = "/insert/elasticsearch/_bulk?_stream_fields=service.name,http.route&_time_field=@timestamp&_msg_field=message"
)

// SinkConfig is a plugin configuration that sends every record to the cluster "logs".
const SinkConfig = `{
  "sink": {"type": "ndjson", "cluster": "logs", "path": "` + NDJSONPath + `"},
  "resource": {"service.name": "shop"},
  "sampling": {"rate": 1, "max_per_second": 0}
}`

// StoreOptions say how to run a VictoriaLogs. An empty Address is chosen.
type StoreOptions struct {
	Binary  string
	Dir     string // for its data and log
	Address string
}

// Store is a running VictoriaLogs. It answers 200 to lines that it then drops: query back.
type Store struct {
	*Process
	Address string // host:port
	URL     string
}

// StartVictoriaLogs returns once the store takes records.
func StartVictoriaLogs(ctx context.Context, o StoreOptions) (_ *Store, err error) {
	if o.Address == "" {
		if o.Address, err = FreeAddress(0); err != nil {
			return nil, err
		}
	}
	process, err := start("victoria-logs", o.Binary, o.Dir, "-httpListenAddr", o.Address, "-storageDataPath", o.Dir+"/victoria-logs")
	if err != nil {
		return nil, err
	}
	s := &Store{Process: process, Address: o.Address, URL: "http://" + o.Address}
	if err := s.Serves(ctx, 20*time.Second, Answers(s.URL+"/health")); err != nil {
		return nil, err
	}
	return s, nil
}

// Cluster is the sink that SinkConfig names.
func (s *Store) Cluster() *config.Cluster { return &config.Cluster{Name: "logs", Address: s.Address} }

// Query runs LogsQL and returns its rows. Everything that was sent before is seen.
func (s *Store) Query(ctx context.Context, logsql string) ([]map[string]string, error) {
	if _, err := fetch(ctx, s.URL+"/internal/force_flush"); err != nil {
		return nil, err
	}
	page, err := fetch(ctx, s.URL+"/select/logsql/query", "query", logsql)
	if err != nil {
		return nil, err
	}
	var rows []map[string]string
	for lines := json.NewDecoder(bytes.NewReader(page)); lines.More(); {
		var row map[string]string
		if err := lines.Decode(&row); err != nil {
			return nil, fmt.Errorf("VictoriaLogs' answer to %q: %w", logsql, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Count is how many records match the LogsQL filter, such as * or {service.name="shop"}.
func (s *Store) Count(ctx context.Context, filter string) (int, error) {
	rows, err := s.Query(ctx, filter+" | stats count() n")
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return strconv.Atoi(rows[0]["n"])
}

// Stored counts a run's records, of any dialect.
func (s *Store) Stored(ctx context.Context, run string) (map[string]int, error) {
	filter := fmt.Sprintf("(envoy.request_id:=%q* or envoy_request_id:=%q*)", run, run)
	rows, err := s.Query(ctx, filter+" | stats by (envoy.request_id, envoy_request_id) count() n")
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int, len(rows))
	for _, row := range rows {
		n, err := strconv.Atoi(row["n"])
		if err != nil {
			return nil, fmt.Errorf("VictoriaLogs' count %q: %w", row["n"], err)
		}
		ids[row["envoy.request_id"]+row["envoy_request_id"]] += n // one of them is empty
	}
	return ids, nil
}

// Records are a request's, of any dialect. VictoriaLogs itself takes apart what is nested.
func (s *Store) Records(ctx context.Context, id string) ([]Record, error) {
	rows, err := s.Query(ctx, fmt.Sprintf("envoy.request_id:=%q or envoy_request_id:=%q", id, id))
	records := make([]Record, len(rows))
	for i, row := range rows {
		row["time"], row["message"] = row["_time"], row["_msg"]
		records[i] = row
	}
	return records, err
}

// RequestIDs tells how many records there are of each request, among those that match the filter.
func (s *Store) RequestIDs(ctx context.Context, filter string) (map[string]int, error) {
	rows, err := s.Query(ctx, filter+" | stats by (envoy.request_id) count() n")
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int, len(rows))
	for _, row := range rows {
		if ids[row["envoy.request_id"]], err = strconv.Atoi(row["n"]); err != nil {
			return nil, fmt.Errorf("VictoriaLogs' count %q of request %q: %w", row["n"], row["envoy.request_id"], err)
		}
	}
	return ids, nil
}
