package scan

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/grade"
)

// namedFile is a file that a configuration names.
type namedFile struct {
	kind string // "" for a configuration that is included
	path string // as it stands there; a pattern where kind is ""
}

// directives are the words of server configurations that name files of ours: nginx, Apache, Postfix, Dovecot, PostgreSQL,
// lighttpd. The value is the kind of file.
func directives() map[string]string {
	return map[string]string{
		"ssl_certificate_key": fileKey, "proxy_ssl_certificate_key": fileKey, "sslcertificatekeyfile": fileKey, "sslproxymachinecertificatefile": fileKey,
		"smtpd_tls_key_file": fileKey, "smtp_tls_key_file": fileKey, "smtpd_tls_eckey_file": fileKey, "ssl_key": fileKey, "ssl_key_file": fileKey,
		"ssl_server_key_file": fileKey, "ssl.privkey": fileKey, "ssl.pemfile": fileKey, "smtpd_tls_chain_files": fileKey,
		"ssl_session_ticket_key": fileTickets, "sslsessionticketkeyfile": fileTickets,
	}
}

// namedFiles reads the lines of a configuration. It knows a few words of many servers, and passes over the rest.
func namedFiles(content []byte) []namedFile {
	const maxLine, maxNamed = 4096, 1000
	known := directives()
	var named []namedFile
	isHAProxy := bytes.Contains(content, []byte("frontend")) || bytes.Contains(content, []byte("listen"))
	for line := range bytes.Lines(content) {
		if len(line) > maxLine || len(named) == maxNamed {
			continue
		}
		for _, words := range statements(string(line)) {
			first := strings.ToLower(words[0])
			switch kind, ok := known[first]; {
			case len(words) < 2:
			case ok:
				named = append(named, namedFile{kind, words[1]})
			case first == "include" || first == "includeoptional" || first == "!include" || first == "!include_try":
				named = append(named, namedFile{"", words[1]})
			case isHAProxy && (first == "bind" || first == "server" || first == "default-server"):
				if i := slices.Index(words, "crt"); i > 0 && i+1 < len(words) {
					named = append(named, namedFile{fileKey, words[i+1]})
				}
			}
		}
	}
	// An "include" alone makes no configuration of a server: C, make and others have it, too.
	if !slices.ContainsFunc(named, func(n namedFile) bool { return n.kind != "" }) && !looksLikeServer(content) {
		return nil
	}
	return named
}

// looksLikeServer recognizes configurations that only include others.
func looksLikeServer(content []byte) bool {
	for _, mark := range []string{"http {", "events {", "server {", "ServerRoot ", "<VirtualHost", "IncludeOptional "} {
		if bytes.Contains(content, []byte(mark)) {
			return true
		}
	}
	return false
}

// statements takes a line apart, into words of which each list has one at least. nginx ends a statement with ";" and puts
// others into braces; quotes, "=" and Dovecot's "<" are no part of a word.
func statements(line string) [][]string {
	var all [][]string
	var words []string
	end := func() {
		if len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	for line = strings.TrimSpace(line); len(line) > 0; {
		switch c := line[0]; {
		case c == ';' || c == '{' || c == '}':
			end()
			line = line[1:]
		case c == ' ' || c == '\t' || c == '=' || c == '<' || c == '\r' || c == '\n':
			line = line[1:]
		case c == '#':
			line = ""
		case c == '"' || c == '\'':
			word, rest, found := strings.Cut(line[1:], string(c))
			if found {
				words = append(words, word)
			}
			line = rest
		default:
			n := strings.IndexAny(line, " \t=;{}\"'\r\n")
			if n <= 0 {
				n = len(line)
			}
			words = append(words, line[:n])
			line = line[n:]
		}
	}
	end()
	return all
}

// config reports a configuration and looks at the files it names.
func (l *fileLook) config(f grade.FileFact, real string, content []byte, depth int) error {
	named := namedFiles(content)
	at := len(l.facts)
	l.facts = append(l.facts, f)
	folder := serverRoot(content, filepath.Dir(real))
	count := 0
	for _, n := range named {
		if strings.Contains(n.path, "$") || strings.Contains(n.path, "data:") || strings.HasPrefix(n.path, "engine:") {
			note(&l.facts[at], "some names depend on variables and were not followed")
			continue
		}
		path := n.path
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, path)
		}
		if n.kind != "" {
			count++
			if err := l.namedPath(path, n.kind, depth); err != nil {
				return err
			}
			continue
		}
		if depth >= maxFilesDepth {
			continue
		}
		found, _ := filepath.Glob(path) // a pattern that is none finds nothing
		for _, included := range found {
			if err := l.file(included, "", false, depth+1); err != nil {
				return err
			}
		}
	}
	note(&l.facts[at], fmt.Sprintf("names %d files with keys", count))
	return nil
}

// namedPath looks at what a configuration names: HAProxy's crt may be a folder.
func (l *fileLook) namedPath(path, kind string, depth int) error {
	if entries, err := filepath.Glob(filepath.Join(path, "*")); err == nil && len(entries) > 0 {
		for _, e := range entries {
			if err := l.file(e, "", false, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return l.file(path, kind, false, depth+1)
}

// serverRoot is the folder that relative names begin in: Apache's ServerRoot, or where the configuration lies.
func serverRoot(content []byte, folder string) string {
	for line := range bytes.Lines(content) {
		for _, words := range statements(string(line)) {
			if len(words) == 2 && strings.EqualFold(words[0], "ServerRoot") {
				return words[1]
			}
		}
	}
	return folder
}
