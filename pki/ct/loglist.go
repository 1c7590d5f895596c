package ct

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// Bounds on a log list.
const (
	maxLogList = 4 << 20 // bytes: some thirty times what it has
	maxLogs    = 5000
)

// State is what a browser makes of a log.
type State uint8

// The states of the log list's schema. Timestamps count in the three in the
// middle, and those of a retired log if they are older than its retirement.
const (
	StateUnknown State = iota
	Pending
	Qualified
	Usable
	ReadOnly
	Retired
	Rejected
)

// stateNames are those of the schema, in the order of the constants.
var stateNames = [...]string{"unknown", "pending", "qualified", "usable", "readonly", "retired", "rejected"}

// String names the state as the log list does.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return stateNames[0]
}

// Log is one log of a list.
type Log struct {
	ID          [32]byte
	Key         crypto.PublicKey // *ecdsa.PublicKey or *rsa.PublicKey
	Description string
	Operator    string
	// PreviousOperators had the log before, with the time when they stopped.
	PreviousOperators []PreviousOperator
	Tiled             bool          // it speaks the static API
	URL               string        // of a tiled log: where it takes submissions
	MonitoringURL     string        // of a tiled log
	MMD               time.Duration // within which it puts into its tree what it has signed
	State             State
	Since             time.Time // when the state began
	// NotBefore and NotAfter are the interval, the end excluded, in which certificates
	// expire that the log takes; zero: all.
	NotBefore, NotAfter time.Time
	// FinalTree is the last tree of a read-only log; its size is 0 if it is not known.
	FinalTree TreeHead
}

// PreviousOperator is one who ran a log before.
type PreviousOperator struct {
	Name string
	End  time.Time
}

// OperatorAt is who ran the log at that time.
func (l *Log) OperatorAt(t time.Time) string {
	name, end := l.Operator, time.Time{}
	for _, p := range l.PreviousOperators {
		if t.Before(p.End) && (end.IsZero() || p.End.Before(end)) {
			name, end = p.Name, p.End
		}
	}
	return name
}

// LogList is a list of logs, as Google publishes it for Chrome.
type LogList struct {
	Version   string
	Timestamp time.Time // when it was made; browsers ignore one older than 70 days
	Logs      []*Log
	// Unreadable describes the logs that were left out, because their key cannot be
	// read or is not that of their identifier.
	Unreadable []string

	byID map[[32]byte]*Log
}

// Find returns the log of that identifier, nil if the list does not have it. A list that was not read by [ParseLogList]
// but put together, of logs of one's own, is searched from the front.
func (l *LogList) Find(id [32]byte) *Log {
	switch {
	case l == nil:
		return nil
	case l.byID != nil:
		return l.byID[id]
	}
	for _, log := range l.Logs {
		if log.ID == id {
			return log
		}
	}
	return nil
}

// The JSON schema, version 3.
type (
	jsonList struct {
		Version   string         `json:"version"`
		Timestamp time.Time      `json:"log_list_timestamp"`
		Operators []jsonOperator `json:"operators"`
	}
	jsonOperator struct {
		Name  string    `json:"name"`
		Logs  []jsonLog `json:"logs"`
		Tiled []jsonLog `json:"tiled_logs"`
	}
	jsonLog struct {
		Description string `json:"description"`
		ID          []byte `json:"log_id"`
		Key         []byte `json:"key"`
		URL         string `json:"url"`
		Submission  string `json:"submission_url"`
		Monitoring  string `json:"monitoring_url"`
		MMD         int64  `json:"mmd"`
		Previous    []struct {
			Name string    `json:"name"`
			End  time.Time `json:"end_time"`
		} `json:"previous_operators"`
		State    map[string]jsonState `json:"state"`
		Interval struct {
			Start time.Time `json:"start_inclusive"`
			End   time.Time `json:"end_exclusive"`
		} `json:"temporal_interval"`
	}
	jsonState struct {
		Timestamp time.Time `json:"timestamp"`
		Final     struct {
			Root []byte `json:"sha256_root_hash"`
			Size uint64 `json:"tree_size"`
		} `json:"final_tree_head"`
	}
)

