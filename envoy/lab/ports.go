package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

var ports = struct {
	sync.Mutex
	given map[int]bool
}{given: map[int]bool{}}

// FreeAddress is a loopback address that nobody listens on: at the preferred port if it is free, else
// at another. It never gives the same address twice. Ports are below those that the kernel gives to
// outgoing connections, so that one stays free while a listener is down.
func FreeAddress(preferred int) (string, error) {
	ports.Lock()
	defer ports.Unlock()
	port := preferred
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if port != 0 && !ports.given[port] && free(address) {
			ports.given[port] = true
			return address, nil
		}
		port = 20000 + rand.IntN(12000)
	}
	return "", fmt.Errorf("no free port on 127.0.0.1: tried %d, then 99 from 20000 to 31999", preferred)
}

func free(address string) bool {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
