package ca

import (
	"slices"
	"sync"
	"time"
)

// Order is one new-order that the CA answered with 201: an order as the CA counts it, whether or not the
// client ever saw the answer.
type Order struct {
	Seq       int // of its request
	Time      time.Time
	URL       string
	ID        string
	Account   string
	Names     []string // sorted
	Replaces  string
	Profile   string // that the CA chose, if the request named none
	Reused    bool   // the CA handed out an order that it had already, see Options.OrderReuse
	Delivered bool   // its 201 was sent whole
}

// record is what the CA saw, in the order in which it came.
type record struct {
	mu       sync.Mutex
	requests []*Request
	orders   []*Order
	links    map[int]string // Seq → the unpause link that it got
}

// open gives the request its number and keeps it. The fields of what was kept change under the record's lock.
func (c *record) open(r Request) *Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Seq = len(c.requests) + 1
	c.requests = append(c.requests, &r)
	return &r
}

// update changes a kept request and returns what it is now.
func (c *record) update(r *Request, change func(*Request)) Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(r)
	return r.clone()
}

func (c *record) ordered(r Request, o Order) *Order {
	c.mu.Lock()
	defer c.mu.Unlock()
	o.Seq, o.Time, o.Account, o.Replaces = r.Seq, r.Time, r.Account, r.Replaces
	c.orders = append(c.orders, &o)
	return &o
}

func (c *record) delivered(o *Order) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o.Delivered = true
}

// Requests returns every request so far, oldest first. One that is still being answered is in it with what is
// known by now.
func (c *CA) Requests() []Request {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	requests := make([]Request, 0, len(c.record.requests))
	for _, r := range c.record.requests {
		requests = append(requests, r.clone())
	}
	return requests
}

// Count returns how many requests of a kind there were, whatever became of them.
func (c *CA) Count(kind Kind) int {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	n := 0
	for _, r := range c.record.requests {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// Orders returns every new-order that the CA answered with 201, oldest first.
func (c *CA) Orders() []Order {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	orders := make([]Order, 0, len(c.record.orders))
	for _, o := range c.record.orders {
		order := *o
		order.Names = slices.Clone(o.Names)
		orders = append(orders, order)
	}
	return orders
}
