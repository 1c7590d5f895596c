package tlscore

import "encoding/hex"

// AppendKeyLog appends the line of the NSS key log format (RFC 9850) for a derivation, newline included, and
// says whether the derivation has one: most steps of the key schedule have not.
func AppendKeyLog(b []byte, d Derivation) ([]byte, bool) {
	label := keyLogLabel(d.Label)
	if label == "" {
		return b, false
	}
	b = append(b, label...)
	b = append(b, ' ')
	b = hex.AppendEncode(b, d.ClientRandom[:])
	b = append(b, ' ')
	b = hex.AppendEncode(b, d.Output)
	return append(b, '\n'), true
}

// keyLogLabel maps the labels of RFC 8446, Section 7.1 to those of the key log.
func keyLogLabel(label string) string {
	switch label {
	case "c e traffic":
		return "CLIENT_EARLY_TRAFFIC_SECRET"
	case "e exp master":
		return "EARLY_EXPORTER_SECRET"
	case "c hs traffic":
		return "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
	case "s hs traffic":
		return "SERVER_HANDSHAKE_TRAFFIC_SECRET"
	case "c ap traffic":
		return "CLIENT_TRAFFIC_SECRET_0"
	case "s ap traffic":
		return "SERVER_TRAFFIC_SECRET_0"
	case "exp master":
		return "EXPORTER_SECRET"
	}
	return ""
}
