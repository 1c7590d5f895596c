package ciphers

// Verdict is what a suite is worth today.
type Verdict uint8

// The verdicts.
const (
	Good   Verdict = iota // authenticated encryption with forward secrecy, and nothing against it
	Weak                  // better not: something about it has been attacked, or helps whoever gets the key later
	Unsafe                // never: it protects against nobody who tries
)

// String names the verdict in a word.
func (v Verdict) String() string {
	switch v {
	case Good:
		return "good"
	case Weak:
		return "weak"
	}
	return "unsafe"
}

// Verdict judges a suite, with the reasons against it, the worst first. RFC 9325, Section 4.1 and Section 4.2 say which
// suites are to be left; what they leave open is not held against one.
func (p *Parts) Verdict() (Verdict, []string) {
	var broken, weak []string
	if p.Bits == 0 {
		broken = append(broken, "nothing is encrypted")
	}
	if p.Authentication == "none" {
		broken = append(broken, "nobody is authenticated: anybody in between can pose as the server")
	}
	switch {
	case p.IsExport:
		broken = append(broken, "weak on purpose, for the export rules of the 1990s")
	case p.Encryption == "RC4":
		broken = append(broken, "broken, and prohibited (RFC 7465)")
	case p.Bits > 0 && p.Bits < 112:
		broken = append(broken, "keys this short can be tried out")
	case p.Is64Bit():
		weak = append(weak, "blocks of 64 bits leak after some gigabytes (Sweet32)")
	}
	if !p.HasForwardSecrecy {
		weak = append(weak, "no forward secrecy: who gets the key later reads what was recorded")
	} else if p.isFiniteField() {
		weak = append(weak, "the Diffie-Hellman group is the server's choice, and often too small")
	}
	switch {
	case p.Mode == "CBC" && !p.Is64Bit():
		weak = append(weak, "CBC lets padding be told apart, as in Lucky Thirteen")
	case p.Mode == "CCM_8":
		weak = append(weak, "a tag of 8 bytes, for small devices alone")
	}
	if p.MAC == "MD5" {
		weak = append(weak, "HMAC with MD5, which is out of use")
	}
	switch {
	case len(broken) > 0:
		return Unsafe, append(broken, weak...)
	case len(weak) > 0:
		return Weak, weak
	}
	return Good, nil
}

// isFiniteField reports an exchange by Diffie-Hellman without elliptic curves.
func (p *Parts) isFiniteField() bool {
	return p.KeyExchange == "DHE" || p.KeyExchange == "DHE_PSK"
}
