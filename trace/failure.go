package trace

// explain says how the connection ended, if it did not end well.
func (d *decoder) explain() {
	if d.c.Failure == "" {
		return
	}
	d.r.Failure = &Failure{By: d.c.Observed, After: len(d.r.Messages) - 1, Check: d.c.FailureCode, Text: d.c.Failure}
}
