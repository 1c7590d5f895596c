package relics

import (
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// What a server that cannot bear something does when it meets it.
const (
	Hangs  = iota // says nothing more, and keeps the connection
	Closes        // without a word
	Resets        // the connection
	Alerts        // handshake_failure
)

// intolerant ends the connection in one of these ways wherever bears says no.
func intolerant(way int, bears func(c *Talk) bool) *Script {
	s := Sound()
	s.Refuse = func(c *Talk) bool {
		if bears(c) {
			return false
		}
		switch way {
		case Hangs:
			for {
				if _, _, ok := c.ReadRecord(); !ok {
					break
				}
			}
		case Resets:
			reset(c.Conn)
		case Alerts:
			c.Alert(wire.AlertLevelFatal, wire.AlertHandshakeFailure)
		}
		return true
	}
	return s
}

// VersionIntolerant refuses every hello whose legacy_version is above TLS 1.2 or, with strict, which has
// supported_versions at all.
func VersionIntolerant(way int, strict bool) *Script {
	return intolerant(way, func(c *Talk) bool {
		_, has := c.Hello.Extensions.Find(wire.ExtSupportedVersions)
		return c.Hello.LegacyVersion <= wire.VersionTLS12 && !(strict && has)
	})
}

// GREASEIntolerant refuses hellos with reserved values among suites, extensions or groups (RFC 8701).
func GREASEIntolerant(way int) *Script {
	return intolerant(way, func(c *Talk) bool {
		isGrease := func(v uint16) bool { return wire.IsGREASE(v) }
		var groups wire.SupportedGroups
		_, _ = c.Hello.Ext(&groups)
		return !slices.ContainsFunc(c.Hello.CipherSuites, func(s wire.CipherSuite) bool { return isGrease(uint16(s)) }) &&
			!slices.ContainsFunc(c.Hello.Extensions, func(e wire.Extension) bool { return isGrease(uint16(e.Type)) }) &&
			!slices.ContainsFunc(groups.Groups, func(g wire.Group) bool { return isGrease(uint16(g)) })
	})
}

// ExtensionIntolerant refuses hellos with an extension that it does not know.
func ExtensionIntolerant(way int) *Script {
	known := []wire.ExtensionType{
		wire.ExtServerName, wire.ExtRenegotiationInfo, wire.ExtSupportedGroups, wire.ExtECPointFormats, wire.ExtSignatureAlgorithms,
		wire.ExtSessionTicket, wire.ExtStatusRequest, wire.ExtALPN, wire.ExtHeartbeat, wire.ExtExtendedMasterSecret,
		wire.ExtEncryptThenMAC, wire.ExtSupportedVersions, wire.ExtKeyShare, wire.ExtPSKKeyExchangeModes, wire.ExtSignedCertificateTimestamp,
	}
	return intolerant(way, func(c *Talk) bool {
		return !slices.ContainsFunc(c.Hello.Extensions, func(e wire.Extension) bool { return !slices.Contains(known, e.Type) })
	})
}

// SizeIntolerant refuses hellos of more than 255 bytes and up to 511, the mistake for which padding was invented (RFC
// 7685); with wide, all that are longer than 255 bytes.
func SizeIntolerant(way int, wide bool) *Script {
	return intolerant(way, func(c *Talk) bool {
		n := len(c.Raw)
		return n < 256 || n >= 512 && !wide
	})
}

// SplitIntolerant refuses a hello that comes in more than one record.
func SplitIntolerant(way int) *Script {
	return intolerant(way, func(c *Talk) bool { return c.Records == 1 })
}

// ManySuitesIntolerant refuses hellos with more than 127 suites.
func ManySuitesIntolerant(way int) *Script {
	return intolerant(way, func(c *Talk) bool { return len(c.Hello.CipherSuites) <= 127 })
}

// SNIIntolerant refuses hellos without a name.
func SNIIntolerant(way int) *Script {
	return intolerant(way, func(c *Talk) bool {
		_, has := c.Hello.Extensions.Find(wire.ExtServerName)
		return has
	})
}
