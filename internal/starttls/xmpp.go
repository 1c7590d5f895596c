package starttls

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The names of the elements that lead to TLS (RFC 6120, Sections 4.8 and 5.4).
const (
	nsStream = "http://etherx.jabber.org/streams"
	nsTLS    = "urn:ietf:params:xml:ns:xmpp-tls"
)

func (d *dialogue) xmpp() error       { return d.stream("jabber:client") }
func (d *dialogue) xmppServer() error { return d.stream("jabber:server") }

// stream opens a stream to the server that is asked for, looks for starttls among its features, and asks for it
// (RFC 6120, Section 5.4). Its elements are read byte by byte, so that what comes behind the agreement stays to be seen.
func (d *dialogue) stream(namespace string) error {
	open := fmt.Sprintf("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' to='%s' version='1.0'>", namespace, nsStream, escaped(d.server))
	if err := d.send("stream", []byte(open)); err != nil {
		return err
	}
	dec := xml.NewDecoder(xmlSource{d})
	head, err := d.startElement(dec)
	if err != nil {
		return err
	}
	if head.Name.Space != nsStream || head.Name.Local != "stream" {
		return d.fail(Malformed, head.Name.Local, "the answer is no stream")
	}
	features, err := d.startElement(dec)
	if err != nil {
		return err
	}
	if features.Name.Space != nsStream || features.Name.Local != "features" {
		return d.streamFailure(dec, features, "the stream does not begin with its features")
	}
	isOffered, err := d.offersStartTLS(dec)
	if err != nil {
		return err
	}
	if !isOffered {
		return d.fail(NotOffered, "", doesNotOffer)
	}
	d.buf = bytes.TrimLeft(d.buf, " \t\r\n") // keeps the line alive (RFC 6120, Section 4.6.1)
	if err := d.send("starttls", []byte("<starttls xmlns='"+nsTLS+"'/>")); err != nil {
		return err
	}
	answer, err := d.startElement(dec)
	if err != nil {
		return err
	}
	if answer.Name.Space != nsTLS || answer.Name.Local != "proceed" {
		return d.streamFailure(dec, answer, "the answer must be proceed or failure")
	}
	return d.xmlError(dec.Skip())
}

// offersStartTLS reads the features to their end.
func (d *dialogue) offersStartTLS(dec *xml.Decoder) (bool, error) {
	isOffered := false
	for {
		token, err := dec.Token()
		if err != nil {
			return false, d.xmlError(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			isOffered = isOffered || token.Name.Space == nsTLS && token.Name.Local == "starttls"
			if err := dec.Skip(); err != nil {
				return false, d.xmlError(err)
			}
		case xml.EndElement:
			return isOffered, nil
		}
	}
}

// startElement passes over the XML declaration and over blanks.
func (d *dialogue) startElement(dec *xml.Decoder) (xml.StartElement, error) {
	for {
		token, err := dec.Token()
		if err != nil {
			return xml.StartElement{}, d.xmlError(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			return token, nil
		case xml.CharData:
			if text := bytes.TrimSpace(token); len(text) > 0 {
				return xml.StartElement{}, d.fail(Malformed, string(text[:min(len(text), 80)]), "the server does not speak XMPP")
			}
		case xml.ProcInst:
		default: // a document type, a comment, an end: RFC 6120, Section 11.1 forbids them
			return xml.StartElement{}, d.fail(Malformed, "", "the stream has something that is not allowed there")
		}
	}
}

// streamFailure tells why the server goes no further: <stream:error> and <failure> name a condition.
func (d *dialogue) streamFailure(dec *xml.Decoder, e xml.StartElement, otherwise string) error {
	isError := e.Name.Space == nsStream && e.Name.Local == "error"
	isFailure := e.Name.Space == nsTLS && e.Name.Local == "failure"
	if !isError && !isFailure {
		return d.fail(Malformed, e.Name.Local, otherwise)
	}
	condition := ""
	if isError {
		for condition == "" {
			token, err := dec.Token()
			if start, ok := token.(xml.StartElement); ok {
				condition = start.Name.Local
			} else if _, isEnd := token.(xml.EndElement); isEnd || err != nil {
				break
			}
		}
		return d.fail(Refused, condition, "the server ends the stream")
	}
	return d.fail(Refused, condition, saysNo)
}

// xmlError gives errors of the connection as they are, and calls everything else malformed.
func (d *dialogue) xmlError(err error) error {
	var ours *Error
	var syntax *xml.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &syntax):
		return d.fail(Malformed, "", "the stream is no XML: "+syntax.Msg)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return d.broken(io.ErrUnexpectedEOF, "the server closed the connection")
	}
	return d.fail(Malformed, "", "the stream is no XML: "+err.Error())
}

// escaped makes a name fit for an attribute between apostrophes.
func escaped(name string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(name)); err != nil {
		return ""
	}
	return b.String()
}

// xmlSource hands out the bytes of a dialogue one by one: the decoder takes no more than it needs.
type xmlSource struct{ d *dialogue }

// ReadByte makes it an [io.ByteReader], which is what keeps the decoder from reading ahead.
func (s xmlSource) ReadByte() (byte, error) {
	b, err := s.d.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// Read serves who asks for more.
func (s xmlSource) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := s.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}
