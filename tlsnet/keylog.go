package tlsnet

import (
	"io"
	"sync"

	"github.com/tlswright/tlswright/tlscore"
)

// keyLog writes the key log lines of many connections to one writer. A writer that fails is asked again: a key log
// must not end a connection.
type keyLog struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// Derived writes the line of d, if it has one.
func (k *keyLog) Derived(d tlscore.Derivation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	line, ok := tlscore.AppendKeyLog(k.buf[:0], d)
	k.buf = line
	if ok {
		k.w.Write(line)
	}
	clear(line) // secrets do not stay in the buffer
}

// secretsTee hands each derivation to two receivers.
type secretsTee struct{ a, b tlscore.Secrets }

func (t secretsTee) Derived(d tlscore.Derivation) {
	t.a.Derived(d)
	t.b.Derived(d)
}

// options returns what the machine of one connection gets.
func (s *settings) options(serverName string) tlscore.Options {
	o := tlscore.Options{ServerName: serverName}
	if s.observer != nil {
		o.Observer = s.observer()
	}
	if s.secrets != nil {
		o.Secrets = s.secrets()
	}
	switch {
	case s.keyLog == nil:
	case o.Secrets == nil:
		o.Secrets = s.keyLog
	default:
		o.Secrets = secretsTee{o.Secrets, s.keyLog}
	}
	return o
}
