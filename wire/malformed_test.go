package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// malformedExtension is extension_data with the error it has to give.
type malformedExtension struct {
	in   context
	view ExtensionView
	body string
	want string // behind the name of the extension; "": none
	at   int    // in the body
}

func malformedInClientHello() []malformedExtension {
	return []malformedExtension{
		{inClientHello, &ServerNames{}, "", ".server_name_list: truncated", 0},
		{inClientHello, &ServerNames{}, "0000", ".server_name_list: length 0 is below the minimum of 1", 2},
		{inClientHello, &ServerNames{}, "0003 00 0000", ".server_name_list[0].name: length 0 is below the minimum of 1", 5},
		{inClientHello, &ServerNames{}, "0005 00 0003 6161", ".server_name_list[0].name: truncated", 5},
		{inClientHello, &ServerNames{}, "0005 00 0002 6161 00", ": 1 trailing byte", 7},
		{inClientHello, &ServerNames{}, "0008 00 0001 61 00 0001 62", ".server_name_list[1].name_type: repeated", 7},
		{inClientHello, &MaxFragmentLength{}, "", ".max_fragment_length: truncated", 0},
		{inClientHello, &StatusRequest{}, "", ".status_type: truncated", 0},
		{inClientHello, &StatusRequest{}, "01 0002 0000 0000", ".responder_id_list[0]: length 0 is below the minimum of 1", 5},
		{inClientHello, &StatusRequest{}, "01 0000", ".request_extensions: truncated", 3},
		{inClientHello, &SupportedGroups{}, "0000", ".named_group_list: length 0 is below the minimum of 2", 2},
		{inClientHello, &SupportedGroups{}, "0003 001d 00", ".named_group_list: length 3 is not a multiple of 2", 2},
		{inClientHello, &SupportedGroups{}, "0004 001d", ".named_group_list: truncated", 2},
		{inClientHello, &ECPointFormats{}, "00", ".ec_point_format_list: length 0 is below the minimum of 1", 1},
		{inClientHello, &SignatureAlgorithms{}, "0000", ".supported_signature_algorithms: length 0 is below the minimum of 2", 2},
		{inClientHello, &SignatureAlgorithms{}, "0001 04", ".supported_signature_algorithms: length 1 is below the minimum of 2", 2},
		{inClientHello, &SignatureAlgorithms{}, "0002 0403 0403", ": 2 trailing bytes", 4},
		{inCertificate, &DelegatedCredential{}, "00000001 0403 000000 0403 0001 78", ".cred.ASN1_subjectPublicKeyInfo: length 0 is below the minimum of 1", 9},
		{inCertificate, &DelegatedCredential{}, "00000001 0403 000001 78 0403 0000", ".signature: length 0 is below the minimum of 1", 14},
		{inCertificate, &DelegatedCredential{}, "00000001 0403 000001 78 0403 0001 78 00", ": 1 trailing byte", 15},
		{inClientHello, &DelegatedCredentialSchemes{}, "0000", ".supported_signature_algorithms: length 0 is below the minimum of 2", 2},
		{inClientHello, &ALPN{}, "0000", ".protocol_name_list: length 0 is below the minimum of 2", 2},
		{inClientHello, &ALPN{}, "0004 02 6832 00", ".protocol_name_list[1]: length 0 is below the minimum of 1", 6},
		{inClientHello, &ALPN{}, "0003 03 6832", ".protocol_name_list[0]: truncated", 3},
		{inClientHello, &EmptySCT{}, "0000", ": 2 trailing bytes", 0},
		{inClientHello, &ClientCertificateTypes{}, "00", ".client_certificate_types: length 0 is below the minimum of 1", 1},
		{inClientHello, &ServerCertificateTypes{}, "02 00", ".server_certificate_types: truncated", 1},
		{inClientHello, &Padding{}, "000001", ".padding: is not zero", 0},
		{inClientHello, &EncryptThenMAC{}, "00", ": 1 trailing byte", 0},
		{inClientHello, &ExtendedMasterSecret{}, "00", ": 1 trailing byte", 0},
		{inClientHello, &CompressCertificate{}, "00", ".algorithms: length 0 is below the minimum of 2", 1},
		{inClientHello, &CompressCertificate{}, "03 000100", ".algorithms: length 3 is not a multiple of 2", 1},
		{inClientHello, &RecordSizeLimit{}, "40", ".record_size_limit: truncated", 0},
		{inClientHello, &PreSharedKeys{}, "0000", ".identities: length 0 is below the minimum of 7", 2},
		{inClientHello, &PreSharedKeys{}, "0007 0000 00000000 00", ".identities[0].identity: length 0 is below the minimum of 1", 4},
		{inClientHello, &PreSharedKeys{}, "0007 0002 6161 000000", ".identities[0].obfuscated_ticket_age: truncated", 6},
		{inClientHello, &PreSharedKeys{}, "0007 0001 61 00000000 0000", ".binders: length 0 is below the minimum of 33", 11},
		{inClientHello, &PreSharedKeys{}, "0007 0001 61 00000000 0021 1f" + strings.Repeat("00", 32),
			".binders[0]: length 31 is below the minimum of 32", 12},
		{inClientHello, &SupportedVersions{}, "00", ".versions: length 0 is below the minimum of 2", 1},
		{inClientHello, &SupportedVersions{}, "03 030403", ".versions: length 3 is not a multiple of 2", 1},
		{inClientHello, &SupportedVersions{}, "ff" + strings.Repeat("03", 255), ".versions: length 255 is above the maximum of 254", 1},
		{inClientHello, &PSKKeyExchangeModes{}, "00", ".ke_modes: length 0 is below the minimum of 1", 1},
		{inClientHello, &PostHandshakeAuth{}, "00", ": 1 trailing byte", 0},
		{inClientHello, &KeyShares{}, "0007 001d 0003 7075", ".client_shares: truncated", 2},
		{inClientHello, &KeyShares{}, "0006 001d 0002 7075 00", ": 1 trailing byte", 8},
		{inClientHello, &KeyShares{}, "0006 001d 0002 7075", "", 0},
		{inClientHello, &KeyShares{}, "0006 001d 0004 7075", ".client_shares[0].key_exchange: truncated", 6},
		{inClientHello, &KeyShares{}, "0004 001d 0000", ".client_shares[0].key_exchange: length 0 is below the minimum of 1", 6},
		{inClientHello, &KeyShares{}, "0001 00", ".client_shares[0].group: truncated", 2},
		{inClientHello, &TicketRequest{}, "01", ".resumption_count: truncated", 1},
		{inClientHello, &RenegotiationInfo{}, "", ".renegotiated_connection: truncated", 0},
	}
}

