package main

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/pki/ocsp"
)

// How many questions with nonces each connection has ready, and which share of the answers is verified.
const (
	questions   = 256
	verifyEvery = 50
)

// asker puts questions to a responder over one connection that is kept alive.
type asker struct {
	conn     net.Conn
	r        *bufio.Reader
	requests [][]byte // whole, as they go onto the wire
	buf      []byte
}

// askOCSP asks for a while, with as many connections as workers, and tells how many answers came.
func askOCSP(s *settings) error {
	text, err := os.ReadFile(s.issuer)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("the issuer's file is no PEM")
	}
	issuer, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	serial, err := hex.DecodeString(s.serial)
	if err != nil {
		return err
	}
	at, err := url.Parse(s.ocsp)
	if err != nil {
		return err
	}
	for round := range s.rounds {
		for _, workers := range s.workers {
			askers := make([]*asker, workers)
			for i := range askers {
				if askers[i], err = newAsker(at, serial, issuer, s.nonce); err != nil {
					return err
				}
				defer func() { _ = askers[i].conn.Close() }()
			}
			if err := askFor(s, round+1, askers, issuer); err != nil {
				return err
			}
		}
	}
	return nil
}

func newAsker(at *url.URL, serial []byte, issuer *x509.Certificate, withNonce bool) (*asker, error) {
	id, err := ocsp.NewCertID(serial, issuer, crypto.SHA1)
	if err != nil {
		return nil, err
	}
	a := &asker{buf: make([]byte, 4096)}
	for range questions {
		var nonce []byte
		if withNonce {
			nonce = make([]byte, 16)
			_, _ = rand.Read(nonce) // never fails
		}
		q, err := ocsp.CreateRequest([]ocsp.CertID{id}, nonce)
		if err != nil {
			return nil, err
		}
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n", at.Path, at.Host, len(q))
		a.requests = append(a.requests, append([]byte(head), q...))
	}
	if a.conn, err = net.Dial("tcp", at.Host); err != nil {
		return nil, err
	}
	a.r = bufio.NewReader(a.conn)
	return a, nil
}

func askFor(s *settings, round int, askers []*asker, issuer *x509.Certificate) error {
	var answers atomic.Int64
	errs := make([]error, len(askers))
	server, own := treeTime(s.process), cpuTime()
	start := time.Now()
	var wg sync.WaitGroup
	for i, a := range askers {
		wg.Go(func() {
			for n := 0; time.Since(start) < s.duration; n++ {
				answer, err := a.ask(n)
				if err == nil && n%verifyEvery == 0 {
					err = verifyAnswer(answer, issuer)
				}
				if err != nil {
					errs[i] = err
					return
				}
				answers.Add(1)
			}
		})
	}
	wg.Wait()
	took, n := time.Since(start), time.Duration(max(answers.Load(), 1))
	what := "kept"
	if s.nonce {
		what = "live"
	}
	fmt.Printf("round %d: OCSP %s, %d at a time: %.0f/s, CPU of the server %v, of the client %v, RSS %s\n", round, what, len(askers),
		float64(n)/took.Seconds(), ((treeTime(s.process) - server) / n).Round(100*time.Nanosecond), ((cpuTime() - own) / n).Round(100*time.Nanosecond), residentText(s.process))
	return errors.Join(errs...)
}

// ask sends one question and gives the body of the answer, good until the next one.
func (a *asker) ask(n int) ([]byte, error) {
	if _, err := a.conn.Write(a.requests[n%len(a.requests)]); err != nil {
		return nil, err
	}
	size := -1
	for first := true; ; first = false {
		line, err := a.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first && !bytes.Contains(line, []byte(" 200 ")) {
			return nil, fmt.Errorf("the responder answers %q", line)
		}
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if size, err = strconv.Atoi(string(value)); err != nil {
				return nil, err
			}
		}
	}
	if size < 0 || size > len(a.buf) {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	_, err := io.ReadFull(a.r, a.buf[:size])
	return a.buf[:size], err
}

func verifyAnswer(der []byte, issuer *x509.Certificate) error {
	response, err := ocsp.ParseResponse(der)
	if err != nil {
		return err
	}
	if err := response.Verify(issuer, time.Now()); err != nil {
		return err
	}
	if len(response.Singles) != 1 || response.Singles[0].Status != ocsp.Good {
		return errors.New("the answer does not say good")
	}
	return nil
}
