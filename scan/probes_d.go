package scan

// certificateProbes ask about certificates, names and HTTP.
func certificateProbes() []probe {
	return []probe{
		{name: probeNameCertificates, phase: phaseFeatures, run: probeCertificates},
		{name: "names in the DNS", phase: phaseFeatures, run: probeNames, applies: func(h *host) bool { return !h.o.Offline }},
		{name: "HTTP", phase: phaseFeatures, run: probeHTTP, applies: (*host).speaksHTTP},
		{name: "greeting", phase: phaseFeatures, run: probeGreeting, applies: func(h *host) bool { return !h.speaksHTTP() }},
	}
}
