package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The client speaks just enough HTTP/1.1 for one fixed exchange: it shares two cores with Envoy, and
// net/http's would take more of them than Envoy does.

const headers = "host: shop.example\r\nuser-agent: bench/1\r\n" +
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n"

// target is where requests go, and how large the body of each is; 0: none.
type target struct {
	address string
	body    int
}

func (t target) request() []byte {
	if t.body == 0 {
		return []byte("GET /catalog/1 HTTP/1.1\r\n" + headers + "\r\n")
	}
	return fmt.Appendf(nil, "POST /orders HTTP/1.1\r\n%scontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", headers, t.body, document(t.body))
}

// conn is one connection. Each request belongs to a trace of its own, by which records are sampled.
type conn struct {
	net.Conn
	answer  *bufio.Reader
	request []byte
	traceID []byte // within request
}

func dial(t target) (*conn, error) {
	c, err := net.Dial("tcp", t.address)
	if err != nil {
		return nil, err
	}
	text := t.request()
	at := bytes.Index(text, []byte("00-")) + len("00-")
	return &conn{c, bufio.NewReader(c), text, text[at : at+32]}, nil
}

// exchange sends a request and reads its answer, which must be a whole 200.
func (c *conn) exchange() error {
	var id [16]byte
	for i := range id {
		id[i] = byte(rand.Uint32())
	}
	hex.Encode(c.traceID, id[:])
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	status, err := c.answer.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the answer was %q instead of 200", bytes.TrimSpace(status))
	}
	length := -1
	for {
		line, err := c.answer.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= len("\r\n") {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no content-length")
	}
	_, err = io.CopyN(io.Discard, c.answer, int64(length))
	return err
}

// each runs work on a number of connections at a time, and returns what all of them sent.
func each(t target, connections int, work func(*conn) (sent int, err error)) (int, error) {
	var all sync.WaitGroup
	sent, failed := make([]int, connections), make([]error, connections)
	for i := range connections {
		c, err := dial(t)
		if err != nil {
			failed[i] = err
			break
		}
		all.Go(func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(2 * time.Minute))
			sent[i], failed[i] = work(c)
		})
	}
	all.Wait()
	total := 0
	for _, n := range sent {
		total += n
	}
	return total, errors.Join(failed...)
}

// saturate sends one request after the other on each connection, for as long as told.
func saturate(ctx context.Context, t target, connections int, d time.Duration) (int, error) {
	end := time.Now().Add(d)
	return each(t, connections, func(c *conn) (int, error) {
		for n := 0; ; n++ {
			if ctx.Err() != nil || !time.Now().Before(end) {
				return n, ctx.Err()
			}
			if err := c.exchange(); err != nil {
				return n, err
			}
		}
	})
}

// pace sends at an even rate whatever the answers do, and returns how long each took from when it was
// due, sorted. Where no connection is free a request waits for one, and that wait counts.
func pace(ctx context.Context, t target, connections int, rate float64, d time.Duration) ([]time.Duration, error) {
	total := int(rate * d.Seconds())
	due := make(chan time.Time, total)
	go func() {
		defer close(due)
		runtime.LockOSThread() // ended with the goroutine: its timers are not others'
		sleepExactly()
		start := time.Now()
		for n := range total {
			at := start.Add(time.Duration(float64(n) / rate * float64(time.Second)))
			sleepUntil(at)
			if ctx.Err() != nil {
				return
			}
			due <- at
		}
	}()
	var mutex sync.Mutex
	var latencies []time.Duration
	_, err := each(t, connections, func(c *conn) (int, error) {
		var mine []time.Duration
		defer func() {
			mutex.Lock()
			defer mutex.Unlock()
			latencies = append(latencies, mine...)
		}()
		for at := range due {
			if err := c.exchange(); err != nil {
				return len(mine), err
			}
			mine = append(mine, time.Since(at))
		}
		return len(mine), ctx.Err()
	})
	slices.Sort(latencies)
	return latencies, err
}

// quantile of sorted values; 0 of none.
func quantile[T any](sorted []T, q float64) (value T) {
	if len(sorted) == 0 {
		return value
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
