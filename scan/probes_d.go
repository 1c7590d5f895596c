package scan

// certificateProbes ask about certificates, names and HTTP.
func certificateProbes() []probe { return nil }