// IsLogList reports whether data looks like a log list of version 3.
func IsLogList(data []byte) bool {
	var outline struct {
		Operators []struct {
			Logs, Tiled json.RawMessage
		} `json:"operators"`
	}
	return len(data) <= maxLogList && len(data) > 0 && json.Unmarshal(data, &outline) == nil && len(outline.Operators) > 0
}

// ParseLogList reads a list of at most 4 MiB. Fields that it does not know are
// passed over. Logs whose key cannot be read are left out and named in Unreadable.
func ParseLogList(data []byte) (*LogList, error) {
	if len(data) > maxLogList {
		return nil, fmt.Errorf("read log list: %d bytes, more than the limit of %d", len(data), maxLogList)
	}
	var in jsonList
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("read log list: %w", err)
	}
	list := &LogList{Version: in.Version, Timestamp: in.Timestamp, byID: make(map[[32]byte]*Log)}
	for _, operator := range in.Operators {
		for i, entry := range append(operator.Logs[:len(operator.Logs):len(operator.Logs)], operator.Tiled...) {
			if len(list.Logs) == maxLogs {
				return nil, fmt.Errorf("read log list: more than %d logs", maxLogs)
			}
			log, err := entry.log(operator.Name, i >= len(operator.Logs))
			if err != nil {
				list.Unreadable = append(list.Unreadable, fmt.Sprintf("%q: %v", entry.Description, err))
				continue
			}
			if list.byID[log.ID] != nil {
				list.Unreadable = append(list.Unreadable, fmt.Sprintf("%q: it is there twice", entry.Description))
				continue
			}
			list.byID[log.ID] = log
			list.Logs = append(list.Logs, log)
		}
	}
	if len(list.Logs) == 0 {
		return nil, errors.New("read log list: it has no logs")
	}
	return list, nil
}

func (e jsonLog) log(operator string, tiled bool) (*Log, error) {
	if sum := sha256.Sum256(e.Key); string(sum[:]) != string(e.ID) {
		return nil, errors.New("its identifier is not the hash of its key")
	}
	key, err := cert.ParsePublicKey(e.Key)
	if err != nil {
		return nil, fmt.Errorf("its key cannot be read: %w", err)
	}
	switch key.(type) {
	case *ecdsa.PublicKey, *rsa.PublicKey:
	default:
		return nil, fmt.Errorf("its key is of type %T", key)
	}
	const most = int64(1<<63-1) / int64(time.Second)
	if e.MMD < 0 || e.MMD > most {
		return nil, errors.New("its merge delay makes no sense")
	}
	l := &Log{
		ID: [32]byte(e.ID), Key: key, Description: e.Description, Operator: operator, Tiled: tiled, URL: e.URL, MonitoringURL: e.Monitoring,
		MMD: time.Duration(e.MMD) * time.Second, NotBefore: e.Interval.Start, NotAfter: e.Interval.End,
	}
	if tiled {
		l.URL = e.Submission
	}
	for _, p := range e.Previous {
		l.PreviousOperators = append(l.PreviousOperators, PreviousOperator{p.Name, p.End})
	}
	for i, name := range stateNames {
		state, ok := e.State[name]
		if i == 0 || !ok {
			continue
		}
		if l.State != StateUnknown {
			return nil, errors.New("it is in two states at once")
		}
		l.State, l.Since = State(i), state.Timestamp
		if len(state.Final.Root) == sha256.Size {
			l.FinalTree = TreeHead{Size: state.Final.Size, Root: [32]byte(state.Final.Root)}
		}
	}
	return l, nil
}

// CheckLogList checks the signature that is published with a log list
// (log_list.sig): PKCS #1 v1.5 with SHA-256, or ECDSA with SHA-256.
func CheckLogList(data, signature []byte, key crypto.PublicKey) error {
	digest := sha256.Sum256(data)
	switch k := key.(type) {
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature) == nil {
			return nil
		}
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(k, digest[:], signature) {
			return nil
		}
	default:
		return fmt.Errorf("a log list cannot be signed with a key of type %T", key)
	}
	return errors.New("the signature of the log list does not fit")
}
