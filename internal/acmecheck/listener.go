package acmecheck

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tlswright/tlswright/acme"
)

// proofs is a web server that answers http-01 (RFC 8555, Section 8.3), and notes who asked for what.
type proofs struct {
	server *http.Server

	mu    sync.Mutex
	known map[string]string // proof by token
	asked []visit
}

// visit is a request that came for a proof.
type visit struct{ method, host, token string }

// maxVisits bounds the memory: the listener may stand in the internet.
const maxVisits = 1000

func listen(address string) (*proofs, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the web server for proofs cannot listen: %w", err)
	}
	p := &proofs{known: make(map[string]string)}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() { _ = p.server.Serve(l) }() // ends with close
	return p, nil
}

func (p *proofs) close() { _ = p.server.Close() }

// ServeHTTP answers with a proof that was put there, and with nothing else.
func (p *proofs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.URL.Path, acme.HTTP01Path)
	p.mu.Lock()
	proof := p.known[token]
	if ok && len(p.asked) < maxVisits {
		p.asked = append(p.asked, visit{r.Method, r.Host, token})
	}
	p.mu.Unlock()
	if !ok || proof == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.WriteString(w, proof)
}

func (p *proofs) put(token, proof string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[token] = proof
}

// visits are the requests for a token.
func (p *proofs) visits(token string) []visit {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []visit
	for _, v := range p.asked {
		if v.token == token {
			found = append(found, v)
		}
	}
	return found
}
