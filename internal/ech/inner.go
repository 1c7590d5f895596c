package ech

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// Encode gives the EncodedClientHelloInner of an inner ClientHello: without what the outer one has too, and padded so that
// its length tells neither the server's name nor much else (RFC 9849, Sections 5.1 and 6.1.3). maxName is the
// maximum_name_length of the configuration.
func Encode(inner *wire.ClientHello, outer wire.Extensions, maxName int) []byte {
	e := wire.EncodedClientHelloInner{Hello: *inner}
	e.Hello.SessionID = nil
	if from, to := shared(inner.Extensions, outer); from < to {
		ref := wire.ECHOuterExtensions{}
		for _, x := range inner.Extensions[from:to] {
			ref.Types = append(ref.Types, x.Type)
		}
		es := slices.Clone(inner.Extensions[:from])
		es.Add(&ref)
		e.Hello.Extensions = append(es, inner.Extensions[to:]...)
	}
	return pad(e.Append(nil), inner, maxName)
}

// maxShared is how many extensions one ech_outer_extensions can stand for.
const maxShared = 127

// shared finds the longest run of extensions of the inner ClientHello that the outer one has with the same content and in
// the same order.
func shared(inner, outer wire.Extensions) (from, to int) {
	for start := range inner {
		next := 0
		end := start
		for ; end < len(inner) && end-start < maxShared; end++ {
			at := slices.IndexFunc(outer[next:], func(o wire.Extension) bool { return o.Type == inner[end].Type })
			if private(inner[end].Type) || at < 0 || !bytes.Equal(outer[next+at].Data, inner[end].Data) {
				break
			}
			next += at + 1
		}
		if end-start > to-from {
			from, to = start, end
		}
	}
	return from, to
}

// private names the extensions that are never left to the outer ClientHello: that both have the same name would show in the
// length.
func private(t wire.ExtensionType) bool {
	switch t {
	case wire.ExtServerName, wire.ExtPreSharedKey, wire.ExtEncryptedClientHello, wire.ExtECHOuterExtensions:
		return true
	}
	return false
}

// pad adds the zeros of RFC 9849, Section 6.1.3.
func pad(encoded []byte, inner *wire.ClientHello, maxName int) []byte {
	var names wire.ServerNames
	n := maxName + 9 // as long as an extension with such a name
	if present, err := inner.Ext(&names); present && err == nil {
		name, _ := names.HostName()
		n = max(0, maxName-len(name))
	}
	n += 31 - (len(encoded)+n-1)%32
	return append(encoded, make([]byte, n)...)
}

// Errors of an inner ClientHello that cannot stand. Both call for illegal_parameter; other errors of Decode are those of
// its form.
var (
	ErrPadding = errors.New("its padding is not all zeros")
	ErrOuter   = errors.New("ech_outer_extensions")
)

// Decode gives the inner ClientHello, as a message, that an EncodedClientHelloInner stands for beside an outer ClientHello.
// Its time is linear, and what comes out no longer than what both put in (RFC 9849, Sections 5.1 and 10.12.4, Appendix A).
func Decode(encoded []byte, outer *wire.ClientHello) ([]byte, error) {
	var e wire.EncodedClientHelloInner
	if err := e.Parse(encoded); err != nil {
		return nil, err
	}
	if !e.Padded() {
		return nil, ErrPadding
	}
	if len(e.Hello.SessionID) > 0 {
		return nil, errors.New("its legacy_session_id is not empty")
	}
	e.Hello.SessionID = outer.SessionID
	at := slices.IndexFunc(e.Hello.Extensions, func(x wire.Extension) bool { return x.Type == wire.ExtECHOuterExtensions })
	if at < 0 {
		return wire.TryAppendMessage(nil, &e.Hello)
	}
	var ref wire.ECHOuterExtensions
	if _, err := e.Hello.Ext(&ref); err != nil {
		return nil, err
	}
	es := slices.Clone(e.Hello.Extensions[:at])
	rest := outer.Extensions
	for _, t := range ref.Types {
		if t == wire.ExtEncryptedClientHello || t == wire.ExtECHOuterExtensions {
			return nil, fmt.Errorf("%w names %v", ErrOuter, t)
		}
		// What stands before the last one that was named is looked at no more: so the order is checked, and no extension is
		// taken twice.
		i := slices.IndexFunc(rest, func(x wire.Extension) bool { return x.Type == t })
		if i < 0 {
			return nil, fmt.Errorf("%w names %v, which is missing, out of order, or named twice", ErrOuter, t)
		}
		es = append(es, rest[i])
		rest = rest[i+1:]
	}
	for _, x := range e.Hello.Extensions[at+1:] {
		if x.Type == wire.ExtECHOuterExtensions {
			return nil, fmt.Errorf("%w appears twice", ErrOuter)
		}
		es = append(es, x)
	}
	e.Hello.Extensions = es
	return wire.TryAppendMessage(nil, &e.Hello)
}
