package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"

	"github.com/routelens/routelens/envoy/config"
)

// Shop is the services behind Envoy: one server for HTTP/1.1 and HTTP/2, one for gRPC. Each has a route
// and a cluster of its name.
//
//	/catalog         fast JSON
//	/checkout        takes 50 to 150 ms
//	/payments        of a hundred calls five answer 503 and one is reset
//	/users/ID        JSON of that user; PUT and POST answer 201
//	/events          server-sent events: ?n=3 of them, one every=10ms
//	/echo            the request's body, and its size as a trailer
//	/ws              WebSocket echo
//	/lab.Echo/...    gRPC echo, see EchoService
//	CONNECT          a tunnel to this server
type Shop struct {
	address, grpcAddress string
	web                  *http.Server
	grpc                 *grpc.Server
	payments, checkouts  atomic.Int64
}

// OpenShop starts the services on free ports.
func OpenShop() (*Shop, error) {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	rpc, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, web.Close())
	}
	s := &Shop{address: web.Addr().String(), grpcAddress: rpc.Addr().String(), grpc: newEchoServer()}
	mux := http.NewServeMux()
	mux.HandleFunc("/catalog", catalog)
	mux.HandleFunc("/checkout", s.checkout)
	mux.HandleFunc("/payments", s.pay)
	mux.HandleFunc("/users/{id}", user)
	mux.HandleFunc("/events", events)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/ws", webSocket)
	s.web = &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	s.web.Protocols.SetHTTP1(true)
	s.web.Protocols.SetUnencryptedHTTP2(true)
	go s.web.Serve(web)
	go s.grpc.Serve(rpc)
	return s, nil
}

// Close ends the services and what they are answering.
func (s *Shop) Close() error {
	s.grpc.Stop()
	return s.web.Close()
}

// Routes lead to each service.
func (s *Shop) Routes() []config.Route {
	return []config.Route{
		{Name: "tunnel", Connect: true, Cluster: "catalog"},
		{Name: "catalog", Prefix: "/catalog", Cluster: "catalog"},
		{Name: "checkout", Prefix: "/checkout", Cluster: "checkout"},
		{Name: "payments", Prefix: "/payments", Cluster: "payments"},
		{Name: "users", Prefix: "/users/", Cluster: "users"},
		{Name: "events", Prefix: "/events", Cluster: "events", Timeout: "0s"},
		{Name: "echo", Prefix: "/echo", Cluster: "echo"},
		{Name: "ws", Prefix: "/ws", Cluster: "ws", Timeout: "0s"},
		{Name: "grpc", Prefix: "/" + EchoService + "/", Cluster: "grpc", Timeout: "0s"},
	}
}

// Clusters are the services. echo is reached by HTTP/2, as trailers need.
func (s *Shop) Clusters() []config.Cluster {
	clusters := []config.Cluster{
		{Name: "grpc", Address: s.grpcAddress, HTTP2: true},
		{Name: "echo", Address: s.address, HTTP2: true},
	}
	for _, name := range []string{"catalog", "checkout", "payments", "users", "events", "ws"} {
		clusters = append(clusters, config.Cluster{Name: name, Address: s.address})
	}
	return clusters
}

func catalog(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, []map[string]any{{"sku": "lamp", "price": 29}, {"sku": "chair", "price": 89}})
}

func (s *Shop) checkout(w http.ResponseWriter, _ *http.Request) {
	// 37 and 101 share no factor: the times look random and are the same in every run.
	time.Sleep(time.Duration(50+s.checkouts.Add(37)%101) * time.Millisecond)
	answer(w, http.StatusOK, map[string]any{"order": "accepted"})
}

func (s *Shop) pay(w http.ResponseWriter, _ *http.Request) {
	switch n := s.payments.Add(1) % 100; {
	case n == 50:
		panic(http.ErrAbortHandler) // closes the connection
	case n%20 == 0:
		answer(w, http.StatusServiceUnavailable, map[string]any{"error": "the bank is closed"})
	default:
		answer(w, http.StatusOK, map[string]any{"payment": "taken"})
	}
}

func user(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		io.Copy(io.Discard, r.Body)
		status = http.StatusCreated
	}
	answer(w, status, map[string]any{"id": r.PathValue("id"), "name": "Ada", "email": "ada@shop.example"})
}

func events(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil {
		n = 3
	}
	every, err := time.ParseDuration(r.FormValue("every"))
	if err != nil {
		every = 10 * time.Millisecond
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range n {
		if i > 0 {
			select {
			case <-time.After(every):
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "id: %d\ndata: {\"stock\": %d}\n\n", i, 100-i)
		http.NewResponseController(w).Flush()
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	http.NewResponseController(w).EnableFullDuplex()
	n, _ := io.Copy(w, r.Body)
	w.Header().Set(http.TrailerPrefix+"X-Echo-Bytes", strconv.FormatInt(n, 10))
}

func webSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
