package boulder

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// parts of a Boulder that listen, in the order in which they start. Each has a port; its place in
// the list is the offset from the first.
var listeners = []string{
	"front", "srv", "doh", "mariadb", "redis", "ct", "ct-b", "sa", "publisher", "rva0", "rva1", "rva2",
	"va", "ra-sct", "ca", "ra", "nonce", "wfe2", "sfe",
}

// PortCount is how many ports a Boulder takes.
const PortCount = 20

// ports gives each listener its address on the loopback.
type ports map[string]int

func (p ports) addr(part string) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p[part])) }

// Ports below those that the system gives to whoever asks for any, so that nobody gets one of ours
// between the look and the use.
const (
	lowest  = 12000
	highest = 32000
)

// tries spreads the blocks of one process; the process id spreads those of several.
var tries atomic.Int64

// newPorts takes the block from first on, or finds one that is free.
func newPorts(first int) (ports, error) {
	if first != 0 {
		return block(first)
	}
	var err error
	for range 50 {
		n := int64(os.Getpid())*7 + tries.Add(1)
		var p ports
		if p, err = block(lowest + int(n%((highest-lowest)/PortCount))*PortCount); err == nil {
			return p, nil
		}
	}
	return nil, err
}

// block is the ports from first on, if all are free.
func block(first int) (ports, error) {
	p := ports{}
	var taken []error
	for n, part := range listeners {
		p[part] = first + n
		if err := free(p.addr(part)); err != nil {
			taken = append(taken, fmt.Errorf("port %d of %s: %w", p[part], part, err))
		}
	}
	switch n := len(taken); {
	case n == 1:
		return nil, fmt.Errorf("%w: end what has it, or name the first of %d other ports", taken[0], PortCount)
	case n > 1: // another Boulder, most likely
		return nil, fmt.Errorf("%w, and %d of its other ports are taken too: end what has them, or name the first of %d other ports", taken[0], n-1, PortCount)
	}
	return p, nil
}

func free(address string) error {
	stream, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	return stream.Close()
}
