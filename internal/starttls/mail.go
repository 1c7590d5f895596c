package starttls

import "strings"

// reply reads the numbered answer of SMTP, FTP and NNTP: one line "250 text", or several of which all but the last have
// a hyphen behind the number. In FTP the lines between may be anything (RFC 959, Section 4.2).
func (d *dialogue) reply() (code string, lines []string, err error) {
	for {
		line, err := d.readLine()
		if err != nil {
			return "", nil, err
		}
		isNumbered := len(line) >= 3 && isDigits(line[:3]) && (len(line) == 3 || line[3] == ' ' || line[3] == '-')
		isLast := isNumbered && (len(line) == 3 || line[3] == ' ')
		switch {
		case code == "" && !isNumbered:
			return "", nil, d.fail(Malformed, line, "an answer must begin with three digits")
		case code == "":
			code = line[:3]
		case isNumbered && line[:3] == code:
		case d.protocol == FTP:
			isLast = false
		default:
			return "", nil, d.fail(Malformed, line, "the answer changes its number")
		}
		if isNumbered && len(line) > 4 {
			line = line[4:]
		}
		lines = append(lines, line)
		if isLast {
			return code, lines, nil
		}
	}
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// expect reads an answer that must have one of some numbers.
func (d *dialogue) expect(reason string, codes ...string) ([]string, error) {
	code, lines, err := d.reply()
	if err != nil {
		return nil, err
	}
	for _, c := range codes {
		if c == code {
			return lines, nil
		}
	}
	return nil, d.fail(Refused, code+" "+lines[0], reason)
}

const (
	saysNo       = "the server refuses to go over to TLS"
	doesNotOffer = "the server does not offer TLS"
	notReady     = "the server is not ready"
)

// greet reads the greeting with a number.
func (d *dialogue) greet(codes ...string) error {
	lines, err := d.expect(notReady, codes...)
	if err != nil {
		return err
	}
	d.greeting = lines[0]
	return nil
}

// smtp is RFC 3207, Section 4.
func (d *dialogue) smtp() error { return d.mail("EHLO") }

// lmtp is the same behind another greeting (RFC 2033, Section 4.1).
func (d *dialogue) lmtp() error { return d.mail("LHLO") }

func (d *dialogue) mail(hello string) error {
	if err := d.greet("220"); err != nil {
		return err
	}
	if err := d.command(hello, hello+" "+d.name); err != nil {
		return err
	}
	lines, err := d.expect("the server does not know "+hello+", and so no TLS", "250")
	if err != nil {
		return err
	}
	isOffered := false
	for _, line := range lines[1:] {
		isOffered = isOffered || strings.EqualFold(line, "STARTTLS")
	}
	if !isOffered {
		d.line = 0
		return d.fail(NotOffered, "", doesNotOffer)
	}
	if err := d.command("STARTTLS", "STARTTLS"); err != nil {
		return err
	}
	_, err = d.expect(saysNo, "220")
	return err
}

// ftp is RFC 4217, Section 4. There is no list to look into first: FEAT is not everywhere.
func (d *dialogue) ftp() error {
	if err := d.greet("220"); err != nil {
		return err
	}
	if err := d.command("AUTH TLS", "AUTH TLS"); err != nil {
		return err
	}
	_, err := d.expect(saysNo, "234")
	return err
}

// nntp is RFC 4642, Section 2.2. A server that knows no CAPABILITIES may know STARTTLS.
func (d *dialogue) nntp() error {
	if err := d.greet("200", "201"); err != nil {
		return err
	}
	if err := d.command("CAPABILITIES", "CAPABILITIES"); err != nil {
		return err
	}
	code, _, err := d.reply()
	if err != nil {
		return err
	}
	if code == "101" {
		isOffered, err := d.list("STARTTLS")
		if err != nil {
			return err
		}
		if !isOffered {
			return d.fail(NotOffered, "", doesNotOffer)
		}
	}
	if err := d.command("STARTTLS", "STARTTLS"); err != nil {
		return err
	}
	_, err = d.expect(saysNo, "382")
	return err
}

// list reads the lines up to the one with a single dot, and reports whether one of them is the word.
func (d *dialogue) list(word string) (bool, error) {
	found := false
	for {
		line, err := d.readLine()
		if err != nil {
			return false, err
		}
		if line == "." {
			d.line = 0
			return found, nil
		}
		first, _, _ := strings.Cut(line, " ")
		found = found || strings.EqualFold(first, word)
	}
}

// status reads the answer of POP3: "+OK text" or "-ERR text".
func (d *dialogue) status() (isOK bool, text string, err error) {
	line, err := d.readLine()
	if err != nil {
		return false, "", err
	}
	word, _, _ := strings.Cut(line, " ")
	switch word {
	case "+OK":
		return true, line, nil
	case "-ERR":
		return false, line, nil
	}
	return false, "", d.fail(Malformed, line, "an answer must begin with +OK or -ERR")
}

// pop3 is RFC 2595, Section 4. A server that knows no CAPA may know STLS.
func (d *dialogue) pop3() error {
	isOK, text, err := d.status()
	if err != nil {
		return err
	}
	if !isOK {
		return d.fail(Refused, text, notReady)
	}
	d.greeting = text
	if err := d.command("CAPA", "CAPA"); err != nil {
		return err
	}
	if isOK, _, err = d.status(); err != nil {
		return err
	}
	if isOK {
		isOffered, err := d.list("STLS")
		if err != nil {
			return err
		}
		if !isOffered {
			return d.fail(NotOffered, "", doesNotOffer)
		}
	}
	if err := d.command("STLS", "STLS"); err != nil {
		return err
	}
	if isOK, text, err = d.status(); err == nil && !isOK {
		err = d.fail(Refused, text, saysNo)
	}
	return err
}

// imap is RFC 3501, Section 6.2.1. A session that is already logged in cannot go over to TLS: a greeting that says so is
// a way to keep a client in plain text, and is refused.
func (d *dialogue) imap() error {
	line, err := d.readLine()
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(line, "* OK"):
	case strings.HasPrefix(line, "* PREAUTH"):
		return d.fail(Refused, line, "the server claims that we are logged in already, where TLS cannot begin any more")
	case strings.HasPrefix(line, "* BYE"):
		return d.fail(Refused, line, notReady)
	default:
		return d.fail(Malformed, line, "a greeting must begin with * OK")
	}
	d.greeting = strings.TrimPrefix(line, "* ")
	isOffered, err := d.tagged("CAPABILITY", "a1")
	if err != nil {
		return err
	}
	if !isOffered {
		d.line = 0
		return d.fail(NotOffered, "", doesNotOffer)
	}
	_, err = d.tagged("STARTTLS", "a2")
	return err
}

// tagged sends a command of IMAP and reads up to the line with its tag, which must say OK. isOffered reports that
// STARTTLS was among the capabilities on the way.
func (d *dialogue) tagged(command, tag string) (isOffered bool, err error) {
	if err := d.command(command, tag+" "+command); err != nil {
		return false, err
	}
	for {
		line, err := d.readLine()
		if err != nil {
			return false, err
		}
		rest, isTagged := strings.CutPrefix(line, tag+" ")
		switch {
		case isTagged && hasFirstWord(rest, "OK"):
			return isOffered, nil
		case isTagged:
			return false, d.fail(Refused, line, saysNo)
		case !strings.HasPrefix(line, "* ") || strings.HasSuffix(line, "}"):
			return false, d.fail(Malformed, line, "an answer must begin with * or with the tag of the command")
		case hasFirstWord(line[2:], "CAPABILITY"):
			isOffered = isOffered || hasWord(line, "STARTTLS")
		}
	}
}

func hasFirstWord(s, word string) bool {
	first, _, _ := strings.Cut(s, " ")
	return strings.EqualFold(first, word)
}
