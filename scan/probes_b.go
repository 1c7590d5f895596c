package scan

// oldProbes ask what needs a finished old handshake: resumption, renegotiation and the oracles.
func oldProbes() []probe {
	return []probe{
		{name: "old sessions", phase: phaseFeatures, run: probeOldSessions},
	}
}
