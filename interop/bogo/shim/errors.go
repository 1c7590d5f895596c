package main

import (
	"errors"
	"strings"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// canonical holds BoringSSL's word for each of our failures; the runner looks for it on standard error. Some are two
// words to BoringSSL, depending on what led there.
var canonical = map[tlscore.Code]string{
	tlscore.CodeInternal:                 "INTERNAL_ERROR",
	tlscore.CodeNotTLS:                   "WRONG_VERSION_NUMBER",
	tlscore.CodeRecordVersion:            "WRONG_VERSION_NUMBER",
	tlscore.CodeRecordTooLong:            "ENCRYPTED_LENGTH_TOO_LONG",
	tlscore.CodeUnexpectedRecord:         "UNEXPECTED_RECORD",
	tlscore.CodeBadChangeCipherSpec:      "BAD_CHANGE_CIPHER_SPEC",
	tlscore.CodeBadRecordMAC:             "DECRYPTION_FAILED_OR_BAD_RECORD_MAC: :BAD_DECRYPT",
	tlscore.CodeEmptyFragment:            "BAD_PACKET",
	tlscore.CodeBadAlert:                 "BAD_ALERT",
	tlscore.CodeTooManyUselessRecords:    "TOO_MANY_EMPTY_FRAGMENTS",
	tlscore.CodeTooManyWarnings:          "TOO_MANY_WARNING_ALERTS",
	tlscore.CodeTooManyKeyUpdates:        "TOO_MANY_KEY_UPDATES",
	tlscore.CodeMalformed:                "DECODE_ERROR",
	tlscore.CodeMessageTooLong:           "EXCESSIVE_MESSAGE_SIZE",
	tlscore.CodeUnaskedDelegated:         "UNEXPECTED_EXTENSION",
	tlscore.CodeUnexpectedMessage:        "UNEXPECTED_MESSAGE",
	tlscore.CodeExcessHandshakeData:      "EXCESS_HANDSHAKE_DATA",
	tlscore.CodeInterleaved:              "UNEXPECTED_RECORD",
	tlscore.CodeUnsupportedVersion:       "UNSUPPORTED_PROTOCOL",
	tlscore.CodeNoSharedSuite:            "NO_SHARED_CIPHER",
	tlscore.CodeNoSharedGroup:            "NO_SHARED_GROUP",
	tlscore.CodeNoSharedScheme:           "NO_COMMON_SIGNATURE_ALGORITHMS: :NO_SHARED_CIPHER", // TLS 1.2, where the suite goes by what can be signed with
	tlscore.CodeNoSharedProtocol:         "NO_APPLICATION_PROTOCOL",
	tlscore.CodeMissingExtension:         "MISSING_EXTENSION",
	tlscore.CodeUnsupportedExtension:     "UNEXPECTED_EXTENSION",
	tlscore.CodeMisplacedExtension:       "UNEXPECTED_EXTENSION",
	tlscore.CodeDuplicateExtension:       "DUPLICATE_EXTENSION",
	tlscore.CodeBadCompression:           "DECODE_ERROR: :UNSUPPORTED_COMPRESSION_ALGORITHM",
	tlscore.CodeBadSessionID:             "SERVER_ECHOED_INVALID_SESSION_ID",
	tlscore.CodeBadSuite:                 "WRONG_CIPHER_RETURNED",
	tlscore.CodeBadVersionSelected:       "UNSUPPORTED_PROTOCOL: :SECOND_SERVERHELLO_VERSION_MISMATCH",
	tlscore.CodeBadLegacyVersion:         "UNSUPPORTED_PROTOCOL: :DECODE_ERROR",
	tlscore.CodeBadGroup:                 "WRONG_CURVE",
	tlscore.CodeBadKeyShare:              "BAD_ECPOINT",
	tlscore.CodeBadProtocolSelected:      "INVALID_ALPN_PROTOCOL",
	tlscore.CodeHelloChanged:             "INCONSISTENT_CLIENT_HELLO",
	tlscore.CodeBadRetry:                 "EMPTY_HELLO_RETRY_REQUEST",
	tlscore.CodePSKNotLast:               "PRE_SHARED_KEY_MUST_BE_LAST",
	tlscore.CodeBadKeyUpdate:             "DECODE_ERROR",
	tlscore.CodeNoCertificate:            "PEER_DID_NOT_RETURN_A_CERTIFICATE: :DECODE_ERROR", // TLS 1.2
	tlscore.CodeCertificateRequired:      "PEER_DID_NOT_RETURN_A_CERTIFICATE",
	tlscore.CodeBadCertificate:           "CANNOT_PARSE_LEAF_CERT",
	tlscore.CodeBadCompressionList:       "ERROR_PARSING_EXTENSION",
	tlscore.CodeBadCompressionAlgorithm:  "UNKNOWN_CERT_COMPRESSION_ALG",
	tlscore.CodeBadCompressedCertificate: "CERT_DECOMPRESSION_FAILED",
	tlscore.CodeBadRawKey:                "DECODE_ERROR: :INVALID_RAW_PUBLIC_KEY",
	tlscore.CodeNoSharedCertificateType:  "UNSUPPORTED_CERTIFICATE",
	tlscore.CodeBadCertificateTypes:      "DECODE_ERROR",
	tlscore.CodeUnsupportedKey:           "UNKNOWN_CERTIFICATE_TYPE",
	tlscore.CodeKeyUsage:                 "KEY_USAGE_BIT_INCORRECT",
	tlscore.CodeCertificateRejected:      "CERTIFICATE_VERIFY_FAILED",
	tlscore.CodeBadSchemeUsed:            "WRONG_SIGNATURE_TYPE",
	tlscore.CodeBadSignature:             "BAD_SIGNATURE",
	tlscore.CodeBadFinished:              "DIGEST_CHECK_FAILED",
	tlscore.CodeBadRequestContext:        "DECODE_ERROR",
	tlscore.CodeDowngraded:               "TLS13_DOWNGRADE",
	tlscore.CodeInappropriateFallback:    "INAPPROPRIATE_FALLBACK",
	tlscore.CodeBadRenegotiationInfo:     "RENEGOTIATION_MISMATCH",
	tlscore.CodeNoSecureRenegotiation:    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
	tlscore.CodeRenegotiation:            "NO_RENEGOTIATION",
	tlscore.CodeBadPointFormats:          "ERROR_PARSING_EXTENSION",
	tlscore.CodeBadResumption:            "OLD_SESSION_CIPHER_NOT_RETURNED",
	tlscore.CodeWrongKeyForSuite:         "WRONG_CERTIFICATE_TYPE",
	tlscore.CodeBadPSKOffer:              "PSK_IDENTITY_BINDER_COUNT_MISMATCH",
	tlscore.CodeBadPSKSelected:           "PSK_IDENTITY_NOT_FOUND",
	tlscore.CodeBadBinder:                "DIGEST_CHECK_FAILED",
	tlscore.CodeNoSharedPSK:              "PSK_IDENTITY_NOT_FOUND",
	tlscore.CodeTooMuchEarlyData:         "TOO_MUCH_READ_EARLY_DATA",
	tlscore.CodeNoECHConfig:              "UNUSABLE_ECH_CONFIG_LIST",
	tlscore.CodeBadECH:                   "DECODE_ERROR",
	tlscore.CodeBadInnerHello:            "INVALID_CLIENT_HELLO_INNER",
	tlscore.CodeBadOuterExtensions:       "INVALID_OUTER_EXTENSION",
	tlscore.CodeECHDecrypt:               "DECRYPTION_FAILED",
	tlscore.CodeECHInconsistent:          "INCONSISTENT_ECH_NEGOTIATION",
	tlscore.CodeECHRejected:              "ECH_REJECTED",
}

// finer holds BoringSSL's words where it tells apart what is one failure to us, but not one detail. The first row whose
// text is part of our error counts.
var finer = []struct {
	code       tlscore.Code
	text, name string
}{
	{tlscore.CodeNotTLS, "HTTP", "HTTP_REQUEST: :HTTPS_PROXY_REQUEST"},
	{tlscore.CodeRecordTooLong, "record: too long", "DATA_LENGTH_TOO_LONG"},
	{tlscore.CodeUnexpectedRecord, "no content type", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"},
	{tlscore.CodeUnexpectedRecord, "without protection", "INVALID_OUTER_RECORD_TYPE"},
	{tlscore.CodeUnexpectedRecord, "in plaintext", "UNEXPECTED_RECORD: :APPLICATION_DATA_INSTEAD_OF_HANDSHAKE"}, // before 2023
	{tlscore.CodeMalformed, "] application_layer_protocol_negotiation", "PARSE_TLSEXT"},
	{tlscore.CodeMalformed, "] encrypted_client_hello", "ERROR_PARSING_EXTENSION"},
	{tlscore.CodeBadInnerHello, "padding", "DECODE_ERROR"},
	{tlscore.CodeMalformed, "] server_name", "ERROR_PARSING_EXTENSION"},
	{tlscore.CodeMalformed, "] certificate_authorities", "ERROR_PARSING_EXTENSION"},
	{tlscore.CodeNoSharedCertificateType, "we have none", "UNKNOWN_CERTIFICATE_TYPE"},
	{tlscore.CodeBadCompressedCertificate, "are declared", "UNCOMPRESSED_CERT_TOO_LARGE"},
	{tlscore.CodeMalformed, "cert_data", "DECODE_ERROR: :INVALID_RAW_PUBLIC_KEY"},
	{tlscore.CodeMalformed, "ClientHello.extensions[", "DECODE_ERROR"},
	{tlscore.CodeMalformed, "ClientHello", "CLIENTHELLO_PARSE_FAILED: :DECODE_ERROR"}, // before 2025,
	{tlscore.CodeMalformed, "] signed_certificate_timestamp", "ERROR_PARSING_EXTENSION"},
	{tlscore.CodeInterleaved, "application_data", "UNEXPECTED_RECORD: :EXCESS_HANDSHAKE_DATA"},
	{tlscore.CodeUnexpectedMessage, "finished while awaiting 1.2: WAIT_CCS", "UNEXPECTED_RECORD"}, // to BoringSSL it awaits the record, not the message
	{tlscore.CodeMalformed, "] status_request", "ERROR_PARSING_EXTENSION: :DECODE_ERROR"},         // TLS 1.2, TLS 1.3
	{tlscore.CodeMisplacedExtension, "early_data", "UNEXPECTED_EXTENSION: :CIPHER_MISMATCH_ON_EARLY_DATA"},
	{tlscore.CodeMisplacedExtension, "in EncryptedExtensions", "UNEXPECTED_EXTENSION: :ERROR_PARSING_EXTENSION"},
	{tlscore.CodeBadVersionSelected, "early data", "WRONG_VERSION_ON_EARLY_DATA"},
	{tlscore.CodeBadVersionSelected, "TLS 1.2", "UNSUPPORTED_PROTOCOL: :SECOND_SERVERHELLO_VERSION_MISMATCH: :UNEXPECTED_EXTENSION"},
	{tlscore.CodeBadSessionID, "of TLS 1.2", "SERVER_ECHOED_INVALID_SESSION_ID: :OLD_SESSION_VERSION_NOT_RETURNED"},
	{tlscore.CodeBadResumption, "without extended_master_secret", "RESUMED_EMS_SESSION_WITHOUT_EMS_EXTENSION"},
	{tlscore.CodeBadResumption, "extended_master_secret false", "RESUMED_EMS_SESSION_WITHOUT_EMS_EXTENSION"},
	{tlscore.CodeBadResumption, "extended_master_secret true", "RESUMED_NON_EMS_SESSION_WITH_EMS_EXTENSION"},
	{tlscore.CodeBadPSKSelected, "identity 0 of 0", "UNEXPECTED_EXTENSION"}, // what the outer hello offers is GREASE
	{tlscore.CodeBadPSKSelected, "another hash", "OLD_SESSION_PRF_HASH_MISMATCH"},
	{tlscore.CodeTooMuchEarlyData, "skipped", "TOO_MUCH_SKIPPED_EARLY_DATA"},
	{tlscore.CodeBadProtocolSelected, "early data", "ALPN_MISMATCH_ON_EARLY_DATA"},
	{tlscore.CodeNoSharedGroup, "certificate", "WRONG_CURVE"},
	{tlscore.CodeMissingExtension, "key_share", "MISSING_KEY_SHARE"},
	{tlscore.CodeMissingExtension, "supported_groups", "NO_SHARED_GROUP"},
	{tlscore.CodeMissingExtension, "signature_algorithms", "NO_COMMON_SIGNATURE_ALGORITHMS"},
	{tlscore.CodeUnsupportedExtension, "ec_point_formats", "ERROR_PARSING_EXTENSION"},
	{tlscore.CodeUnsupportedExtension, "pre_shared_key", "UNEXPECTED_EXTENSION: :OLD_SESSION_VERSION_NOT_RETURNED"}, // before 2023
	{tlscore.CodeBadCompression, "legacy_compression_methods", "INVALID_COMPRESSION_LIST"},
	{tlscore.CodeHelloChanged, "pre_shared_key", "PSK_IDENTITY_NOT_FOUND"},
	{tlscore.CodeNoSharedPSK, "modes", "NO_SUPPORTED_PSK_MODE"},
	{tlscore.CodeBadKeyShare, "two shares", "DUPLICATE_KEY_SHARE"},
}

// describe puts an error into the form that the runner reads: BoringSSL's word between colons, then our own.
func describe(err error) string {
	var e *tlscore.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if name := word(e); name != "" {
		return ":" + name + ": " + err.Error()
	}
	return err.Error()
}

func word(e *tlscore.Error) string {
	if e.Code == tlscore.CodePeerAlert {
		alert, _ := e.Alert()
		return alertName(alert)
	}
	text := e.Error()
	for _, row := range finer {
		if row.code == e.Code && strings.Contains(text, row.text) {
			return row.name
		}
	}
	return canonical[e.Code]
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
