package lab

import (
	"fmt"
	"net"
	"strconv"
	"sync"
)

var ports = struct {
	sync.Mutex
	given map[int]bool
}{given: map[int]bool{}}

// FreeAddress is a loopback address that nobody listens on: at the preferred port if it is free, else at
// any. It never gives the same address twice.
func FreeAddress(preferred int) (string, error) {
	ports.Lock()
	defer ports.Unlock()
	for _, port := range []int{preferred, 0, 0, 0} {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		listener.Close()
		if got := listener.Addr().(*net.TCPAddr); !ports.given[got.Port] {
			ports.given[got.Port] = true
			return got.String(), nil
		}
	}
	return "", fmt.Errorf("no free port on 127.0.0.1 (tried %d, then any)", preferred)
}
