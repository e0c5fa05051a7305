package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/routelens/routelens/envoy/config"
)

// Fault is what happens to a request on its way to the store. All but Pass happen before anything
// reaches it.
type Fault string

// The faults.
const (
	Pass        Fault = "pass"  // none
	Down        Fault = "down"  // connection refused
	TooMany     Fault = "429"   // with Retry-After
	ServerError Fault = "500"   //
	Hang        Fault = "hang"  // no answer, until the caller gives up
	Close       Fault = "close" // the connection is closed without an answer
)

// Faults stands before a store.
type Faults struct {
	Address    string        // host:port
	RetryAfter time.Duration // of TooMany, whole seconds
	Delay      time.Duration // of every answer; as with RetryAfter, set it before traffic comes

	store    http.Handler
	mutex    sync.Mutex
	fault    Fault
	seen     map[Fault]int
	server   *http.Server // nil while there is no listener
	listener net.Listener
	ended    chan struct{} // closed to let go of hanging requests
}

// StartFaults passes requests on to the store, a host:port, until told otherwise.
func StartFaults(store string) (*Faults, error) {
	address, err := FreeAddress(0)
	if err != nil {
		return nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: store})
	proxy.ErrorLog = log.New(io.Discard, "", 0) // the caller sees a 502
	f := &Faults{Address: address, RetryAfter: time.Second, store: proxy, fault: Pass, seen: map[Fault]int{}}
	return f, f.listen()
}

// Cluster is the sink that SinkConfig names, by way of the faults.
func (f *Faults) Cluster() *config.Cluster { return &config.Cluster{Name: "logs", Address: f.Address} }

// Set changes what happens to requests from now on. What the store is being sent ends first.
func (f *Faults) Set(fault Fault) error {
	f.mutex.Lock()
	was := f.fault
	f.fault = fault
	f.mutex.Unlock()
	switch {
	case fault == Down && was != Down:
		return f.Stop()
	case fault != Down && was == Down:
		return f.listen()
	}
	return nil
}

// Requests tells how many requests met each fault. Down leaves no trace.
func (f *Faults) Requests() map[Fault]int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return maps.Clone(f.seen)
}

// Stop closes the listener and all connections.
func (f *Faults) Stop() error {
	if f.server == nil {
		return nil
	}
	close(f.ended)
	f.listener.Close() // Shutdown would miss it, were the server not up yet
	defer func() { f.server = nil }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(err, f.server.Close())
	}
	return nil
}

func (f *Faults) listen() (err error) {
	if f.listener, err = net.Listen("tcp", f.Address); err != nil {
		return err
	}
	f.ended = make(chan struct{})
	f.server = &http.Server{Handler: f.handler(f.ended)}
	go f.server.Serve(f.listener)
	return nil
}

func (f *Faults) handler(ended <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The whole request is read first, so that the caller has sent all when it meets its fault.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		time.Sleep(f.Delay)
		switch fault := f.meet(); fault {
		case Pass:
			f.store.ServeHTTP(w, r)
		case TooMany:
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
			http.Error(w, "slow down", http.StatusTooManyRequests)
		case ServerError:
			http.Error(w, "out of order", http.StatusInternalServerError)
		case Hang:
			select {
			case <-r.Context().Done():
			case <-ended:
			}
			fallthrough
		default:
			panic(http.ErrAbortHandler) // closes the connection
		}
	})
}

func (f *Faults) meet() Fault {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.seen[f.fault]++
	return f.fault
}
