package trace

import (
	"strconv"
	"strings"
)

// How a secret came about.
const (
	howExtract = "HKDF-Extract"
	howExpand  = "HKDF-Expand-Label"
	howDerive  = "Derive-Secret"
	howPRF     = "PRF"
	howECDH    = "ECDH"
	howPart    = "part"
	howGiven   = "given"
)

// Names of secrets, those of RFC 8446, Section 7 and RFC 5246, Section 8.
const (
	nameZeros       = "zeros"
	namePSK         = "psk"
	nameShared      = "shared_secret"
	namePremaster   = "pre_master_secret"
	nameMaster      = "master_secret"
	nameKeyBlock    = "key_block"
	nameClientEarly = "client_early_traffic_secret"
	nameClientHS    = "client_handshake_traffic_secret"
	nameServerHS    = "server_handshake_traffic_secret"
	nameClientApp   = "client_application_traffic_secret_"
	nameServerApp   = "server_application_traffic_secret_"
)

// logNames maps the labels of a key log to names of secrets (RFC 9850, Section 2).
func logNames() [][2]string {
	return [][2]string{
		{"CLIENT_RANDOM", nameMaster},
		{"CLIENT_EARLY_TRAFFIC_SECRET", nameClientEarly},
		{"EARLY_EXPORTER_SECRET", "early_exporter_master_secret"},
		{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", nameClientHS},
		{"SERVER_HANDSHAKE_TRAFFIC_SECRET", nameServerHS},
		{"CLIENT_TRAFFIC_SECRET_0", nameClientApp + "0"},
		{"SERVER_TRAFFIC_SECRET_0", nameServerApp + "0"},
		{"EXPORTER_SECRET", "exporter_master_secret"},
	}
}

func nameOfLog(label string) string {
	for _, p := range logNames() {
		if p[0] == label {
			return p[1]
		}
	}
	return ""
}

func logOfName(name string) string {
	for _, p := range logNames() {
		if p[1] == name {
			return p[0]
		}
	}
	return ""
}

// howOf says by which function a step with that label works. TLS 1.2 and 1.3 have no label in common.
func howOf(label string) string {
	switch label {
	case "":
		return howExtract
	case "key", "iv", "finished", "traffic upd", "resumption", "exporter":
		return howExpand
	case "master secret", "extended master secret", "key expansion", "client finished", "server finished":
		return howPRF
	}
	return howDerive
}

// sideOf and epochOf say whose keys those of a name are, and for when.
func sideOf(name string) Side {
	switch {
	case strings.HasPrefix(name, "client_"):
		return Client
	case strings.HasPrefix(name, "server_"):
		return Server
	}
	return ""
}

func epochOf(name string) string {
	switch {
	case strings.HasPrefix(name, nameClientEarly), strings.HasPrefix(name, "early_exporter"), strings.HasPrefix(name, "binder_"):
		return epochEarly
	case strings.HasPrefix(name, nameClientHS), strings.HasPrefix(name, nameServerHS):
		return epochHandshake
	}
	for _, prefix := range []string{nameClientApp, nameServerApp} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			n, _, _ := strings.Cut(rest, " ")
			if n == "0" {
				return epochApplication
			}
			return epochApplication + "+" + n
		}
	}
	if strings.HasPrefix(name, "client_write") || strings.HasPrefix(name, "server_write") {
		return epochApplication
	}
	return ""
}

// sectionOf says where a step is specified.
func sectionOf(d *Derivation) string {
	switch {
	case d.How == howPRF && d.Label == "extended master secret":
		return "RFC 7627, Section 4"
	case d.How == howPRF && strings.HasSuffix(d.Label, " finished"):
		return "RFC 5246, Section 7.4.9"
	case d.How == howPRF && d.Label == "key expansion", d.How == howPart:
		return "RFC 5246, Section 6.3"
	case d.How == howPRF, d.Name == namePremaster:
		return "RFC 5246, Section 8.1"
	case d.Label == "key", d.Label == "iv":
		return "RFC 8446, Section 7.3"
	case d.Label == "traffic upd":
		return "RFC 8446, Section 7.2"
	case d.Label == "finished":
		return "RFC 8446, Section 4.4.4"
	case d.Label == "resumption":
		return "RFC 8446, Section 4.6.1"
	case d.Label == "exporter":
		return "RFC 8446, Section 7.5"
	case d.How == howECDH:
		return "RFC 8446, Section 7.4"
	}
	return "RFC 8446, Section 7.1"
}

// nextGeneration names the epoch and the secret after a KeyUpdate; "" for what has none.
func nextGeneration(name string) (nextEpoch, nextName string) {
	for _, prefix := range []string{nameClientApp, nameServerApp} {
		if number, ok := strings.CutPrefix(name, prefix); ok {
			n, err := strconv.Atoi(number)
			if err != nil {
				return "", ""
			}
			next := strconv.Itoa(n + 1)
			return epochApplication + "+" + next, prefix + next
		}
	}
	return "", ""
}
