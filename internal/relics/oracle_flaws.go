package relics

import (
	"crypto/rand"
	"testing"

	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/wire"
)

// OldCases are the flaws that show after a finished handshake only.
func OldCases() []Case {
	return []Case{
		old("poodle-tls", "", false, wrong(func(o legacy.Opened) Reaction { return Reaction{Accept: o.MACOK} })),
		old("poodle-tls", "last byte alone", false, wrong(checksLastByte)),
		old("poodle-tls", "quiet", false, quiet(wrong(func(o legacy.Opened) Reaction { return Reaction{Accept: o.MACOK} }))),
		old("zombie-poodle", "", false, wrong(zombie)),
		old("zombie-poodle", "no alert", false, wrong(zombieWithoutAlert)),
		old("goldendoodle", "", false, wrong(golden)),
		old("sleeping-poodle", "", false, wrong(sleeping)),
		old("zero-length", "", false, wrong(zeroLength)),
		old("cve-2016-2107", "", false, wrong(luckyMinus20)),
		old("ticketbleed", "", false, func(sick bool) *Old {
			s := soundOld()
			if sick {
				s.EchoID = ticketbleed
			}
			return s
		}),
		old("robot", "strong", false, unpadded(func(wrong string) Reaction {
			if wrong == "start" || wrong == "no zero" {
				return Fatal(wire.AlertHandshakeFailure)
			}
			return Fatal(wire.AlertBadRecordMAC)
		}, false)),
		old("robot", "weak", false, unpadded(func(wrong string) Reaction {
			if wrong == "version" {
				return Fatal(wire.AlertBadRecordMAC)
			}
			return Fatal(wire.AlertIllegalParameter)
		}, false)),
		old("robot", "at once", false, unpadded(func(string) Reaction { return Fatal(wire.AlertDecryptError) }, true)),
		old("robot", "silent", false, unpadded(func(string) Reaction { return Reaction{Open: true} }, false)),
		old("insecure-renegotiation", "", false, func(sick bool) *Old {
			s := soundOld()
			s.NoRenegotiationInfo, s.Insecure = true, sick
			if sick {
				s.Renegotiations = 100
			}
			return s
		}),
		old("insecure-renegotiation", "protected for those who ask", false, func(sick bool) *Old {
			s := soundOld()
			s.Insecure, s.Renegotiations = sick, 100
			return s
		}),
		old("client-renegotiation", "", false, func(sick bool) *Old {
			s := soundOld()
			if sick {
				s.Renegotiations = 100
			} else {
				s.IgnoreRenegotiation = true
			}
			return s
		}),
		old("client-renegotiation", "a few", true, func(sick bool) *Old {
			s := soundOld()
			if sick {
				s.Renegotiations = 2
			}
			return s
		}),
	}
}

func old(id, name string, potential bool, make func(sick bool) *Old) Case {
	return Case{ID: id, Name: name, Potential: potential, Start: func(t testing.TB, sick bool) *Server { return make(sick).Start(t) }}
}

// soundOld is a healthy server of its time.
func soundOld() *Old {
	return &Old{
		Versions: []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12},
		Suites:   []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA},
		IDs:      true, Tickets: true,
	}
}

func wrong(react func(legacy.Opened) Reaction) func(bool) *Old {
	return func(sick bool) *Old {
		s := soundOld()
		if sick {
			s.Wrong = react
		}
		return s
	}
}

func quiet(make func(bool) *Old) func(bool) *Old {
	return func(sick bool) *Old {
		s := make(sick)
		s.Quiet = true
		return s
	}
}

func unpadded(react func(string) Reaction, atOnce bool) func(bool) *Old {
	return func(sick bool) *Old {
		s := soundOld()
		if sick {
			s.Unpadded, s.AtOnce = react, atOnce
		}
		return s
	}
}

// checksLastByte looks at one byte of the padding, the one before its length.
func checksLastByte(o legacy.Opened) Reaction {
	n := len(o.Padding)
	if o.MACOK && (n < 2 || o.Padding[n-2] == byte(n-1)) {
		return Reaction{Accept: true}
	}
	return Fatal(wire.AlertBadRecordMAC)
}

// zombie tells a right MAC from a wrong one where the padding is wrong.
func zombie(o legacy.Opened) Reaction {
	if o.MACOK && !o.PaddingOK {
		return Fatal(wire.AlertDecryptionFailed)
	}
	return Fatal(wire.AlertBadRecordMAC)
}

// zombieWithoutAlert tells by saying nothing.
func zombieWithoutAlert(o legacy.Opened) Reaction {
	if o.MACOK && !o.PaddingOK {
		return Reaction{}
	}
	return Fatal(wire.AlertBadRecordMAC)
}

// golden tells wrong padding from right, whatever the MAC is.
func golden(o legacy.Opened) Reaction {
	if !o.PaddingOK {
		return Fatal(wire.AlertDecryptionFailed)
	}
	return Fatal(wire.AlertBadRecordMAC)
}

// sleeping says the same about both, but leaves the connection open after one.
func sleeping(o legacy.Opened) Reaction {
	r := Fatal(wire.AlertBadRecordMAC)
	r.Open = o.MACOK && !o.PaddingOK
	return r
}

// zeroLength errs about records without content only, as programs on OpenSSL before 1.0.2r (CVE-2019-1559).
func zeroLength(o legacy.Opened) Reaction {
	if len(o.Content) == 0 && o.MACOK && !o.PaddingOK && !o.NoRoom {
		return Reaction{}
	}
	return Fatal(wire.AlertBadRecordMAC)
}

// luckyMinus20 does not see that padding leaves no room for a MAC, as OpenSSL with AES-NI before 1.0.2h (CVE-2016-2107).
func luckyMinus20(o legacy.Opened) Reaction {
	if o.NoRoom && o.PaddingOK {
		return Fatal(wire.AlertRecordOverflow)
	}
	return Fatal(wire.AlertBadRecordMAC)
}

// ticketbleed repeats 32 bytes whatever the length was, as BIG-IP did (CVE-2016-9244).
func ticketbleed(id []byte) []byte {
	out := make([]byte, 32)
	_, _ = rand.Read(out) // never fails
	copy(out, id)
	return out
}
