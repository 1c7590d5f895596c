package ciphers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/wire"
)

// Selection is what an expression means.
type Selection struct {
	// Suites in order of preference, those of TLS 1.3 first. None is there twice.
	Suites []wire.CipherSuite
	// SecurityLevel is that of @SECLEVEL, by which Suites are already narrowed; -1 where the expression names none.
	SecurityLevel int
}

// SyntaxError says where an expression cannot be understood.
type SyntaxError struct {
	Expression string
	Offset     int    // in bytes
	Reason     string // lower case, no full stop
	Near       string // a word that may have been meant; may be empty
}

// Error gives reason and place.
func (e *SyntaxError) Error() string { return fmt.Sprintf("at character %d: %s", e.Offset+1, e.Reason) }

// maxExpression bounds an expression, in bytes, and with it the work that it can make.
const maxExpression = 8 << 10

// Evaluate reads an expression: words between colons, commas or blanks, each with what to do in front: nothing adds the
// suites that it means, "!" bars them for good, "-" takes them off, "+" moves them to the end. Words joined by "+" mean
// the suites that all of them mean. "@STRENGTH" sorts, and "@SECLEVEL=n" narrows. A word is the name of a suite, as
// registered or of OpenSSL, its number, a class of OpenSSL or a profile of Mozilla. The error is a *[SyntaxError]; an
// expression that means no suite at all is none.
func Evaluate(expression string) (Selection, error) {
	s := Selection{SecurityLevel: -1}
	if len(expression) > maxExpression {
		return s, &SyntaxError{Expression: expression[:32] + "...", Reason: "the expression is too long"}
	}
	e := &evaluation{text: expression, level: -1}
	e.modern, e.classic = newLists()
	for e.skipSeparators(); e.at < len(e.text); e.skipSeparators() {
		if err := e.rule(); err != nil {
			return s, err
		}
	}
	for _, id := range append(e.modern.chosen(), e.classic.chosen()...) {
		if p, _ := Apart(id); p.fits(e.level) {
			s.Suites = append(s.Suites, id)
		}
	}
	s.SecurityLevel = e.level
	return s, nil
}

// evaluation is an expression while it is read.
type evaluation struct {
	text            string
	at              int
	level           int
	modern, classic list
	hasBegun        bool // a rule was read
}

func (e *evaluation) fail(offset int, near, format string, args ...any) error {
	return &SyntaxError{Expression: e.text, Offset: offset, Reason: fmt.Sprintf(format, args...), Near: near}
}

func (e *evaluation) skipSeparators() {
	for e.at < len(e.text) && strings.IndexByte(":,; ", e.text[e.at]) >= 0 {
		e.at++
	}
}

// rule reads one rule and carries it out.
func (e *evaluation) rule() error {
	operator := byte(0)
	if strings.IndexByte("!-+@", e.text[e.at]) >= 0 {
		operator = e.text[e.at]
		e.at++
	}
	defer func() { e.hasBegun = true }()
	if operator == '@' {
		return e.command()
	}
	var all []word
	for {
		w, err := e.word(operator)
		if err != nil {
			return err
		}
		all = append(all, w)
		if e.at == len(e.text) || e.text[e.at] != '+' {
			break
		}
		e.at++
	}
	e.apply(operator, all)
	return nil
}

// scan reads letters, digits and what else names are made of.
func (e *evaluation) scan() string {
	begin := e.at
	for e.at < len(e.text) && isWordByte(e.text[e.at]) {
		e.at++
	}
	return e.text[begin:e.at]
}

func isWordByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.=", c) >= 0
}

func (e *evaluation) word(operator byte) (word, error) {
	begin := e.at
	text := e.scan()
	switch {
	case text == "" && e.at < len(e.text):
		return word{}, e.fail(begin, "", "a word should stand here, not %q", e.text[e.at])
	case text == "":
		return word{}, e.fail(begin, "", "a word is missing at the end")
	case text == "DEFAULT":
		if e.hasBegun || operator != 0 || e.at < len(e.text) && e.text[e.at] == '+' {
			return word{}, e.fail(begin, "", "DEFAULT has its meaning at the beginning only")
		}
		for _, l := range []*list{&e.modern, &e.classic} {
			l.kill(func(p *Parts) bool { return p.Encryption == "NULL" || !p.isDefault() })
		}
		return word{match: always}, nil
	}
	w, ok := lookUp(text)
	if !ok {
		return word{}, e.fail(begin, nearest(text), "%q is no suite, class or profile", text)
	}
	return w, nil
}

// command carries out @STRENGTH and @SECLEVEL=n.
func (e *evaluation) command() error {
	begin := e.at - 1
	text := e.scan()
	if text == "STRENGTH" {
		e.modern.sortByStrength()
		e.classic.sortByStrength()
		return nil
	}
	level, ok := strings.CutPrefix(text, "SECLEVEL=")
	if !ok || len(level) != 1 || level[0] < '0' || level[0] > '5' {
		return e.fail(begin, "", "@%s is no command; there are @STRENGTH and @SECLEVEL=0 to 5", text)
	}
	e.level = int(level[0] - '0')
	return nil
}

// apply carries out one rule about the suites that all of the words mean.
func (e *evaluation) apply(operator byte, all []word) {
	isTakingAway := operator == '!' || operator == '-'
	match := func(p *Parts) bool {
		for i := range all {
			if !all[i].matches(p, isTakingAway) {
				return false
			}
		}
		return true
	}
	for _, l := range []*list{&e.modern, &e.classic} {
		switch operator {
		case '!':
			l.kill(match)
		case '-':
			l.remove(match)
		case '+':
			l.toEnd(match)
		default:
			i := slices.IndexFunc(all, func(w word) bool { return w.names != nil })
			if i < 0 {
				l.add(match)
				continue
			}
			for _, id := range all[i].names {
				l.add(func(p *Parts) bool { return p.Suite == id && match(p) })
			}
		}
	}
}

// nearest finds a word that differs in case, or in a prefix that was left out, from one that is not known.
func nearest(text string) string {
	known := slices.Concat(Profiles(), []string{
		"ALL", "DEFAULT", "HIGH", "MEDIUM", "LOW", "EXPORT", "eNULL", "aNULL", "ECDHE", "DHE", "RSA", "ECDSA", "PSK", "SRP",
		"kRSA", "kECDHE", "kDHE", "aRSA", "aECDSA", "AES", "AES128", "AES256", "AESGCM", "AESCCM", "AESCCM8", "CHACHA20",
		"CAMELLIA", "ARIA", "3DES", "RC4", "SEED", "IDEA", "CBC", "MD5", "SHA1", "SHA256", "SHA384", "TLSv1.2", "TLSv1.3",
	})
	for _, w := range known {
		if strings.EqualFold(w, text) {
			return w
		}
	}
	for _, p := range All() {
		if strings.EqualFold(strings.TrimPrefix(p.Suite.String(), "TLS_"), text) {
			return p.Suite.String()
		}
	}
	return ""
}
