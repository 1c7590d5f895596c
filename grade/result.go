package grade

// Severity says how much a finding matters.
type Severity string

// The severities, the worst first.
const (
	Critical Severity = "critical" // broken today: the grade is F or T
	High     Severity = "high"     // caps the grade at C
	Medium   Severity = "medium"   // caps the grade at B
	Low      Severity = "low"      // costs the A+ or the A
	Info     Severity = "info"     // does not touch the grade
	Good     Severity = "good"     // worth telling
)

// Letter is a grade: "A+", "A", "A-", "B", "C", "D", "E", "F"; "T" where the certificate is not trusted, "M" where it is
// for another name; "" where nothing could be judged.
type Letter string

// Result is the judgement of facts.
type Result struct {
	Schema int    `json:"schema"` // FactsSchema
	Rules  string `json:"rules"`  // version of the rules: "2009r-1"
	// Grade is what counts; with T and M both, T stands here and Mismatch is set.
	Grade    Letter `json:"grade"`
	Mismatch bool   `json:"mismatch,omitempty"`
	// GradeIgnoringTrust is the grade as if the certificate were trusted and for this name.
	GradeIgnoringTrust Letter `json:"gradeIgnoringTrust"`
	// Score and its parts, exact, 0 to 100; display rounds down.
	Score       float64 `json:"score"`
	Protocol    float64 `json:"protocolScore"`
	KeyExchange float64 `json:"keyExchangeScore"`
	Cipher      float64 `json:"cipherScore"`
	// Findings are the rules that fired, the worst first, and good ones at the end.
	Findings []Finding `json:"findings"`
	// Missing tells what separates the result from A+: one line each, the most important first; empty: nothing.
	Missing []string `json:"missingForAPlus,omitempty"`
	// Misconfigurations are the twelve of the lesson, by number (index 0 is #1).
	Misconfigurations []Misconfiguration `json:"misconfigurations,omitempty"`
	Policies          []PolicyResult     `json:"policies,omitempty"`
	// Incomplete says that a question that matters to the grade has no answer; the grade is the best it can be.
	Incomplete []string `json:"incomplete,omitempty"`
}

// Finding is a rule that fired.
type Finding struct {
	Rule     string   `json:"rule"` // "B4"; the guide's caps by the identifiers of the rating, ours by words: "hsts-short"
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`              // a few words
	Reason   string   `json:"reason"`             // one or two sentences: what is so and what it means
	Evidence []string `json:"evidence,omitempty"` // fit to print
	Cap      Letter   `json:"cap,omitempty"`      // the best grade with this finding; "" no cap
	// Reference is where the rule stands: "SSL Labs Server Rating Guide 2009r", "RFC 9325, Section 4.1".
	Reference []string `json:"reference,omitempty"`
	Fix       *Fix     `json:"fix,omitempty"`
	// Misconfiguration is the number in the lesson's list of twelve; 0: none.
	Misconfiguration int `json:"misconfiguration,omitempty"`
}

// Fix says what to change.
type Fix struct {
	Text string `json:"text"` // one sentence
	// Snippets are what to write where, the detected server's first.
	Snippets []Snippet `json:"snippets,omitempty"`
}

// Snippet is a piece of configuration.
type Snippet struct {
	Server string `json:"server"` // "nginx", "Apache", "HAProxy", "Caddy", "Go", "Java", "OpenSSL"
	File   string `json:"file"`   // where it usually goes: "/etc/nginx/nginx.conf, in server { }"
	Text   string `json:"text"`
}

// Misconfiguration is one of the lesson's twelve.
type Misconfiguration struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Found  Answer `json:"found"` // Unasked: nothing here can tell (#8 and #12 need --files)
	Text   string `json:"text,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// PolicyResult is what a policy says about the facts.
type PolicyResult struct {
	Policy    string   `json:"policy"` // "mozilla-intermediate-6.0"
	Complies  Answer   `json:"complies"`
	Failures  []string `json:"failures,omitempty"`  // what must change, each a sentence
	Uncertain []string `json:"uncertain,omitempty"` // what could not be found out
}
