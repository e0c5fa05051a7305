package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/routelens/routelens/envoy/config"
)

// services are what the Envoys talk to. They run in this process: only Envoy's CPU is measured.
type services struct {
	upstream string // host:port; it answers at once, with a body as large as the request's
	servers  []*http.Server
}

func openServices() (*services, error) {
	s := &services{}
	var err error
	answers := map[int]string{0: `{"ok":true}`}
	for _, size := range bodySizes {
		answers[size] = document(size)
	}
	s.upstream, err = s.serve(func(w http.ResponseWriter, r *http.Request) {
		size, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		answer := answers[int(size)]
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		io.WriteString(w, answer)
	})
	return s, err
}

// sink counts the records that arrive at an Envoy's log store, and the whole bodies in them, and keeps none.
type sink struct {
	address         string
	records, bodies atomic.Int64
}

func (s *services) openSink() (*sink, error) {
	k := &sink{}
	var err error
	k.address, err = s.serve(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		k.records.Add(int64(bytes.Count(body, []byte("\n{")) + 1))
		k.bodies.Add(int64(bytes.Count(body, []byte(`.body.json":{`))))
		w.WriteHeader(http.StatusNoContent)
	})
	return k, err
}

func (k *sink) cluster() *config.Cluster { return &config.Cluster{Name: "logs", Address: k.address} }

func (s *services) serve(handler http.HandlerFunc) (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler}
	s.servers = append(s.servers, server)
	go server.Serve(listener)
	return listener.Addr().String(), nil
}

func (s *services) close() {
	for _, server := range s.servers {
		server.Close()
	}
}
