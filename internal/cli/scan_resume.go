package cli

import (
	"bufio"
	"errors"
	"io"
	"os"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/grade/report"
	"github.com/tlswright/tlswright/scan"
)

// resumeFile is the file of --resume: results as JSON lines, to which a later run adds its own. A nil one keeps nothing.
type resumeFile struct {
	file *os.File
	out  *bufio.Writer
	done map[string]bool // targets that it holds
}

// openResume reads the results of the runs before, each handed to old, and gets ready to add to them. A result that was
// broken off in the middle is cut away: its target is scanned again.
func openResume(path string, isQuick bool, old func(report.Report) error) (k *resumeFile, err error) {
	const perm = 0o644
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, perm)
	if err != nil {
		return nil, cannotRun(err, "--resume")
	}
	defer func() {
		if err != nil {
			_ = f.Close() // the failure before it is the one to tell
		}
	}()
	k = &resumeFile{file: f, out: bufio.NewWriter(f), done: make(map[string]bool)}
	stored := report.NewReader(f)
	for {
		one, err := stored.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, &failure{kind: kindLocal, text: path + ": " + err.Error(), hint: "--resume takes a file of JSON lines that a scan has written", err: err}
		}
		if f := one.Facts; f != nil {
			if f.Quick != isQuick && f.Unreachable == "" {
				return nil, otherKind(path, isQuick)
			}
			k.done[keyOfFacts(f)] = true
		}
		if err := old(one); err != nil {
			return nil, err
		}
	}
	if err := f.Truncate(stored.Good()); err != nil {
		return nil, cannotRun(err, "--resume")
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, cannotRun(err, "--resume")
	}
	if stored.Good() > 0 {
		if _, err := k.out.WriteString("\n"); err != nil {
			return nil, cannotRun(err, "--resume")
		}
	}
	return k, nil
}

// otherKind refuses to mix results that tell little with such that tell all: what is in the file would count as done.
func otherKind(path string, isQuick bool) *failure {
	f := &failure{kind: kindLocal, text: path + " holds results of quick looks", hint: "scan with --quick again, or name another file"}
	if isQuick {
		f.text, f.hint = path+" holds results of full scans", "scan without --quick, or name another file"
	}
	return f
}

// has reports whether a target was scanned by a run before.
func (k *resumeFile) has(key string) bool { return k != nil && k.done[key] }

// keyOfTarget tells targets apart, keyOfFacts the same target among results: the name that was asked for counts only where
// it is not that of the host.
func keyOfTarget(t scan.Target) string {
	name := t.ServerName
	if name == t.Host {
		name = ""
	}
	return scan.Target{Host: t.Host, Port: t.Port, StartTLS: t.StartTLS}.String() + " " + name
}

func keyOfFacts(f *grade.Facts) string {
	return keyOfTarget(scan.Target{Host: f.Host, Port: f.Port, ServerName: f.ServerName, StartTLS: f.StartTLS})
}

// add keeps a result.
func (k *resumeFile) add(r report.Report) error {
	if k == nil {
		return nil
	}
	if err := report.JSONLine(k.out, r); err != nil {
		return cannotRun(err, "--resume")
	}
	return nil
}

// flush puts the results of one target into the file.
func (k *resumeFile) flush() error {
	if k == nil {
		return nil
	}
	if err := k.out.Flush(); err != nil {
		return cannotRun(err, "--resume")
	}
	return nil
}

// close ends the file.
func (k *resumeFile) close() error {
	if k == nil {
		return nil
	}
	if err := errors.Join(k.out.Flush(), k.file.Close()); err != nil {
		return cannotRun(err, "--resume")
	}
	return nil
}
