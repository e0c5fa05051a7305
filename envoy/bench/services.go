package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/routelens/routelens/envoy/config"
)

// services are what the Envoys talk to. They run in this process: only Envoy's CPU is measured.
type services struct {
	upstream string // host:port; it answers at once
	servers  []*http.Server
}

func openServices() (*services, error) {
	s := &services{}
	var err error
	s.upstream, err = s.serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"ok":true}`)
	})
	return s, err
}

// sink counts the records that arrive at an Envoy's log store, and keeps none.
type sink struct {
	address string
	records atomic.Int64
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
