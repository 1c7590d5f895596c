package starttls

// The bytes of Telnet's commands (RFC 854), and the option START_TLS of draft-altman-telnet-starttls.
const (
	telnetSE       = 240
	telnetSB       = 250
	telnetWILL     = 251
	telnetWONT     = 252
	telnetDO       = 253
	telnetDONT     = 254
	telnetIAC      = 255
	telnetStartTLS = 46
	telnetFollows  = 1
)

// telnet offers the option START_TLS. A server that does not know an option says DONT (RFC 854), so that there is an
// answer either way; what it says to the person at the terminal before that is passed over. Both sides then say FOLLOWS,
// which is the last thing before TLS.
func (d *dialogue) telnet() error {
	if err := d.send("WILL START_TLS", []byte{telnetIAC, telnetWILL, telnetStartTLS}); err != nil {
		return err
	}
	if err := d.telnetAgreement(); err != nil {
		return err
	}
	for len(d.buf) > 0 && d.buf[0] == telnetIAC { // other options, which came along
		if _, err := d.telnetCommand(); err != nil {
			return err
		}
	}
	if err := d.send("FOLLOWS", []byte{telnetIAC, telnetSB, telnetStartTLS, telnetFollows, telnetIAC, telnetSE}); err != nil {
		return err
	}
	for {
		c, err := d.telnetCommand()
		switch {
		case err != nil:
			return err
		case c.isText:
			return d.fail(Injected, string(c.value), "the server goes on in plain text after its agreement")
		case c.verb == telnetSB && c.option == telnetStartTLS && (len(c.value) != 1 || c.value[0] != telnetFollows):
			return d.fail(Malformed, "", "the server does not say FOLLOWS")
		case c.verb == telnetSB && c.option == telnetStartTLS:
			return nil
		}
	}
}

// telnetAgreement reads up to DO START_TLS. What else is said is of no use after TLS, where everything begins anew; the
// limit on the dialogue ends a server that says too much.
func (d *dialogue) telnetAgreement() error {
	for {
		c, err := d.telnetCommand()
		switch {
		case err != nil:
			return err
		case c.isText && len(d.greeting) < 80:
			d.greeting += string(c.value)
		case c.option == telnetStartTLS && c.verb == telnetDO:
			return nil
		case c.option == telnetStartTLS && (c.verb == telnetDONT || c.verb == telnetWONT):
			return d.fail(NotOffered, "", doesNotOffer)
		}
	}
}

// telnetPiece is a command, or one byte of text.
type telnetPiece struct {
	isText       bool
	verb, option byte
	value        []byte
}

// telnetCommand reads the next piece.
func (d *dialogue) telnetCommand() (telnetPiece, error) {
	first, err := d.take(1)
	if err != nil || first[0] != telnetIAC {
		return telnetPiece{isText: true, value: first}, err
	}
	verb, err := d.take(1)
	if err != nil {
		return telnetPiece{}, err
	}
	c := telnetPiece{verb: verb[0]}
	if c.verb < telnetSB || c.verb == telnetIAC { // commands without an option
		return c, nil
	}
	option, err := d.take(1)
	if err != nil {
		return telnetPiece{}, err
	}
	c.option = option[0]
	for c.verb == telnetSB {
		b, err := d.take(1)
		if err != nil {
			return telnetPiece{}, err
		}
		if b[0] == telnetIAC {
			if b, err = d.take(1); err != nil {
				return telnetPiece{}, err
			}
			if b[0] == telnetSE {
				break
			}
		}
		c.value = append(c.value, b[0])
	}
	return c, nil
}
