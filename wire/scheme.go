package wire

// SignatureScheme is the registered number of a signature algorithm with its hash and, mostly, its curve (RFC 8446,
// Section 4.2.3). In TLS 1.2 the two bytes are a hash and a signature algorithm; the numbers are the same.
type SignatureScheme uint16

// The schemes.
const (
	SchemeRSAPKCS1SHA1                    SignatureScheme = 0x0201
	SchemeECDSASHA1                       SignatureScheme = 0x0203
	SchemeRSAPKCS1SHA224                  SignatureScheme = 0x0301
	SchemeECDSASHA224                     SignatureScheme = 0x0303
	SchemeRSAPKCS1SHA256                  SignatureScheme = 0x0401
	SchemeECDSASecp256r1SHA256            SignatureScheme = 0x0403
	SchemeRSAPKCS1SHA256Legacy            SignatureScheme = 0x0420
	SchemeRSAPKCS1SHA384                  SignatureScheme = 0x0501
	SchemeECDSASecp384r1SHA384            SignatureScheme = 0x0503
	SchemeRSAPKCS1SHA384Legacy            SignatureScheme = 0x0520
	SchemeRSAPKCS1SHA512                  SignatureScheme = 0x0601
	SchemeECDSASecp521r1SHA512            SignatureScheme = 0x0603
	SchemeRSAPKCS1SHA512Legacy            SignatureScheme = 0x0620
	SchemeSM2SigSM3                       SignatureScheme = 0x0708
	SchemeRSAPSSRSAESHA256                SignatureScheme = 0x0804
	SchemeRSAPSSRSAESHA384                SignatureScheme = 0x0805
	SchemeRSAPSSRSAESHA512                SignatureScheme = 0x0806
	SchemeEd25519                         SignatureScheme = 0x0807
	SchemeEd448                           SignatureScheme = 0x0808
	SchemeRSAPSSPSSSHA256                 SignatureScheme = 0x0809
	SchemeRSAPSSPSSSHA384                 SignatureScheme = 0x080a
	SchemeRSAPSSPSSSHA512                 SignatureScheme = 0x080b
	SchemeECDSABrainpoolP256r1TLS13SHA256 SignatureScheme = 0x081a
	SchemeECDSABrainpoolP384r1TLS13SHA384 SignatureScheme = 0x081b
	SchemeECDSABrainpoolP512r1TLS13SHA512 SignatureScheme = 0x081c
	SchemeMLDSA44                         SignatureScheme = 0x0904
	SchemeMLDSA65                         SignatureScheme = 0x0905
	SchemeMLDSA87                         SignatureScheme = 0x0906
)

// String gives the registered name, "rsa_pss_rsae_sha256", "GREASE 0x0a0a" for a reserved number and "0x1234" for an
// unknown one.
func (s SignatureScheme) String() string {
	name, ok := schemeName(s)
	return name16(uint16(s), name, ok)
}
