package wire

// AlertLevel is the first byte of an alert (RFC 8446, Section 6). In TLS 1.3 it carries no meaning: the code decides.
type AlertLevel uint8

// The two levels.
const (
	AlertLevelWarning AlertLevel = 1
	AlertLevelFatal   AlertLevel = 2
)

// String gives "warning", "fatal" or "0x03".
func (l AlertLevel) String() string {
	switch l {
	case AlertLevelWarning:
		return "warning"
	case AlertLevelFatal:
		return "fatal"
	}
	return name8(uint8(l), "", false)
}

// AlertCode is the description of an alert, its second byte (RFC 8446, Section 6).
type AlertCode uint8

// The registered alerts, those of older versions included.
const (
	AlertCloseNotify                  AlertCode = 0
	AlertUnexpectedMessage            AlertCode = 10
	AlertBadRecordMAC                 AlertCode = 20
	AlertDecryptionFailed             AlertCode = 21
	AlertRecordOverflow               AlertCode = 22
	AlertDecompressionFailure         AlertCode = 30
	AlertHandshakeFailure             AlertCode = 40
	AlertNoCertificate                AlertCode = 41
	AlertBadCertificate               AlertCode = 42
	AlertUnsupportedCertificate       AlertCode = 43
	AlertCertificateRevoked           AlertCode = 44
	AlertCertificateExpired           AlertCode = 45
	AlertCertificateUnknown           AlertCode = 46
	AlertIllegalParameter             AlertCode = 47
	AlertUnknownCA                    AlertCode = 48
	AlertAccessDenied                 AlertCode = 49
	AlertDecodeError                  AlertCode = 50
	AlertDecryptError                 AlertCode = 51
	AlertTooManyCIDsRequested         AlertCode = 52
	AlertExportRestriction            AlertCode = 60
	AlertProtocolVersion              AlertCode = 70
	AlertInsufficientSecurity         AlertCode = 71
	AlertInternalError                AlertCode = 80
	AlertInappropriateFallback        AlertCode = 86
	AlertUserCanceled                 AlertCode = 90
	AlertNoRenegotiation              AlertCode = 100
	AlertMissingExtension             AlertCode = 109
	AlertUnsupportedExtension         AlertCode = 110
	AlertCertificateUnobtainable      AlertCode = 111
	AlertUnrecognizedName             AlertCode = 112
	AlertBadCertificateStatusResponse AlertCode = 113
	AlertBadCertificateHashValue      AlertCode = 114
	AlertUnknownPSKIdentity           AlertCode = 115
	AlertCertificateRequired          AlertCode = 116
	AlertGeneralError                 AlertCode = 117
	AlertNoApplicationProtocol        AlertCode = 120
	AlertECHRequired                  AlertCode = 121
)

// String gives the registered name, "bad_record_mac", or "0x7b".
func (c AlertCode) String() string {
	name, ok := alertName(uint8(c))
	return name8(uint8(c), name, ok)
}

// Alert is the content of one alert record (RFC 8446, Section 6).
//
//	struct {
//	    AlertLevel level;
//	    AlertDescription description;
//	} Alert;
type Alert struct {
	Level AlertLevel
	Code  AlertCode
}

// ParseAlert reads an alert of exactly two bytes. RFC 8446, Section 5.1: an alert MUST NOT be fragmented and a record
// of alert type MUST hold exactly one. The error is a *ParseError.
func ParseAlert(b []byte) (Alert, error) {
	var c cursor
	c.begin(b, "Alert", nil)
	a := decodeAlert(&c)
	return a, c.finish()
}

func decodeAlert(c *cursor) Alert {
	return Alert{
		Level: AlertLevel(c.uint8("level", KindAlertLevel)),
		Code:  AlertCode(c.uint8("description", KindAlertCode)),
	}
}

// Append appends the two bytes of the alert.
func (a Alert) Append(b []byte) []byte {
	return append(b, byte(a.Level), byte(a.Code))
}
