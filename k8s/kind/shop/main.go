// Shop is what the demo in a kind cluster watches: the services catalog, checkout and payments, and the visitor, who calls them. Each pod
// is one of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	visit := flag.String("visit", "", "be the visitor of these services, such as http://catalog:8080/catalog,http://checkout:8080/checkout")
	rate := flag.Float64("rate", 20, "requests of the visitor, in all, a second")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *visit != "" {
		visitor(ctx, strings.Split(*visit, ","), *rate)
		return
	}
	if err := serve(ctx); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context) error {
	server := &http.Server{Addr: ":8080", Handler: services("http://payments:8080")}
	answered := make(chan struct{})
	go func() {
		<-ctx.Done()
		server.Shutdown(context.Background())
		close(answered)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-answered // ListenAndServe returns as Shutdown begins
	return nil
}

// services answers for all of them. Of twenty payments one fails.
func services(payments string) http.Handler {
	var paid atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /catalog", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, `[{"sku": "lamp", "price": 29}, {"sku": "chair", "price": 89}]`)
	})
	mux.HandleFunc("POST /payments", func(w http.ResponseWriter, _ *http.Request) {
		if paid.Add(1)%20 == 0 {
			answer(w, http.StatusServiceUnavailable, `{"error": "the bank is closed"}`)
			return
		}
		answer(w, http.StatusOK, `{"payment": "taken"}`)
	})
	mux.HandleFunc("POST /checkout", func(w http.ResponseWriter, r *http.Request) {
		status, err := call(r.Context(), http.MethodPost, payments+"/payments", r.Header.Get("traceparent"))
		if err != nil {
			status = http.StatusBadGateway
		}
		answer(w, status, fmt.Sprintf(`{"order": %q}`, http.StatusText(status)))
	})
	return mux
}

func answer(w http.ResponseWriter, status int, document string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintln(w, document)
}

// visitor calls each URL in turn, until the context ends.
func visitor(ctx context.Context, urls []string, rate float64) {
	next := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer next.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		url, method := urls[n%len(urls)], http.MethodGet
		if strings.HasSuffix(url, "/checkout") {
			method = http.MethodPost
		}
		trace := fmt.Sprintf("00-%016x%016x-%016x-01", os.Getpid(), time.Now().UnixNano(), n+1)
		if _, err := call(ctx, method, url, trace); err != nil && ctx.Err() == nil {
			log.Print(err)
		}
	}
}

var client = &http.Client{Timeout: 5 * time.Second}

func call(ctx context.Context, method, url, trace string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, err
	}
	if trace != "" {
		r.Header.Set("traceparent", trace)
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
