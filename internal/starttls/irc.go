package starttls

import "strings"

// The numbers by which an IRC server answers STARTTLS (the IRCv3 extension "tls"), and says that it does not know a
// command (RFC 2812, Section 5.2).
const (
	ircStartTLS = "670"
	ircFailed   = "691"
	ircUnknown  = "421"
	ircFirst    = "451" // register first
)

// irc asks for the capabilities first: who does not list "tls" does not know STARTTLS. A server without CAP is asked at
// once. Notices may come in between at any time.
func (d *dialogue) irc() error {
	if err := d.command("CAP LS", "CAP LS 302"); err != nil {
		return err
	}
	isOffered, err := d.ircCapabilities()
	if err != nil {
		return err
	}
	if !isOffered {
		d.line = 0
		return d.fail(NotOffered, "", doesNotOffer)
	}
	if err := d.passNotices(); err != nil {
		return err
	}
	if err := d.command("STARTTLS", "STARTTLS"); err != nil {
		return err
	}
	for {
		line, err := d.readLine()
		if err != nil {
			return err
		}
		switch command, _ := ircCommand(line); command {
		case ircStartTLS:
			return nil
		case ircFailed:
			return d.fail(Refused, line, saysNo)
		case ircUnknown, ircFirst:
			return d.fail(NotOffered, line, doesNotOffer)
		case "NOTICE", "PING":
		default:
			return d.ircUnexpected(command, line)
		}
	}
}

// ircCapabilities reads the answer to CAP LS, which may have several lines: all but the last have an asterisk.
func (d *dialogue) ircCapabilities() (isOffered bool, err error) {
	for {
		line, err := d.readLine()
		if err != nil {
			return false, err
		}
		command, parameters := ircCommand(line)
		switch command {
		case "CAP":
			if len(parameters) < 3 || !strings.EqualFold(parameters[1], "LS") {
				return false, d.fail(Malformed, line, "CAP must be answered with a list")
			}
			for f := range strings.FieldsSeq(parameters[len(parameters)-1]) {
				name, _, _ := strings.Cut(f, "=")
				isOffered = isOffered || name == "tls"
			}
			if parameters[2] != "*" || len(parameters) == 3 {
				return isOffered, nil
			}
		case ircUnknown, ircFirst: // older than CAP: it may know STARTTLS all the same
			return true, nil
		case "NOTICE", "PING":
		default:
			return false, d.ircUnexpected(command, line)
		}
	}
}

func (d *dialogue) ircUnexpected(command, line string) error {
	if command == "ERROR" {
		return d.fail(Refused, line, "the server ends the connection")
	}
	return d.fail(Malformed, line, "the line is no answer to ours")
}

// passNotices takes away what came along with the answer, to the end of its line: notices only, nothing that could be
// another answer.
func (d *dialogue) passNotices() error {
	for len(d.buf) > 0 {
		line, err := d.readLine()
		if err != nil {
			return err
		}
		if command, _ := ircCommand(line); command != "NOTICE" && command != "PING" {
			return d.fail(Injected, line, moreThanAnswer)
		}
	}
	return nil
}

// ircCommand takes a message apart (RFC 2812, Section 2.3.1): ":server 670 nick :text".
func ircCommand(line string) (command string, parameters []string) {
	if strings.HasPrefix(line, "@") { // tags of IRCv3
		_, line, _ = strings.Cut(line, " ")
	}
	if strings.HasPrefix(line, ":") {
		_, line, _ = strings.Cut(line, " ")
	}
	line = strings.TrimLeft(line, " ")
	middle, trailing, hasTrailing := strings.Cut(line, " :")
	words := strings.Fields(middle)
	if len(words) == 0 {
		return "", nil
	}
	if hasTrailing {
		words = append(words, trailing)
	}
	return strings.ToUpper(words[0]), words[1:]
}
