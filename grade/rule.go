package grade

// rule is one point of judgement. It fires or not; what it says besides is data.
type rule struct {
	id        string
	severity  Severity
	cap       Letter // the best grade with it; "" none. "A-" is the guide's warning, "A" costs only the plus, T and M are about trust
	title     string
	reference []string
	number    int      // in the lesson's list of misconfigurations; 0: none
	fix       string   // one sentence; "" nothing to be done
	snippets  fixKind  // what to write where; "" nothing
	check     checkFn  // whether it fires
	_         struct{} // fields are always named
}

// checkFn looks at the facts and returns nil where the rule does not fire.
type checkFn func(*subject) *hit

// hit is what a rule says when it fires.
type hit struct {
	reason   string
	evidence []string
	// severity, cap, fix and snippets replace those of the rule where degrees differ; cap "none" takes it away.
	severity Severity
	cap      Letter
	fix      string
	snippets fixKind
}

// noCap takes the cap of a rule away in a hit.
const noCap Letter = "none"

// The works that rules refer to.
const (
	guide       = "SSL Labs Server Rating Guide 2009r"
	ourRule     = "tlswright, beyond the guide"
	lesson12    = "the lesson's list of misconfigurations"
	rfcBCP      = "RFC 9325, Section 3.1.1"
	rfcSuites   = "RFC 9325, Section 4.1"
	rfcHSTS     = "RFC 6797, Section 6.1"
	baselineReq = "CA/Browser Forum Baseline Requirements, Section 6.3.2"
)

// families are all rules, family by family, in the order in which a reader should hear of them.
func families() [][]rule {
	return [][]rule{
		trustRules, certificateRules, chainRules, protocolRules, suiteRules, exchangeRules, vulnerabilityRules, oracleRules, featureRules,
		httpRules, headerRules, cookieRules, dnsRules, scopeRules, goodRules, goodServiceRules,
	}
}

// rules is every rule there is.
func rules() []rule {
	var all []rule
	for _, family := range families() {
		all = append(all, family...)
	}
	return all
}

// fired makes a hit with a reason and evidence.
func fired(reason string, evidence ...string) *hit { return &hit{reason: reason, evidence: evidence} }

// firedIf makes a hit if there is evidence.
func firedIf(reason string, evidence []string) *hit {
	if len(evidence) == 0 {
		return nil
	}
	return &hit{reason: reason, evidence: evidence}
}
