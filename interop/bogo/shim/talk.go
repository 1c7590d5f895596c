package main

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// talk does what comes between handshake and closing.
func (p *player) talk() error {
	s := &p.script
	if s.exportLength > 0 {
		if err := p.sendExport(); err != nil {
			return err
		}
	}
	if s.exportTraffic {
		if err := p.sendTrafficSecrets(); err != nil {
			return err
		}
	}
	if s.sendAlert {
		return p.send(func(out []byte) ([]byte, error) { return p.machine.Abort(wire.AlertDecompressionFailure, out) })
	}
	if s.unfinishedWrite {
		p.holding, p.allowed = true, 1
	}
	if s.writesFirst || s.unfinishedWrite {
		for range s.firstWrites {
			if err := p.say([]byte(s.firstWrite)); err != nil {
				return err
			}
		}
	}
	if s.shutsDown {
		return nil
	}
	return p.echo()
}

// say sends data: as early data while a client may do no better. What the server does not take early comes later.
func (p *player) say(data []byte) error {
	if !p.early || p.server {
		return p.seal(data)
	}
	if p.waiting != nil {
		p.waiting = append(p.waiting, data...)
		return nil
	}
	n, out, err := p.machine.SealEarly(data, nil)
	if errors.Is(err, tlscore.ErrEarlyDataOver) {
		p.waiting, err = append([]byte{}, data[n:]...), nil
	}
	return errors.Join(err, p.write(out))
}

// sendExport sends exported keying material. No context is another thing than an empty one in TLS 1.2, and the same in
// TLS 1.3 (RFC 8446, Section 7.5).
func (p *player) sendExport() error {
	if p.early && !p.server {
		return errNotComplete
	}
	var context []byte
	if p.script.exportWithContext {
		context = append([]byte{}, p.script.exportContext...)
	}
	material, err := p.machine.Export(p.script.exportLabel, context, p.script.exportLength)
	if err != nil {
		return err
	}
	return p.say(material)
}

// sendTrafficSecrets sends the length of the secrets, then ours to read with and ours to write with.
func (p *player) sendTrafficSecrets() error {
	read, write := p.witness.serverTraffic, p.witness.clientTraffic
	if p.server {
		read, write = write, read
	}
	out := binary.LittleEndian.AppendUint16(nil, uint16(len(read)))
	return p.say(append(append(out, read...), write...))
}

// echo sends back everything that comes, each byte inverted, until the peer closes in whichever way.
func (p *player) echo() error {
	update := func(out []byte) ([]byte, error) { return p.machine.KeyUpdate(false, out) }
	for {
		if p.script.keyUpdateBeforeRead {
			if err := p.send(update); err != nil {
				return err
			}
		}
		event, err := p.listen()
		if err != nil || p.closed {
			return err
		}
		if event.Data == nil {
			return nil
		}
		if p.script.exportBetweenReads {
			if _, err := p.machine.Export("", nil, 1); err != nil {
				return err
			}
		}
		for i := range event.Data {
			event.Data[i] ^= 0xff
		}
		if err := p.release(); err != nil {
			return err
		}
		if p.script.keyUpdate {
			if err := p.send(update); err != nil {
				return err
			}
		}
		if err := p.say(event.Data); err != nil {
			return err
		}
	}
}

// listen returns the next data, or none at the end. What else happens meanwhile is attended to.
func (p *player) listen() (tlscore.Event, error) {
	for {
		event, err := p.next()
		if err == io.EOF && p.early {
			return event, errVanished
		}
		if err == io.EOF {
			return tlscore.Event{}, nil
		}
		if err != nil {
			return event, err
		}
		switch event.Kind {
		case tlscore.Data, tlscore.EarlyDataReceived:
			return event, nil
		case tlscore.PeerClosed:
			p.closed = true
			return event, nil
		case tlscore.TicketReceived:
			p.keepSession(event.Session)
		case tlscore.HandshakeDone:
			p.keepSession(event.Session)
			if err := p.completed(); err != nil {
				return event, err
			}
		}
	}
}
