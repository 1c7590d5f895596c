package trace

// Explain says how a connection ended that did not end well: which side stopped, after which message, for which reason,
// and what to change. It is nil for one that ended well, or goes on. c may be nil.
func Explain(r *Recording, c *Capture) *Failure {
	if c == nil || c.Failure == "" {
		return nil
	}
	return &Failure{By: c.Observed, After: len(r.Messages) - 1, Check: c.FailureCode, Text: c.Failure}
}
