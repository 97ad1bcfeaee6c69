package ca

import (
	"context"
	"errors"
	"net/http"
)

// upstream is the CA behind a front: Pebble in this process, or Boulder over HTTP. All its methods
// may be called at once; it is the upstream that lets in one at a time where it must.
type upstream interface {
	// directory is the path that a client starts from.
	directory() string
	// locate fills in which order, and which name, a request is about.
	locate(hr *http.Request, r *Request)
	// serve has the CA do one request. Its Order has an ID where a new-order was answered with 201.
	serve(hr *http.Request, body []byte, r Request) (*answer, Order)
	// nonce takes a fresh one, for an answer that the front gives in the CA's place.
	nonce(hr *http.Request) (string, error)
	// issued is what the CA signed for the orders that came by one door, in their order.
	issued(ctx context.Context, door string, orders []Order) ([]Issuance, error)
	// roots are what it issues chains to, PEM.
	roots() []byte
	// healthy is nil if the CA's parts answer before ctx ends.
	healthy(ctx context.Context) error
	// status is an order's state, empty where there is no such order.
	status(orderURL string) string
}

// errBoulder is what a method says that only Pebble can do.
var errBoulder = errors.New("the CA is Boulder: only Pebble in this process can be told to")