func malformedElsewhere() []malformedExtension {
	return []malformedExtension{
		{inEncryptedExtensions, &ServerNameAck{}, "0000", ": 2 trailing bytes", 0},
		{inCertificateRequest, &EmptyStatusRequest{}, "01", ": 1 trailing byte", 0},
		{inCertificate, &CertificateStatus{}, "02 000001 00", ".status_type: is not ocsp", 1},
		{inCertificate, &CertificateStatus{}, "01 000000", ".response: length 0 is below the minimum of 1", 4},
		{inCertificateRequest, &SignatureAlgorithmsCert{}, "0003 040304", ".supported_signature_algorithms: length 3 is not a multiple of 2", 2},
		{inCertificate, &SCTs{}, "0000", ".sct_list: length 0 is below the minimum of 1", 2},
		{inCertificate, &SCTs{}, "0003 0000 00", ".sct_list[0]: length 0 is below the minimum of 1", 4},
		{inEncryptedExtensions, &SelectedClientCertificateType{}, "0202", ": 1 trailing byte", 1},
		{inEncryptedExtensions, &SelectedServerCertificateType{}, "", ".server_certificate_type: truncated", 0},
		{inServerHello, &PreSharedKeySelected{}, "00", ".selected_identity: truncated", 0},
		{inEncryptedExtensions, &EarlyData{}, "00000000", ": 4 trailing bytes", 0},
		{inNewSessionTicket, &EarlyDataSize{}, "", ".max_early_data_size: truncated", 0},
		{inServerHello, &SelectedVersion{}, "02 0304", ": 1 trailing byte", 2},
		{inHelloRetryRequest, &Cookie{}, "0000", ".cookie: length 0 is below the minimum of 1", 2},
		{inCertificateRequest, &CertificateAuthorities{}, "0000", ".authorities: length 0 is below the minimum of 3", 2},
		{inCertificateRequest, &CertificateAuthorities{}, "0004 0000 0000", ".authorities[0]: length 0 is below the minimum of 1", 4},
		{inCertificateRequest, &OIDFilters{}, "0003 00 0000", ".filters[0].certificate_extension_oid: length 0 is below the minimum of 1", 3},
		{inServerHello, &KeyShareHello{}, "001d", ".server_share.key_exchange: truncated", 2},
		{inHelloRetryRequest, &KeyShareRetry{}, "001d0000", ": 2 trailing bytes", 2},
		{inEncryptedExtensions, &TicketRequestHint{}, "0101", ": 1 trailing byte", 1},
	}
}

