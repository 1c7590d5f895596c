package keys

import (
	"bytes"
	"crypto"
	"strconv"
)

// What follows takes up secrets where another process, or another part of this one, has left off. Each copies the secret,
// which is one hash long; a trace is as for NewEarlyTraced.

// RestoreTraffic takes up a secret that protects application data. client says whose data, generation how many key updates
// have been.
func RestoreTraffic(h crypto.Hash, value []byte, client bool, generation int, trace func(Derivation)) Traffic {
	base := "server_application_traffic_secret_"
	if client {
		base = "client_application_traffic_secret_"
	}
	t := Traffic{s: restore(h, base, value, trace), base: base, n: generation}
	if trace != nil {
		t.s.name = base + strconv.Itoa(generation)
	}
	return t
}

// RestoreExporter takes up exporter_master_secret.
func RestoreExporter(h crypto.Hash, value []byte, trace func(Derivation)) Exporter {
	return Exporter{restore(h, "exporter_master_secret", value, trace)}
}

// RestoreResumption takes up resumption_master_secret.
func RestoreResumption(h crypto.Hash, value []byte, trace func(Derivation)) Resumption {
	return Resumption{restore(h, "resumption_master_secret", value, trace)}
}

func restore(h crypto.Hash, name string, value []byte, trace func(Derivation)) secret {
	return secret{hash: h, name: name, value: bytes.Clone(value), trace: trace}
}

// Generation returns how many key updates led to this secret.
func (t Traffic) Generation() int { return t.n }

// Secret returns the secret itself, one hash long. It is not a copy: Wipe overwrites it.
func (r Resumption) Secret() []byte { return r.s.value }
