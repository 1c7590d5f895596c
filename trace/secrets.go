package trace

import "slices"

// WithoutSecrets returns a copy that can be shown around: without the inputs and outputs of the key schedule, without
// the salts and nonces that would give them away, and without application data and inner ClientHellos. Everything that went over the wire is
// still there, as it went, and so are the handshake messages inside the encryption.
func (r *Recording) WithoutSecrets() *Recording {
	c := *r
	c.HasSecrets = false
	c.Records = slices.Clone(r.Records)
	for i := range c.Records {
		rec := &c.Records[i]
		rec.Nonce = nil // that of record 0 is the IV
		if rec.holdsData() {
			rec.Content, rec.Inside = nil, withoutValues(rec.Inside)
		}
	}
	c.Messages = slices.Clone(r.Messages)
	for i := range c.Messages {
		c.Messages[i].Inner, c.Messages[i].InnerFields = nil, nil
	}
	c.Keys = slices.Clone(r.Keys)
	for i := range c.Keys {
		k := &c.Keys[i]
		k.Input, k.Output = nil, nil
		if k.How == howExtract {
			k.Context = nil
		}
	}
	c.Checks = slices.Clone(r.Checks)
	for i := range c.Checks {
		if c.Checks[i].secret() {
			c.Checks[i].Expected, c.Checks[i].Got = nil, nil
		}
	}
	return &c
}

// holdsData reports whether the content is what applications said to each other.
func (rec *Record) holdsData() bool {
	kind := rec.Inner
	if kind == "" {
		kind = rec.Type
	}
	return kind == typeApplicationData
}

func withoutValues(fields []Field) []Field {
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i].Value = ""
	}
	return fields
}
