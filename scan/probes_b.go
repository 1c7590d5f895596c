package scan

// oldProbes ask what needs a finished old handshake: resumption, renegotiation and the oracles.
func oldProbes() []probe {
	return []probe{
		{name: "old sessions", phase: phaseFeatures, run: probeOldSessions},
		{name: "early data", phase: phaseAttacks, run: probeEarly13, applies: early13},
		{name: "padding oracles", phase: phaseAttacks, run: probeCBC},
		{name: "robot", phase: phaseAttacks, run: probeROBOT},
	}
}
