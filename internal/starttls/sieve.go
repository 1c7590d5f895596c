package starttls

import (
	"strconv"
	"strings"
)

// sieve is ManageSieve (RFC 5804, Section 2.2). The server lists its capabilities without being asked, a line each, and
// ends the list with OK.
func (d *dialogue) sieve() error {
	isOffered, err := d.capabilities()
	if err != nil {
		return err
	}
	if !isOffered {
		d.line = 0
		return d.fail(NotOffered, "", doesNotOffer)
	}
	if err := d.command("STARTTLS", "STARTTLS"); err != nil {
		return err
	}
	line, err := d.readLine()
	switch {
	case err != nil:
		return err
	case hasFirstWord(line, "OK"):
		return nil
	case hasFirstWord(line, "NO"), hasFirstWord(line, "BYE"):
		return d.fail(Refused, line, saysNo)
	}
	return d.fail(Malformed, line, "an answer must begin with OK, NO or BYE")
}

// capabilities reads the list, and whether STARTTLS is in it. The value of IMPLEMENTATION is the greeting.
func (d *dialogue) capabilities() (isOffered bool, err error) {
	for {
		line, err := d.readLine()
		if err != nil {
			return false, err
		}
		name, value, _ := strings.Cut(line, " ")
		switch {
		case hasFirstWord(line, "OK"):
			return isOffered, nil
		case hasFirstWord(line, "NO"), hasFirstWord(line, "BYE"):
			return false, d.fail(Refused, line, notReady)
		case len(name) < 2 || name[0] != '"' || name[len(name)-1] != '"':
			return false, d.fail(Malformed, line, "a capability must be a quoted string")
		case strings.EqualFold(name, `"STARTTLS"`):
			isOffered = true
		case strings.EqualFold(name, `"IMPLEMENTATION"`):
			d.greeting = strings.Trim(value, `"`)
		}
		if err := d.literal(line); err != nil {
			return false, err
		}
	}
}

// literal reads the string that a line announces by its length, "{12}" or "{12+}", and the rest of the line behind it.
func (d *dialogue) literal(line string) error {
	for strings.HasSuffix(line, "}") {
		begin := strings.LastIndexByte(line, '{')
		if begin < 0 {
			return d.fail(Malformed, line, "a length must stand in braces")
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(line[begin+1:len(line)-1], "+"), 10, 16)
		switch {
		case err != nil:
			return d.fail(Malformed, line, "a length must be a number")
		case n > maxLine:
			return d.fail(TooLong, line, "the string is too long")
		}
		if _, err := d.take(int(n)); err != nil {
			return err
		}
		if line, err = d.readLine(); err != nil {
			return err
		}
	}
	return nil
}
