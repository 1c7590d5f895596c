package interop

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// payloadSize is what every case moves in each direction: a little over 1 MB, so that the last record is a short one.
const payloadSize = 1<<20 + 4321

// payload is the bytes of one direction, the same in every run.
type payload []byte

var (
	upPayload   = sync.OnceValue(func() payload { return randomPayload(1) }) // client to server
	downPayload = sync.OnceValue(func() payload { return randomPayload(2) }) // server to client
	textPayload = sync.OnceValue(makeText)                                   // both ways, for line-minded echo servers
)

func randomPayload(seed byte) payload {
	p := make(payload, payloadSize)
	rand.NewChaCha8([32]byte{seed}).Read(p)
	return p
}

// makeText has no zero bytes, lines of 1000 characters, and ends with a line feed: gnutls-serv echoes C strings, up to
// the last line feed it has.
func makeText() payload {
	text := base64.StdEncoding.EncodeToString(randomPayload(3))[:payloadSize]
	p := payload(text)
	for i := 999; i < len(p); i += 1000 {
		p[i] = '\n'
	}
	p[len(p)-1] = '\n'
	return p
}

// shortPayload is what a case moves in each direction where there are very many; whole lines of text.
const shortPayload = 66_000

func (p payload) cut(short bool) payload {
	if short {
		return p[:shortPayload]
	}
	return p
}

// same compares what arrived with what was sent, by digest.
func (p payload) same(direction string, got []byte) error {
	if want, have := sha256.Sum256(p), sha256.Sum256(got); want != have {
		at := 0
		for at < len(got) && at < len(p) && got[at] == p[at] {
			at++
		}
		return fmt.Errorf("%s: %d bytes with SHA-256 %x… arrived, %d bytes with %x… were sent; they differ from byte %d on",
			direction, len(got), have[:4], len(p), want[:4], at)
	}
	return nil
}

// pump writes out and reads as much as want has, both at once, and compares the digest.
func pump(c io.ReadWriter, out, want payload, direction string) error {
	return pumpAfter(c, out, want, direction, len(out))
}

// patiently is pump for a peer that answers KeyUpdate with what it sends next, and only then: half of what it sends waits
// until all that we send is there.
func patiently(c io.ReadWriter, out, want payload, direction string) error {
	return pumpAfter(c, out, want, direction, len(out)/2)
}

// pumpAfter writes the first bytes of out at once, and the rest when want has arrived.
func pumpAfter(c io.ReadWriter, out, want payload, direction string, first int) error {
	written, arrived := make(chan error, 1), make(chan struct{})
	go func() {
		_, err := c.Write(out[:first])
		if err == nil && first < len(out) {
			<-arrived
			_, err = c.Write(out[first:])
		}
		written <- err
	}()
	got := make([]byte, len(want))
	n, readErr := io.ReadFull(c, got)
	close(arrived)
	if readErr != nil {
		// A write that waits for a peer that is gone would wait for long.
		if d, ok := c.(interface{ SetDeadline(time.Time) error }); ok {
			d.SetDeadline(time.Now())
		}
	}
	writeErr := <-written
	if readErr != nil {
		return fmt.Errorf("%s: reading after %d bytes: %w (writing: %v)", direction, n, readErr, writeErr)
	}
	if writeErr != nil {
		return fmt.Errorf("writing: %w", writeErr)
	}
	return want.same(direction, got)
}

// digest is SHA-256 with a comparable value.
type digest struct{ hash.Hash }

func newDigest() digest { return digest{sha256.New()} }

func (d digest) value() [32]byte { return [32]byte(d.Sum(nil)) }