// TestMalformedExtensionsAreLocated holds the exact words for each way in which extension_data can be malformed, and
// the offset in the message. The extension is the second of two, behind one of 9 bytes.
func TestMalformedExtensionsAreLocated(t *testing.T) {
	for _, c := range slices.Concat(malformedInClientHello(), malformedElsewhere()) {

		body := unhex(t, c.body)
		raw := messageWith(c.in, c.view.Extension(), body)
		m, err := ParseMessage(raw)
		if err != nil {
			t.Fatal(err)
		}
		present, err := extOf(m, c.view)
		if !present {
			t.Errorf("%s %s: not present", viewName(c.view), c.body)
		}
		if c.want == "" {
			if err != nil {
				t.Errorf("%s %s: %v", viewName(c.view), c.body, err)
			}
			continue
		}
		root := [...]string{"ClientHello", "ServerHello", "HelloRetryRequest", "EncryptedExtensions", "CertificateRequest",
			"Certificate.certificate_list[0]", "NewSessionTicket"}[c.in]
		want := root + ".extensions[1] " + c.view.Extension().String() + c.want
		var e *ParseError
		if !errors.As(err, &e) || e.Error() != want {
			t.Errorf("%s %s:\n%v, want\n%s", viewName(c.view), c.body, err, want)
			continue
		}
		if at := len(raw) - len(body) + c.at; e.Offset != at {
			t.Errorf("%s %s: offset %d, want %d", viewName(c.view), c.body, e.Offset, at)
		}
		// The walk finds the same fault.
		if _, err := walkMessage(t, raw); err == nil || *err.(*ParseError) != *e {
			t.Errorf("%s %s: the walk says %v, want %v", viewName(c.view), c.body, err, e)
		}
	}
}

func extOf(m Message, v ExtensionView) (bool, error) {
	if c, ok := m.(*Certificate); ok {
		return c.EntryExt(0, v)
	}
	return m.(interface {
		Ext(v ExtensionView) (bool, error)
	}).Ext(v)
}

