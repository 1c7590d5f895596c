package grade

// Direction says which way a change goes.
type Direction string

// The directions.
const (
	Better  Direction = "better"
	Worse   Direction = "worse"
	Neutral Direction = "neutral" // neither: another address, a renewed certificate
)

// Change is one difference between two scans of a server.
type Change struct {
	Area      string    `json:"area"` // "grade", "protocols", "suites", "certificate", "vulnerabilities", "http", …
	Direction Direction `json:"direction"`
	Text      string    `json:"text"`          // one sentence, fit to print: "TLS 1.0 is not offered any more"
	Old       string    `json:"old,omitempty"` // fit to print; empty: it was not there
	New       string    `json:"new,omitempty"` // fit to print; empty: it is gone
}
