package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/routelens/routelens/envoy/config"
)

// LogStore is a real log store, as far as the end-to-end tests ask all of them alike. What it has answered
// for is seen by every question after that.
type LogStore interface {
	// Cluster is the sink "logs".
	Cluster() *config.Cluster
	// Stored tells how many records there are of each request of a run.
	Stored(ctx context.Context, run string) (map[string]int, error)
	// Records are those of one request.
	Records(ctx context.Context, id string) ([]Record, error)
	Stop() error
}

// Record is one record, as a store gave it back: what is nested stands under names joined by dots, a list is
// JSON. "time", "message" and "severity" are so named in every store; other names are as the store has them.
type Record map[string]string

// keep puts a value under its name, and what is in it under further names.
func (r Record) keep(name string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			r.keep(name+"."+key, inner)
		}
	case string:
		r[name] = value
	default:
		text, _ := json.Marshal(value) // it came from JSON
		r[name] = string(text)
	}
}

// post sends JSON, or what the type says, to one of the processes.
func post(ctx context.Context, page, contentType, body string) ([]byte, error) {
	return send(ctx, http.MethodPost, page, contentType, body)
}

func send(ctx context.Context, method, page, contentType, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, page, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %.500s", method, page, response.Status, answer)
	}
	return answer, err
}

// exactly decodes JSON and leaves its numbers as they were written.
func exactly(page []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(page))
	decoder.UseNumber()
	return decoder.Decode(into)
}
