package acmeclient

import (
	"regexp"
	"slices"
	"strings"
)

// The ways in which a block may serve a name, the best last, as nginx ranks them.
const (
	noMatch = iota
	byPattern
	byTrailing // www.example.*
	byLeading  // *.example.org, .example.org
	byExact
)

// matchName tells how a server name of nginx covers a name, and by how many letters. A wildcard is covered by the same
// wildcard alone.
func matchName(serverName, name string) (rank, length int) {
	switch {
	case serverName == name, serverName == "."+name:
		return byExact, len(name)
	case strings.HasPrefix(serverName, ".") && (strings.HasSuffix(name, serverName) || "*"+serverName == name):
		return byLeading, len(serverName)
	case strings.HasPrefix(name, "*."):
		return noMatch, 0
	case strings.HasPrefix(serverName, "*.") && strings.HasSuffix(name, serverName[1:]):
		return byLeading, len(serverName)
	case strings.HasSuffix(serverName, ".*") && strings.HasPrefix(name, serverName[:len(serverName)-1]):
		return byTrailing, len(serverName)
	case strings.HasPrefix(serverName, "~"):
		if re, err := regexp.Compile("(?i)" + serverName[1:]); err == nil && re.MatchString(name) {
			return byPattern, 0
		}
	}
	return noMatch, 0
}

// serving lists the blocks that serve a name: all of the best rank. A wildcard is served, besides, by every block for a
// name that it covers.
func serving(servers []*nginxServer, name string) []*nginxServer {
	bestRank, bestLength := byPattern, 0
	var found []*nginxServer
	for _, s := range servers {
		rank, length := noMatch, 0
		for _, n := range s.names {
			if r, l := matchName(n, name); r > rank || r == rank && l > length {
				rank, length = r, l
			}
			if strings.HasPrefix(name, "*.") && coveredBy(n, []string{name}) {
				rank, length = byExact, len(name)
			}
		}
		switch {
		case rank == noMatch || rank < bestRank || rank == bestRank && length < bestLength:
			continue
		case rank > bestRank || length > bestLength:
			found = nil
		}
		bestRank, bestLength = rank, length
		found = append(found, s)
	}
	return found
}

// coveredBy reports whether a certificate for these names is good for a server name.
func coveredBy(serverName string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		if n == serverName {
			return true
		}
		rest, isWild := strings.CutPrefix(n, "*")
		first, isUnder := strings.CutSuffix(serverName, rest)
		return isWild && isUnder && first != "" && !strings.ContainsAny(first, ".*")
	})
}

// asked is a name by which a client reaches the block, and which the certificate is for; "" if there is none that can be
// told.
func (s *nginxServer) asked(names []string) string {
	for _, n := range s.names {
		if !strings.ContainsAny(n, "*~") && !strings.HasPrefix(n, ".") && coveredBy(n, names) {
			return n
		}
	}
	for _, n := range names {
		if slices.ContainsFunc(s.names, func(own string) bool { rank, _ := matchName(own, n); return rank > noMatch }) {
			return strings.Replace(n, "*", "tlswright-check", 1)
		}
	}
	return ""
}

// onlyRedirects reports a block that sends its visitors on to HTTPS: one that must not be reached by HTTPS itself.
func onlyRedirects(statements []*directive) bool {
	for _, d := range statements {
		if d.isBlock && onlyRedirects(d.block) {
			return true
		}
		if n := d.name(); (n == "return" || n == "rewrite") && slices.ContainsFunc(d.args(), func(a string) bool { return strings.HasPrefix(a, "https://") }) {
			return true
		}
	}
	return false
}

// tls reports whether a block is reached by TLS.
func (s *nginxServer) tls() bool {
	return slices.ContainsFunc(s.listens, func(l nginxListen) bool { return l.isTLS })
}
