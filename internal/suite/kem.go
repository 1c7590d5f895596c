package suite

import "crypto/mlkem"

// kem is a parameter set of ML-KEM (FIPS 203) reduced to what a key exchange needs.
type kem struct {
	publicLen, ciphertextLen, sharedLen int
	generate                            func() (decapsulator, error)
	// encapsulate fails for a key that FIPS 203, Section 7.2 tells us to refuse.
	encapsulate func(public []byte) (shared, ciphertext []byte, err error)
}

// decapsulator is the private half.
type decapsulator interface {
	public() []byte
	// decapsulate fails for a wrong length only: a forged ciphertext gives an unrelated secret (implicit rejection).
	decapsulate(ciphertext []byte) (shared []byte, err error)
}

var (
	mlkem768 = kem{
		publicLen: mlkem.EncapsulationKeySize768, ciphertextLen: mlkem.CiphertextSize768, sharedLen: mlkem.SharedKeySize,
		generate: generate768, encapsulate: encapsulate768,
	}
	mlkem1024 = kem{
		publicLen: mlkem.EncapsulationKeySize1024, ciphertextLen: mlkem.CiphertextSize1024, sharedLen: mlkem.SharedKeySize,
		generate: generate1024, encapsulate: encapsulate1024,
	}
)

type private768 struct{ k *mlkem.DecapsulationKey768 }

func generate768() (decapsulator, error) {
	k, err := mlkem.GenerateKey768()
	return private768{k}, err
}

func (p private768) public() []byte { return p.k.EncapsulationKey().Bytes() }

func (p private768) decapsulate(ciphertext []byte) ([]byte, error) {
	return p.k.Decapsulate(ciphertext)
}

func encapsulate768(public []byte) (shared, ciphertext []byte, err error) {
	k, err := mlkem.NewEncapsulationKey768(public)
	if err != nil {
		return nil, nil, err
	}
	shared, ciphertext = k.Encapsulate()
	return shared, ciphertext, nil
}

type private1024 struct{ k *mlkem.DecapsulationKey1024 }

func generate1024() (decapsulator, error) {
	k, err := mlkem.GenerateKey1024()
	return private1024{k}, err
}

func (p private1024) public() []byte { return p.k.EncapsulationKey().Bytes() }

func (p private1024) decapsulate(ciphertext []byte) ([]byte, error) {
	return p.k.Decapsulate(ciphertext)
}

func encapsulate1024(public []byte) (shared, ciphertext []byte, err error) {
	k, err := mlkem.NewEncapsulationKey1024(public)
	if err != nil {
		return nil, nil, err
	}
	shared, ciphertext = k.Encapsulate()
	return shared, ciphertext, nil
}
