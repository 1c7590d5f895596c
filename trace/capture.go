package trace

// Capture gives back what the recording was made of, as far as it still has it: records as segments, secrets as a key
// log. Decode makes the same of it again, unless roots were trusted: those are not in a recording.
func (r *Recording) Capture() *Capture {
	c := &Capture{Started: r.Started, Observed: r.Observed, Client: r.Client, Server: r.Server, Happenings: r.Happenings, Cut: r.Cut}
	for i := range r.Records {
		rec := &r.Records[i]
		c.Segments = append(c.Segments, Segment{From: rec.From, At: rec.At, Offset: rec.Offset, Data: rec.Raw})
	}
	for _, rest := range r.Rest {
		c.Segments = append(c.Segments, Segment{From: rest.From, At: r.Summary.Duration, Offset: rest.Offset, Data: rest.Raw})
	}
	c.KeyLog = r.keyLog()
	for _, k := range r.Keys {
		if len(k.Output) > 0 {
			c.Derivations = append(c.Derivations, k)
		}
	}
	if r.Failure != nil {
		c.Failure, c.FailureCode = r.Failure.Said, r.Failure.Code
	}
	return c
}

// keyLog gives the lines of a key log that the secrets of the recording make (RFC 9850).
func (r *Recording) keyLog() []KeyLogLine {
	var lines []KeyLogLine
	for i := range r.Keys {
		k := &r.Keys[i]
		label := logOfName(k.Name)
		if label == "" || len(k.Output) == 0 {
			continue
		}
		if k.Name == nameMaster && k.How != howPRF && k.How != howGiven {
			continue // that of TLS 1.3
		}
		lines = append(lines, KeyLogLine{Label: label, ClientRandom: r.Summary.ClientRandom, Secret: k.Output})
	}
	return lines
}
