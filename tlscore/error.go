package tlscore

import (
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// Code names one way a connection can fail. The table below says everything else about it.
type Code uint8

// The failures, in the order of the table.
const (
	CodeInternal Code = iota
	// records
	CodeNotTLS
	CodeRecordVersion
	CodeRecordTooLong
	CodeUnexpectedRecord
	CodeBadChangeCipherSpec
	CodeBadRecordMAC
	CodeEmptyFragment
	CodeBadAlert
	CodeTooManyUselessRecords
	CodeTooManyWarnings
	CodeTooManyKeyUpdates
	CodeTooManyTickets
	CodeTooManyRequests
	CodeKeysExhausted
	// messages
	CodeMalformed
	CodeMessageTooLong
	CodeUnexpectedMessage
	CodeExcessHandshakeData
	CodeInterleaved
	// negotiation
	CodeUnsupportedVersion
	CodeNoSharedSuite
	CodeNoSharedGroup
	CodeNoSharedScheme
	CodeNoSharedProtocol
	CodeMissingExtension
	CodeUnsupportedExtension
	CodeMisplacedExtension
	CodeDuplicateExtension
	CodeBadCompression
	CodeBadSessionID
	CodeBadSuite
	CodeBadVersionSelected
	CodeBadLegacyVersion
	CodeBadGroup
	CodeBadKeyShare
	CodeBadProtocolSelected
	CodeBadRetry
	CodeHelloChanged
	CodeBadCookie
	CodePSKNotLast
	CodeBadKeyUpdate
	CodeDowngraded
	CodeInappropriateFallback
	CodeBadRecordLimit
	CodeBadRenegotiationInfo
	CodeNoSecureRenegotiation
	CodeRenegotiation
	CodeBadPointFormats
	CodeBadResumption
	CodeWrongKeyForSuite
	CodeBadPSKOffer
	CodeBadPSKSelected
	CodeBadBinder
	CodeNoSharedPSK
	CodeTooMuchEarlyData
	CodeNoIdentity
	CodeNoECHConfig
	CodeBadECH
	CodeBadInnerHello
	CodeBadOuterExtensions
	CodeECHDecrypt
	CodeECHInconsistent
	CodeECHRejected
	// authentication
	CodeNoCertificate
	CodeCertificateRequired
	CodeBadCertificate
	CodeBadCompressionList
	CodeBadCompressionAlgorithm
	CodeBadCompressedCertificate
	CodeBadRawKey
	CodeNoSharedCertificateType
	CodeBadCertificateTypes
	CodeUnsupportedKey
	CodeKeyUsage
	CodeCertificateRejected
	CodeBadSchemeUsed
	CodeBadSignature
	CodeBadFinished
	CodeBadRequestContext
	CodeLateOverHTTP2
	CodeSigningFailed
	CodeStapleFailed
	CodeUnaskedDelegated
	CodeBadDelegated
	CodeTooLongToSend
	// the peer's word
	CodePeerAlert
	CodePeerClosedEarly
	// ours
	CodeAborted
	codeCount
)

// Blame says who made a connection fail.
type Blame uint8

// Who can be to blame. BlameBoth: each side is sound, but they have nothing in common.
const (
	BlameLocal Blame = iota
	BlamePeer
	BlameBoth
)

// String returns "local", "peer" or "no agreement".
func (b Blame) String() string {
	return [...]string{"local", "peer", "no agreement"}[b]
}

// silent marks a row whose failure sends no alert, on purpose.
const silent = wire.AlertCloseNotify

type codeRow struct {
	code  Code
	name  string
	text  string
	alert wire.AlertCode
	blame Blame
	rfc   string
}

// codeTable is the one place where failures, texts, alerts and sections meet. States return codes, never alerts.
var codeTable = [codeCount]codeRow{
	{CodeInternal, "internal", "internal error", wire.AlertInternalError, BlameLocal, "RFC 8446, Section 6.2"},

	{CodeNotTLS, "not_tls", "what arrived is not TLS", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 5.1"},
	{CodeRecordVersion, "record_version", "record carries a version that is not TLS", wire.AlertProtocolVersion, BlamePeer, "RFC 8446, Section 5.1"},
	{CodeRecordTooLong, "record_too_long", "record is longer than allowed", wire.AlertRecordOverflow, BlamePeer, "RFC 8446, Section 5.2"},
	{CodeUnexpectedRecord, "unexpected_record", "record of a type that may not come now", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 5"},
	{CodeBadChangeCipherSpec, "bad_change_cipher_spec", "change_cipher_spec is not the single byte 1", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 5"},
	{CodeBadRecordMAC, "bad_record_mac", "record does not decrypt", wire.AlertBadRecordMAC, BlamePeer, "RFC 8446, Section 5.2"},
	{CodeEmptyFragment, "empty_fragment", "record without content where content is required", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 5.4"},
	{CodeBadAlert, "bad_alert", "alert is not two bytes", wire.AlertDecodeError, BlamePeer, "RFC 8446, Section 6"},
	{CodeTooManyUselessRecords, "too_many_useless_records", "too many records in a row that carry nothing", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 5.1"},
	{CodeTooManyWarnings, "too_many_warnings", "too many warning alerts", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 6.1"},
	{CodeTooManyKeyUpdates, "too_many_key_updates", "too many key updates without data", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 4.6.3"},
	{CodeTooManyTickets, "too_many_tickets", "too many session tickets without data", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 4.6.1"},
	{CodeTooManyRequests, "too_many_requests", "too many certificate requests after the handshake", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 4.6.2"},
	{CodeKeysExhausted, "keys_exhausted", "the peer protected more records with one key than the cipher allows", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 5.5"},

	{CodeMalformed, "malformed", "message cannot be decoded", wire.AlertDecodeError, BlamePeer, "RFC 8446, Section 6.2"},
	{CodeMessageTooLong, "message_too_long", "handshake message is longer than we take", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4"},
	{CodeUnexpectedMessage, "unexpected_message", "handshake message that may not come now", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 4"},
	{CodeExcessHandshakeData, "excess_handshake_data", "handshake data runs across a change of keys", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 5.1"},
	{CodeInterleaved, "interleaved", "another record inside a fragmented handshake message", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 5.1"},

	{CodeUnsupportedVersion, "unsupported_version", "no protocol version in common", wire.AlertProtocolVersion, BlameBoth, "RFC 8446, Section 4.2.1"},
	{CodeNoSharedSuite, "no_shared_suite", "no cipher suite in common", wire.AlertHandshakeFailure, BlameBoth, "RFC 8446, Section 4.1.1"},
	{CodeNoSharedGroup, "no_shared_group", "no key exchange group in common", wire.AlertHandshakeFailure, BlameBoth, "RFC 8446, Section 4.1.1"},
	{CodeNoSharedScheme, "no_shared_scheme", "no certificate that the peer's signature algorithms allow", wire.AlertHandshakeFailure, BlameBoth, "RFC 8446, Section 4.4.2.2"},
	{CodeNoSharedProtocol, "no_shared_protocol", "no application protocol in common", wire.AlertNoApplicationProtocol, BlameBoth, "RFC 7301, Section 3.2"},
	{CodeMissingExtension, "missing_extension", "mandatory extension is missing", wire.AlertMissingExtension, BlamePeer, "RFC 8446, Section 9.2"},
	{CodeUnsupportedExtension, "unsupported_extension", "extension that was not asked for", wire.AlertUnsupportedExtension, BlamePeer, "RFC 8446, Section 4.2"},
	{CodeMisplacedExtension, "misplaced_extension", "extension that does not belong in this message", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.2"},
	{CodeDuplicateExtension, "duplicate_extension", "extension appears twice", wire.AlertDecodeError, BlamePeer, "RFC 8446, Section 4.2"},
	{CodeBadCompression, "bad_compression", "compression method other than null", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.1.2"},
	{CodeBadSessionID, "bad_session_id", "legacy_session_id_echo differs from what was sent", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.1.3"},
	{CodeBadSuite, "bad_suite", "cipher suite that was not offered", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.1.3"},
	{CodeBadVersionSelected, "bad_version_selected", "selected version that was not offered", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.2.1"},
	{CodeBadLegacyVersion, "bad_legacy_version", "legacy_version is not that of TLS 1.2", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.1.3"},
	{CodeBadGroup, "bad_group", "key exchange group that was not offered", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.2.8"},
	{CodeBadKeyShare, "bad_key_share", "key share is not valid for its group", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.2.8"},
	{CodeBadProtocolSelected, "bad_protocol_selected", "application protocol that was not offered", wire.AlertIllegalParameter, BlamePeer, "RFC 7301, Section 3.1"},
	{CodeBadRetry, "bad_retry", "HelloRetryRequest that would change nothing, or cannot be answered", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.1.4"},
	{CodeHelloChanged, "hello_changed", "second ClientHello differs where it must not", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.1.2"},
	{CodeBadCookie, "bad_cookie", "cookie is missing or not ours", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.2.2"},
	{CodePSKNotLast, "psk_not_last", "pre_shared_key is not the last extension", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.2.11"},
	{CodeBadKeyUpdate, "bad_key_update", "request_update is neither 0 nor 1", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.6.3"},
	{CodeDowngraded, "downgraded", "the server says that somebody made us speak an older version", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.1.3"},
	{CodeInappropriateFallback, "inappropriate_fallback", "the client fell back to an older version without need", wire.AlertInappropriateFallback, BlamePeer, "RFC 7507, Section 3"},
	{CodeBadRecordLimit, "bad_record_limit", "limit on the size of records that may not be", wire.AlertIllegalParameter, BlamePeer, "RFC 8449, Section 4"},
	{CodeBadRenegotiationInfo, "bad_renegotiation_info", "renegotiation_info is not empty in an initial handshake", wire.AlertHandshakeFailure, BlamePeer, "RFC 5746, Section 3.4"},
	{CodeNoSecureRenegotiation, "no_secure_renegotiation", "the peer lacks renegotiation_info, which we insist on", wire.AlertHandshakeFailure, BlamePeer, "RFC 5746, Section 4.1"},
	{CodeRenegotiation, "renegotiation", "the peer wants to renegotiate, which we never do", wire.AlertNoRenegotiation, BlamePeer, "RFC 5246, Section 7.2.2"},
	{CodeBadPointFormats, "bad_point_formats", "ec_point_formats lacks uncompressed", wire.AlertIllegalParameter, BlamePeer, "RFC 8422, Section 5.1.2"},
	{CodeBadResumption, "bad_resumption", "resumption that does not keep to its session", wire.AlertHandshakeFailure, BlamePeer, "RFC 7627, Section 5.3"},
	{CodeWrongKeyForSuite, "wrong_key_for_suite", "certificate whose key does not go with the cipher suite", wire.AlertIllegalParameter, BlamePeer, "RFC 5246, Section 7.4.2"},
	{CodeBadPSKOffer, "bad_psk_offer", "pre_shared_key has another number of binders than identities", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.2.11"},
	{CodeBadPSKSelected, "bad_psk_selected", "pre-shared key that was not offered", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.2.11"},
	{CodeBadBinder, "bad_binder", "PSK binder does not match", wire.AlertDecryptError, BlamePeer, "RFC 8446, Section 4.2.11"},
	{CodeNoSharedPSK, "no_shared_psk", "no pre-shared key in common, and no certificate in its place", wire.AlertHandshakeFailure, BlameBoth, "RFC 8446, Section 4.2.11"},
	{CodeTooMuchEarlyData, "too_much_early_data", "more early data than allowed", wire.AlertUnexpectedMessage, BlamePeer, "RFC 8446, Section 4.2.10"},
	{CodeNoIdentity, "no_identity", "no certificate for the requested name", wire.AlertUnrecognizedName, BlameLocal, "RFC 6066, Section 3"},
	{CodeNoECHConfig, "no_ech_config", "no configuration for Encrypted ClientHello that we can use", silent, BlameLocal, "RFC 9849, Section 6.1"},
	{CodeBadECH, "bad_ech", "encrypted_client_hello that may not stand there", wire.AlertIllegalParameter, BlamePeer, "RFC 9849, Section 7"},
	{CodeBadInnerHello, "bad_inner_hello", "inner ClientHello that cannot be one", wire.AlertIllegalParameter, BlamePeer, "RFC 9849, Section 7.1"},
	{CodeBadOuterExtensions, "bad_outer_extensions", "inner ClientHello that cannot be put together", wire.AlertIllegalParameter, BlamePeer, "RFC 9849, Section 5.1"},
	{CodeECHDecrypt, "ech_decrypt", "second ClientHello does not decrypt", wire.AlertDecryptError, BlamePeer, "RFC 9849, Section 7.1.1"},
	{CodeECHInconsistent, "ech_inconsistent", "the server read the first ClientHello, but not the second", wire.AlertIllegalParameter, BlamePeer, "RFC 9849, Section 6.1.5"},
	{CodeECHRejected, "ech_rejected", "the server cannot read our encrypted ClientHello", wire.AlertECHRequired, BlameBoth, "RFC 9849, Section 6.1.6"},

	{CodeNoCertificate, "no_certificate", "server sent no certificate", wire.AlertDecodeError, BlamePeer, "RFC 8446, Section 4.4.2.4"},
	{CodeCertificateRequired, "certificate_required", "client sent no certificate, but one is required", wire.AlertCertificateRequired, BlamePeer, "RFC 8446, Section 4.4.2.4"},
	{CodeBadCertificate, "bad_certificate", "certificate cannot be read", wire.AlertBadCertificate, BlamePeer, "RFC 8446, Section 4.4.2"},
	{CodeBadCompressionList, "bad_compression_list", "compress_certificate names an algorithm twice", wire.AlertIllegalParameter, BlamePeer, "RFC 8879, Section 3"},
	{CodeBadCompressionAlgorithm, "bad_compression_algorithm", "certificate compressed with an algorithm that was not offered", wire.AlertIllegalParameter, BlamePeer, "RFC 8879, Section 4"},
	{CodeBadCompressedCertificate, "bad_compressed_certificate", "compressed certificate that cannot be decompressed, or not to what it declares", wire.AlertBadCertificate, BlamePeer, "RFC 8879, Section 4"},
	{CodeBadRawKey, "bad_raw_key", "raw public key cannot be read", wire.AlertDecodeError, BlamePeer, "RFC 7250, Section 3"},
	{CodeNoSharedCertificateType, "no_shared_certificate_type", "no type of certificate in common", wire.AlertUnsupportedCertificate, BlameBoth, "RFC 7250, Section 4.2"},
	{CodeBadCertificateTypes, "bad_certificate_types", "list of certificate types that says nothing: X.509 alone goes without", wire.AlertIllegalParameter, BlamePeer, "RFC 7250, Section 4.1"},
	{CodeUnsupportedKey, "unsupported_key", "certificate with a key of a kind or size that we do not take", wire.AlertUnsupportedCertificate, BlamePeer, "RFC 8446, Section 4.4.2"},
	{CodeKeyUsage, "key_usage", "certificate whose key may not sign", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.4.2.2"},
	{CodeCertificateRejected, "certificate_rejected", "certificate is not acceptable", wire.AlertBadCertificate, BlamePeer, "RFC 8446, Section 4.4.2.4"},
	{CodeBadSchemeUsed, "bad_scheme_used", "signature scheme that was not offered or does not fit the key", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.4.3"},
	{CodeBadSignature, "bad_signature", "signature of CertificateVerify does not match", wire.AlertDecryptError, BlamePeer, "RFC 8446, Section 4.4.3"},
	{CodeBadFinished, "bad_finished", "MAC of Finished does not match", wire.AlertDecryptError, BlamePeer, "RFC 8446, Section 4.4.4"},
	{CodeBadRequestContext, "bad_request_context", "certificate_request_context differs from what was sent", wire.AlertIllegalParameter, BlamePeer, "RFC 8446, Section 4.4.2"},
	{CodeLateOverHTTP2, "late_over_http2", "certificate request after the handshake over HTTP/2", wire.AlertUnexpectedMessage, BlamePeer, "RFC 9113, Section 9.2.3"},
	{CodeSigningFailed, "signing_failed", "our key could not sign", wire.AlertInternalError, BlameLocal, "RFC 8446, Section 4.4.3"},
	{CodeStapleFailed, "staple_failed", "the OCSP responses for our certificates could not be had", wire.AlertInternalError, BlameLocal, "RFC 8446, Section 4.4.2.1"},
	{CodeUnaskedDelegated, "unasked_delegated_credential", "a delegated credential that was not asked for", wire.AlertUnexpectedMessage, BlamePeer, "RFC 9345, Section 4.1.1"},
	{CodeBadDelegated, "bad_delegated_credential", "the delegated credential is not valid", wire.AlertIllegalParameter, BlamePeer, "RFC 9345, Section 4.1.3"},
	{CodeTooLongToSend, "too_long_to_send", "our message does not fit its length field", wire.AlertInternalError, BlameLocal, "RFC 8446, Section 4"},

	{CodePeerAlert, "peer_alert", "the peer ended the connection with an alert", silent, BlamePeer, "RFC 8446, Section 6.2"},
	{CodePeerClosedEarly, "peer_closed_early", "the peer closed the connection during the handshake", silent, BlamePeer, "RFC 8446, Section 6.1"},

	{CodeAborted, "aborted", "we ended the connection", wire.AlertUserCanceled, BlameLocal, "RFC 8446, Section 6.1"},
}

// String returns the code's name, such as "bad_finished".
func (c Code) String() string {
	if c < codeCount {
		return codeTable[c].name
	}
	return "unknown"
}

// Error is the failure of a connection. It is final: the machine that returned it returns it again.
type Error struct {
	Code   Code
	Detail string // what exactly, for a person: "ClientHello.extensions[3] key_share: truncated"; may be empty
	Err    error  // the cause, if another package named one

	alert    wire.AlertCode
	received bool
}

// fail makes the error of a code with an optional detail.
func fail(c Code, format string, args ...any) *Error {
	e := &Error{Code: c}
	if format != "" {
		e.Detail = fmt.Sprintf(format, args...)
	}
	return e
}

// because makes the error of a code with a cause.
func because(c Code, err error) *Error { return &Error{Code: c, Err: err} }

// Error returns who failed, how, the detail, and the section of the RFC.
func (e *Error) Error() string {
	row := &codeTable[e.Code]
	s := "tls: " + row.blame.String() + ": " + row.text
	if e.Code == CodePeerAlert {
		s = "tls: peer sent alert " + e.alert.String()
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s + " (" + row.rfc + ")"
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of an error that a [Machine] returned; ok is false for every other error.
func CodeOf(err error) (code Code, ok bool) {
	var e *Error
	if errors.As(err, &e) {
		return e.Code, true
	}
	return CodeInternal, false
}

// Alert returns the alert that this failure sends to the peer; for CodePeerAlert the one that the peer sent to us.
// ok is false when there is none.
func (e *Error) Alert() (code wire.AlertCode, ok bool) {
	if e.alert != silent {
		return e.alert, true
	}
	a := codeTable[e.Code].alert
	return a, a != silent
}

// Blame says who made the connection fail.
func (e *Error) Blame() Blame { return codeTable[e.Code].blame }

// RFC returns the section that was broken or applied, such as "RFC 8446, Section 4.4.4".
func (e *Error) RFC() string { return codeTable[e.Code].rfc }

// Received reports whether the peer said so by an alert (true), or we found it out ourselves.
func (e *Error) Received() bool { return e.received }

// MisuseError is a mistake of the program that drives the machine, not of the peer. It changes nothing in the machine.
type MisuseError struct{ What string }

// Error returns what was misused.
func (e *MisuseError) Error() string { return "tlscore: misuse: " + e.What }

func misuse(what string) error { return &MisuseError{What: what} }

// ErrWriteClosed is returned by Seal and its kin after CloseWrite, or after an alert was sent.
var ErrWriteClosed = errors.New("tlscore: the write half is closed")
