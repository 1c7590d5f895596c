package cli

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// timestampJSON is a signed certificate timestamp in --json: a log's promise to show the certificate.
type timestampJSON struct {
	Version   int    `json:"version"` // 1
	LogID     string `json:"log_id"`  // base64, as in the lists of logs
	Timestamp string `json:"timestamp"`
}

// readTimestamps reads the timestamps inside a certificate.
//
//	opaque SerializedSCT<1..2^16-1>;
//	struct { SerializedSCT sct_list <1..2^16-1>; } SignedCertificateTimestampList;
//
// RFC 6962, Section 3.3.
func readTimestamps(x *extensionView, value []byte) error {
	in := cryptobyte.String(value)
	var inner, list cryptobyte.String
	scts := []timestampJSON{}
	x.value = scts
	if !in.ReadASN1(&inner, cbasn1.OCTET_STRING) || !in.Empty() || !inner.ReadUint16LengthPrefixed(&list) || !inner.Empty() {
		return errors.New("malformed")
	}
	for !list.Empty() {
		var sct cryptobyte.String
		var version uint8
		var logID []byte
		var ms uint64
		if !list.ReadUint16LengthPrefixed(&sct) || !sct.ReadUint8(&version) || !sct.ReadBytes(&logID, 32) || !sct.ReadUint64(&ms) {
			return errors.New("malformed")
		}
		if ms >= 1<<47 { // beyond the year 6000
			return errors.New("malformed")
		}
		at := time.UnixMilli(int64(ms)).UTC()
		s := timestampJSON{int(version) + 1, base64.StdEncoding.EncodeToString(logID), at.Format("2006-01-02T15:04:05.000Z07:00")}
		scts = append(scts, s)
		x.lines = append(x.lines, fmt.Sprintf("log %s, %s", s.LogID, at.Format(time.DateTime)))
		x.value = scts
	}
	return nil
}
