package trace

// thread is the transcript of the handshake: its messages in the order of RFC 8446, Section 4.4.1.
type thread struct{}

func (d *decoder) transcript() {}

func (d *decoder) settle() {}

func (d *decoder) renew(s *stream) {}

type graph struct{}

func (d *decoder) schedule() {}
