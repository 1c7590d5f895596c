package suite

import "filippo.io/mldsa"

// kindOfMLDSA returns the kind of an ML-DSA key, 0 for a value that is none.
func kindOfMLDSA(k *mldsa.PublicKey) KeyKind {
	if k == nil {
		return 0
	}
	switch k.Parameters() {
	case mldsa.MLDSA44():
		return KeyMLDSA44
	case mldsa.MLDSA65():
		return KeyMLDSA65
	case mldsa.MLDSA87():
		return KeyMLDSA87
	}
	return 0
}
