package lab

import (
	"slices"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// Said is what a scanner says about a server, in common words. What it has no opinion on is absent.
type Said struct {
	Versions map[wire.Version]bool
	SSL2     *bool
	Suites   map[wire.Version][]wire.CipherSuite // ascending; nil: it does not list suites
	Groups   []wire.Group                        // ascending, of all versions together; nil: it does not list groups
	Order    map[wire.Version]string             // "yes" where the server's order counts, "no" where the client's
	// Judges are the defects that it has an opinion on, Defects those that it found.
	Judges, Defects []string
	Staple          string // "" no opinion, "none", or the status
	// Alarms are the vulnerabilities that it claims, by our identifiers.
	Alarms []string
}

func newSaid() *Said {
	return &Said{Versions: map[wire.Version]bool{}, Order: map[wire.Version]string{}}
}

// addSuite notes a suite once.
func (s *Said) addSuite(v wire.Version, id wire.CipherSuite) {
	if s.Suites == nil {
		s.Suites = map[wire.Version][]wire.CipherSuite{}
	}
	if i, found := slices.BinarySearch(s.Suites[v], id); !found {
		s.Suites[v] = slices.Insert(s.Suites[v], i, id)
	}
}

// addGroup notes a group once.
func (s *Said) addGroup(g wire.Group) {
	if i, found := slices.BinarySearch(s.Groups, g); !found {
		s.Groups = slices.Insert(s.Groups, i, g)
	}
}

// judge notes an opinion on a defect.
func (s *Said) judge(defect string, found bool) {
	if !slices.Contains(s.Judges, defect) {
		s.Judges = append(s.Judges, defect)
	}
	if found && !slices.Contains(s.Defects, defect) {
		s.Defects = append(s.Defects, defect)
	}
}

// groupNamed finds a group by the name that OpenSSL, testssl.sh or sslscan gives it.
func groupNamed(name string) (wire.Group, bool) {
	name = strings.ToLower(strings.Trim(name, " ,()"))
	switch name {
	case "prime256v1":
		name = "secp256r1"
	case "prime192v1":
		name = "secp192r1"
	case "curve25519", "25519":
		name = "x25519"
	case "curve448", "448":
		name = "x448"
	}
	for g := wire.Group(1); g < 0x2000; g++ {
		if strings.EqualFold(g.String(), name) {
			return g, true
		}
	}
	return 0, false
}
