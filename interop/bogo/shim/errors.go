package main

import (
	"errors"
	"strings"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// The alerts that BoringSSL's two callbacks send when -verify-fail makes them refuse.
const (
	alertOfVerify       = wire.AlertHandshakeFailure
	alertOfCustomVerify = wire.AlertCertificateUnknown
)

// canonical holds BoringSSL's words for our failures, which the runner looks for on standard error. Where BoringSSL tells
// apart what is one failure to us, the ErrorMap of config.json joins them.
var canonical = map[tlscore.Code]string{
	tlscore.CodeInternal:              "INTERNAL_ERROR",
	tlscore.CodeNotTLS:                "HTTP_REQUEST",
	tlscore.CodeRecordVersion:         "WRONG_VERSION_NUMBER",
	tlscore.CodeRecordTooLong:         "ENCRYPTED_LENGTH_TOO_LONG",
	tlscore.CodeUnexpectedRecord:      "UNEXPECTED_RECORD",
	tlscore.CodeBadChangeCipherSpec:   "BAD_CHANGE_CIPHER_SPEC",
	tlscore.CodeBadRecordMAC:          "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
	tlscore.CodeEmptyFragment:         "BAD_PACKET",
	tlscore.CodeBadAlert:              "BAD_ALERT",
	tlscore.CodeTooManyUselessRecords: "TOO_MANY_EMPTY_FRAGMENTS",
	tlscore.CodeTooManyWarnings:       "TOO_MANY_WARNING_ALERTS",
	tlscore.CodeTooManyKeyUpdates:     "TOO_MANY_KEY_UPDATES",
	tlscore.CodeMalformed:             "DECODE_ERROR",
	tlscore.CodeMessageTooLong:        "EXCESSIVE_MESSAGE_SIZE",
	tlscore.CodeUnexpectedMessage:     "UNEXPECTED_MESSAGE",
	tlscore.CodeExcessHandshakeData:   "EXCESS_HANDSHAKE_DATA",
	tlscore.CodeInterleaved:           "UNEXPECTED_RECORD",
	tlscore.CodeUnsupportedVersion:    "UNSUPPORTED_PROTOCOL",
	tlscore.CodeNoSharedSuite:         "NO_SHARED_CIPHER",
	tlscore.CodeNoSharedGroup:         "NO_SHARED_GROUP",
	tlscore.CodeNoSharedScheme:        "NO_COMMON_SIGNATURE_ALGORITHMS",
	tlscore.CodeNoSharedProtocol:      "NO_APPLICATION_PROTOCOL",
	tlscore.CodeMissingExtension:      "MISSING_EXTENSION",
	tlscore.CodeUnsupportedExtension:  "UNEXPECTED_EXTENSION",
	tlscore.CodeMisplacedExtension:    "UNEXPECTED_EXTENSION",
	tlscore.CodeDuplicateExtension:    "DUPLICATE_EXTENSION",
	tlscore.CodeBadCompression:        "INVALID_COMPRESSION_LIST",
	tlscore.CodeBadSessionID:          "SERVER_ECHOED_INVALID_SESSION_ID",
	tlscore.CodeBadSuite:              "WRONG_CIPHER_RETURNED",
	tlscore.CodeBadVersionSelected:    "UNSUPPORTED_PROTOCOL",
	tlscore.CodeBadGroup:              "WRONG_CURVE",
	tlscore.CodeBadKeyShare:           "BAD_ECPOINT",
	tlscore.CodeBadProtocolSelected:   "INVALID_ALPN_PROTOCOL",
	tlscore.CodeBadRetry:              "EMPTY_HELLO_RETRY_REQUEST",
	tlscore.CodePSKNotLast:            "PRE_SHARED_KEY_MUST_BE_LAST",
	tlscore.CodeBadKeyUpdate:          "DECODE_ERROR",
	tlscore.CodeNoCertificate:         "PEER_DID_NOT_RETURN_A_CERTIFICATE",
	tlscore.CodeCertificateRequired:   "PEER_DID_NOT_RETURN_A_CERTIFICATE",
	tlscore.CodeBadCertificate:        "CANNOT_PARSE_LEAF_CERT",
	tlscore.CodeUnsupportedKey:        "UNKNOWN_CERTIFICATE_TYPE",
	tlscore.CodeKeyUsage:              "KEY_USAGE_BIT_INCORRECT",
	tlscore.CodeCertificateRejected:   "CERTIFICATE_VERIFY_FAILED",
	tlscore.CodeBadSchemeUsed:         "WRONG_SIGNATURE_TYPE",
	tlscore.CodeBadSignature:          "BAD_SIGNATURE",
	tlscore.CodeBadFinished:           "DIGEST_CHECK_FAILED",
}

// describe puts an error into the form that the runner reads: BoringSSL's name between colons, then our own words.
func describe(err error) string {
	var e *tlscore.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	name, ok := canonical[e.Code]
	if e.Code == tlscore.CodePeerAlert {
		alert, _ := e.Alert()
		name, ok = alertName(alert), true
	}
	if !ok {
		return err.Error()
	}
	return ":" + name + ": " + err.Error()
}

// alertName is BoringSSL's word for an alert received. Those that SSL 3.0 had keep its prefix.
func alertName(a wire.AlertCode) string {
	prefix := "TLSV1_ALERT_"
	switch a {
	case wire.AlertUnexpectedMessage, wire.AlertBadRecordMAC, wire.AlertDecompressionFailure, wire.AlertHandshakeFailure,
		wire.AlertBadCertificate, wire.AlertUnsupportedCertificate, wire.AlertCertificateRevoked,
		wire.AlertCertificateExpired, wire.AlertCertificateUnknown, wire.AlertIllegalParameter:
		prefix = "SSLV3_ALERT_"
	}
	return prefix + strings.ToUpper(a.String())
}
