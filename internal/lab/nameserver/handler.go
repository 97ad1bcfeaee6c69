package nameserver

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"
)

// patience is longer than any Source of the lab takes, and shorter than a resolver's client waits.
const patience = 3 * time.Second

// handler turns a question from the wire into an answer on it.
type handler struct {
	source Source
	log    io.Writer
}

func (h *handler) ServeDNS(w dns.ResponseWriter, asked *dns.Msg) {
	_, overUDP := w.LocalAddr().(*net.UDPAddr)
	answer := h.answer(asked)
	fit(answer, asked, overUDP)
	if err := w.WriteMsg(answer); err != nil {
		_, _ = fmt.Fprintf(h.log, "nameserver: answering %s: %v\n", w.RemoteAddr(), err)
	}
}

func (h *handler) answer(asked *dns.Msg) *dns.Msg {
	answer := new(dns.Msg).SetReply(asked)
	answer.RecursionAvailable = true
	if rcode := unserved(asked); rcode != dns.RcodeSuccess {
		answer.Rcode = rcode
		return answer
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	zones, err := h.source.Served(ctx)
	if err != nil {
		return h.fail(answer, err)
	}
	question := asked.Question[0]
	found, err := resolve(zones, question.Name, question.Qtype)
	if err != nil {
		return h.fail(answer, err)
	}
	answer.Rcode, answer.Authoritative = found.rcode, found.authoritative
	answer.Answer, answer.Ns = found.answer, found.authority
	return answer
}

func (h *handler) fail(answer *dns.Msg, err error) *dns.Msg {
	_, _ = fmt.Fprintf(h.log, "nameserver: %v\n", err)
	answer.Rcode = dns.RcodeServerFailure
	return answer
}

// unserved is the response code of what no name server of a lab has to answer, and RcodeSuccess for all else.
func unserved(asked *dns.Msg) int {
	switch {
	case asked.Opcode != dns.OpcodeQuery:
		return dns.RcodeNotImplemented
	case len(asked.Question) != 1:
		return dns.RcodeFormatError
	case asked.Question[0].Qclass != dns.ClassINET:
		return dns.RcodeRefused
	}
	switch asked.Question[0].Qtype {
	case dns.TypeANY, dns.TypeAXFR, dns.TypeIXFR:
		return dns.RcodeNotImplemented
	}
	return dns.RcodeSuccess
}

// fit cuts an answer to what its transport and its receiver take; one that is cut says so by TC, and is asked for again
// over TCP.
func fit(answer, asked *dns.Msg, overUDP bool) {
	size := dns.MaxMsgSize
	if overUDP {
		size = dns.MinMsgSize
	}
	if opt := asked.IsEdns0(); opt != nil {
		answer.SetEdns0(4096, opt.Do())
		if overUDP {
			size = max(size, int(opt.UDPSize()))
		}
	}
	answer.Compress = true
	answer.Truncate(size)
}