func TestMalformedMessagesAreLocated(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat("00", n) }
	hello := "0303" + zeros(32)
	for _, c := range []struct {
		message messageParser
		raw     string // the header's length is filled in, unless it is not 0
		want    string
		at      int
	}{
		{new(ClientHello), "", "ClientHello.msg_type: truncated", 0},
		{new(ClientHello), "010000", "ClientHello.length: truncated", 1},
		{new(ClientHello), "01000009" + zeros(8), "ClientHello: truncated", 4},
		{new(ClientHello), "01000006" + zeros(8), "ClientHello: 2 trailing bytes", 10},
		{new(ClientHello), "02000000", "ClientHello.msg_type: is server_hello, not client_hello", 0},
		{new(ClientHello), "63000000", "ClientHello.msg_type: is 0x63, not client_hello", 0},
		{new(ClientHello), "01000000 03", "ClientHello.legacy_version: truncated", 4},
		{new(ClientHello), "01000000 0303" + zeros(31), "ClientHello.random: truncated", 6},
		{new(ClientHello), "01000000" + hello + "21" + zeros(33), "ClientHello.legacy_session_id: length 33 is above the maximum of 32", 39},
		{new(ClientHello), "01000000" + hello + "02 00", "ClientHello.legacy_session_id: truncated", 39},
		{new(ClientHello), "01000000" + hello + "00 0000 0100", "ClientHello.cipher_suites: length 0 is below the minimum of 2", 41},
		{new(ClientHello), "01000000" + hello + "00 0003 130113 0100", "ClientHello.cipher_suites: length 3 is not a multiple of 2", 41},
		{new(ClientHello), "01000000" + hello + "00 0004 1301", "ClientHello.cipher_suites: truncated", 41},
		{new(ClientHello), "01000000" + hello + "00 0002 1301 00", "ClientHello.legacy_compression_methods: length 0 is below the minimum of 1", 44},
		{new(ClientHello), "01000000" + hello + "00 0002 1301 0100 00", "ClientHello.extensions: truncated", 45},
		{new(ClientHello), "01000000" + hello + "00 0002 1301 0100 0000 00", "ClientHello: 1 trailing byte", 47},
		{new(ClientHello), "01000000" + hello + "00 0002 1301 0100 0001 00", "ClientHello.extensions[0].extension_type: truncated", 47},
		{new(ClientHello), "01000000" + hello + "00 0002 1301 0100 0003 0033 00", "ClientHello.extensions[0] key_share: truncated", 49},
		{new(ClientHello), "01000000" + hello + "00 0002 1301 0100 0009 0000 0000 0033 0002 00", "ClientHello.extensions[1] key_share: truncated", 55},
		{new(ServerHello), "02000000" + hello + "00 13", "ServerHello.cipher_suite: truncated", 39},
		{new(ServerHello), "02000000" + hello + "00 1301", "ServerHello.legacy_compression_method: truncated", 41},
		{new(ServerHello), "02000000 0303 cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c 21",
			"HelloRetryRequest.legacy_session_id_echo: truncated", 39},
		{new(EncryptedExtensions), "08000000", "EncryptedExtensions.extensions: truncated", 4},
		{new(EncryptedExtensions), "08000000 0005 1234 0002 00", "EncryptedExtensions.extensions[0] 0x1234: truncated", 10},
		{new(EncryptedExtensions), "08000000 0005 0a0a 0002 00", "EncryptedExtensions.extensions[0] GREASE 0x0a0a: truncated", 10},
		{new(CertificateRequest), "0d000000 00 0000", "CertificateRequest.extensions: length 0 is below the minimum of 2", 7},
		{new(CertificateRequest), "0d000000 01", "CertificateRequest.certificate_request_context: truncated", 5},
		{new(Certificate), "0b000000 00 000005 000000 0000", "Certificate.certificate_list[0].cert_data: length 0 is below the minimum of 1", 11},
		{new(Certificate), "0b000000 00 00000b 000001 aa 0000 000002 aabb", "Certificate.certificate_list[1].extensions: truncated", 19},
		{new(Certificate), "0b000000 00 00000a 000001 aa 0004 0012 0001", "Certificate.certificate_list[0].extensions[0] signed_certificate_timestamp: truncated", 18},
		{new(CertificateVerify), "0f000000 0807 0002 00", "CertificateVerify.signature: truncated", 8},
		{new(Finished), "14000002 00", "Finished: truncated", 4},
		{new(NewSessionTicket), "04000000 00000001", "NewSessionTicket.ticket_age_add: truncated", 8},
		{new(NewSessionTicket), "04000000 00000001 00000002 00 0000 0000", "NewSessionTicket.ticket: length 0 is below the minimum of 1", 15},
		{new(EndOfEarlyData), "05000000 00", "EndOfEarlyData: 1 trailing byte", 4},
		{new(KeyUpdate), "18000000", "KeyUpdate.request_update: truncated", 4},
		{new(CompressedCertificate), "19000000 0002 0123", "CompressedCertificate.uncompressed_length: truncated", 6},
		{new(CompressedCertificate), "19000000 0002 012345 000000", "CompressedCertificate.compressed_certificate_message: length 0 is below the minimum of 1", 12},
		{new(UnknownMessage), "63", "Handshake.length: truncated", 1},
	} {
		raw := unhex(t, c.raw)
		if len(raw) > 4 && raw[3] == 0 {
			raw = setLength(raw)
		}
		err := c.message.Parse(raw)
		var e *ParseError
		if !errors.As(err, &e) || e.Error() != c.want || e.Offset != c.at {
			t.Errorf("%s:\n%v at %+v, want\n%s at %d", c.raw, err, e, c.want, c.at)
		}
	}
}

func TestAnEntrysOwnExtCountsFromTheEntry(t *testing.T) {
	e := CertificateEntry{Data: []byte("leaf"), Extensions: Extensions{{ExtStatusRequest, []byte{1, 0}}}}
	var v CertificateStatus
	_, err := e.Ext(&v)
	want := ParseError{"CertificateEntry.extensions[0] status_request.response", 3 + 4 + 2 + 4 + 1, "truncated"}
	var got *ParseError
	if !errors.As(err, &got) || *got != want {
		t.Errorf("error %+v, want %+v", got, want)
	}
}

func TestEntryExtCountsTheEntriesBefore(t *testing.T) {
	m := Certificate{Context: []byte("ctx"), Entries: []CertificateEntry{
		{Data: []byte("leaf"), Extensions: Extensions{{ExtStatusRequest, []byte{1, 0, 0, 1, 9}}}},
		{Data: []byte("ca"), Extensions: Extensions{{ExtSignedCertificateTimestamp, []byte{0, 1}}}},
	}}
	raw := AppendMessage(nil, &m)
	var v SCTs
	_, err := m.EntryExt(1, &v)
	want := ParseError{"Certificate.certificate_list[1].extensions[0] signed_certificate_timestamp.sct_list", len(raw), "truncated"}
	var got *ParseError
	if !errors.As(err, &got) || *got != want {
		t.Errorf("error %+v, want %+v", got, want)
	}
}
