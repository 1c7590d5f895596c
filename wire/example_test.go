package wire_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/tlswright/tlswright/wire"
)

// What a server, a proxy that looks at the name, or a tool over a packet capture does with a client's first bytes.
func ExampleParseMessage() {
	stream := firstBytes() // as they came from a connection

	record, need, err := wire.Deframe(stream, 1<<14)
	if err != nil {
		log.Fatal(err) // a *wire.RecordError: this is no TLS
	}
	if record == nil {
		log.Fatalf("read %d bytes more, and ask again", need)
	}
	message, err := wire.ParseMessage(record[wire.RecordHeaderLen:]) // a hello over several records: see wire.Joiner
	if err != nil {
		log.Fatal(err) // a *wire.ParseError names the field
	}
	hello, ok := message.(*wire.ClientHello)
	if !ok {
		log.Fatalf("%s is no ClientHello", message.Type())
	}
	var names wire.ServerNames
	if _, err := hello.Ext(&names); err != nil {
		log.Fatal(err)
	}
	name, _ := names.HostName()
	fmt.Println(name, hello.CipherSuites)
	for _, e := range hello.Extensions {
		fmt.Println("-", e.Type)
	}
	// Output:
	// www.example.org [TLS_AES_128_GCM_SHA256]
	// - server_name
	// - supported_versions
}

// Every field has a name and a place: the leaves that are reported tile the message.
func ExampleWalkMessage() {
	message := wire.AppendMessage(nil, &wire.KeyUpdate{Request: wire.UpdateRequested})
	err := wire.WalkMessage(message, func(path string, offset, length int, kind wire.Kind) {
		fmt.Printf("%d+%d %s = %x\n", offset, length, path, message[offset:offset+length])
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0+1 KeyUpdate.msg_type = 18
	// 1+3 KeyUpdate.length = 000001
	// 4+1 KeyUpdate.request_update = 01
}

// An error names the field as the RFC does, and the byte.
func ExampleParseError() {
	stream := firstBytes()
	message := stream[wire.RecordHeaderLen:]
	message[38] = 33 // the length of legacy_session_id, which has at most 32 bytes

	_, err := wire.ParseMessage(message)
	var malformed *wire.ParseError
	if errors.As(err, &malformed) {
		fmt.Println(malformed.Path)
		fmt.Println(malformed.Offset, malformed.Reason)
	}
	// Output:
	// ClientHello.legacy_session_id
	// 39 length 33 is above the maximum of 32
}

// firstBytes is a small ClientHello in a record.
func firstBytes() []byte {
	hello := &wire.ClientHello{
		LegacyVersion:      wire.VersionTLS12,
		CipherSuites:       []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256},
		CompressionMethods: []byte{0},
	}
	hello.Extensions.Add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte("www.example.org")}}})
	hello.Extensions.Add(&wire.SupportedVersions{Versions: []wire.Version{wire.VersionTLS13}})
	message := wire.AppendMessage(nil, hello)
	record := wire.AppendRecordHeader(nil, wire.RecordHeader{Type: wire.ContentHandshake, Version: wire.VersionTLS10, Length: len(message)})
	return append(record, message...)
}
