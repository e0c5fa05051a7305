package lab

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/routelens/routelens/envoy/config"
)

// OpenSearch is a running OpenSearch of one node.
type OpenSearch struct {
	*Process
	Address string // host:port
	URL     string
}

// StartOpenSearch returns once OpenSearch takes records. The template, JSON, says what becomes of those that go to an
// index or data stream as it names them.
func StartOpenSearch(ctx context.Context, o StoreOptions, template string) (_ *OpenSearch, err error) {
	if o.Address == "" {
		if o.Address, err = FreeAddress(0); err != nil {
			return nil, err
		}
	}
	process, err := start("opensearch", o.Binary, o.Dir, o.Dir+"/opensearch", port(o.Address))
	if err != nil {
		return nil, err
	}
	s := &OpenSearch{Process: process, Address: o.Address, URL: "http://" + o.Address}
	if err := s.Serves(ctx, 2*time.Minute, Answers(s.URL+"/_cluster/health?wait_for_status=yellow&timeout=1s")); err != nil {
		return nil, err
	}
	if _, err := send(ctx, http.MethodPut, s.URL+"/_index_template/routelens", "application/json", template); err != nil {
		return nil, fmt.Errorf("the index template: %w, %w", err, s.Stop())
	}
	return s, nil
}

// Cluster is the sink "logs".
func (s *OpenSearch) Cluster() *config.Cluster {
	return &config.Cluster{Name: "logs", Address: s.Address}
}

// Stored counts a run's records, page by page.
func (s *OpenSearch) Stored(ctx context.Context, run string) (map[string]int, error) {
	ids := map[string]int{}
	for after := ""; ; {
		var page struct {
			Aggregations struct {
				IDs struct {
					After   *struct{ ID string } `json:"after_key"`
					Buckets []struct {
						Key   struct{ ID string }
						Count int `json:"doc_count"`
					}
				}
			}
		}
		err := s.search(ctx, fmt.Sprintf(`{
			"size": 0, "query": {"prefix": {"envoy.request_id": %q}},
			"aggs": {"ids": {"composite": {"size": 10000, %s "sources": [{"id": {"terms": {"field": "envoy.request_id"}}}]}}}
		}`, run, after), &page)
		if err != nil {
			return nil, err
		}
		for _, bucket := range page.Aggregations.IDs.Buckets {
			ids[bucket.Key.ID] = bucket.Count
		}
		if page.Aggregations.IDs.After == nil {
			return ids, nil
		}
		after = fmt.Sprintf(`"after": {"id": %q},`, page.Aggregations.IDs.After.ID)
	}
}

// Records are a request's.
func (s *OpenSearch) Records(ctx context.Context, id string) ([]Record, error) {
	return s.Query(ctx, fmt.Sprintf(`{"query": {"term": {"envoy.request_id": %q}}}`, id))
}

// Query runs a search, and gives at most 10 records.
func (s *OpenSearch) Query(ctx context.Context, query string) ([]Record, error) {
	var page struct {
		Hits struct {
			Hits []struct {
				Source map[string]any `json:"_source"`
			}
		}
	}
	if err := s.search(ctx, query, &page); err != nil {
		return nil, err
	}
	var records []Record
	for _, hit := range page.Hits.Hits {
		r := Record{}
		for key, value := range hit.Source {
			r.keep(key, value)
		}
		r["time"] = r["@timestamp"]
		records = append(records, r)
	}
	return records, nil
}

// SetFull has every index refuse what comes, as OpenSearch itself does where the disk is too full, or take it again. There
// must be an index already.
func (s *OpenSearch) SetFull(ctx context.Context, full bool) error {
	// More is to be free than any disk has: else OpenSearch, which looks now and then, would lift the block by itself.
	free, block := "null", "null"
	if full {
		free, block = `"1pb"`, "true"
	}
	marks := fmt.Sprintf(`{"transient": {"cluster.routing.allocation.disk.watermark": {"low": %[1]s, "high": %[1]s, "flood_stage": %[1]s}}}`, free)
	if _, err := send(ctx, http.MethodPut, s.URL+"/_cluster/settings", "application/json", marks); err != nil {
		return err
	}
	_, err := send(ctx, http.MethodPut, s.URL+"/_all/_settings", "application/json", `{"index.blocks.read_only_allow_delete": `+block+`}`)
	return err
}

// search asks all that is not the server's own; the refresh makes it see what it has answered for.
func (s *OpenSearch) search(ctx context.Context, query string, into any) error {
	if _, err := fetch(ctx, s.URL+"/_refresh"); err != nil {
		return err
	}
	page, err := post(ctx, s.URL+"/_search", "application/json", query)
	if err != nil {
		return err
	}
	if err := exactly(page, into); err != nil {
		return fmt.Errorf("OpenSearch's answer to %s: %w", query, err)
	}
	return nil
}
