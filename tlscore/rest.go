package tlscore

// Rest has the machine hold less while nothing happens: it lets go of the two AEADs, 1.5 KB with AES-GCM, which is half of what a machine
// holds. The next record of a direction makes that direction's again from its traffic secret, in a few microseconds. It may
// be called at any time, but while no other call is under way in either half, and does nothing where the keys cannot
// be made again: during the handshake, in TLS 1.2, after [Machine.Suspend] and [Machine.Wipe]; nor where somebody watches
// the secrets, who would see them derived twice.
func (m *Machine) Rest() {
	if !m.established || m.over != nil || m.options.Observer != nil || m.options.Secrets != nil {
		return
	}
	if r := &m.read; r.opener != nil && !r.v12 && r.err == nil {
		r.opener.Rest()
		r.resting = true
	}
	if w := &m.write; w.sealer != nil && !w.v12 {
		w.sealer.Rest()
		w.resting = true
	}
}

// wake ends a rest.
func (r *readHalf) wake() error {
	if !r.resting {
		return nil
	}
	r.resting = false
	if err := r.opener.Wake(r.suite, r.traffic); err != nil {
		return because(CodeInternal, err)
	}
	return nil
}

// wake ends a rest.
func (w *writeHalf) wake() error {
	if !w.resting {
		return nil
	}
	w.resting = false
	if err := w.sealer.Wake(w.suite, w.traffic); err != nil {
		return because(CodeInternal, err)
	}
	return nil
}
