package interop

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write docs/interop.md anew")

const pagePath = "../docs/interop.md"

// noCell says that the peer has not got it.
const noCell = "–"

// grid collects the cells of a table while cases run in parallel.
type grid struct {
	mu    sync.Mutex
	cells map[string]map[string]string // line, column, cell
	n     int
}

func newGrid() *grid { return &grid{cells: map[string]map[string]string{}} }

func (g *grid) set(line, column, cell string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cells[line] == nil {
		g.cells[line] = map[string]string{}
	}
	if g.cells[line][column] == "" {
		g.n++
	}
	g.cells[line][column] = cell
}

func (g *grid) has(line string) bool { return g.cells[line] != nil }

func (g *grid) get(line, column string) string {
	if cell := g.cells[line][column]; cell != "" {
		return cell
	}
	return noCell
}

// block is a generated part of the page; the rest of the page is written by hand.
func block(name string) (begin, end string) {
	return "<!-- " + name + ": written by go test ./interop -update -->\n", "<!-- " + name + ": end -->"
}

// checkPage prints a table and compares it with that part of docs/interop.md, or writes it with -update. Where a peer is
// missing, or is another version than on the page, the tables may differ, and are not compared.
func checkPage(t *testing.T, name string, lines []string) {
	fresh := strings.Join(lines, "\n") + "\n"
	t.Logf("%s\n%s", name, fresh)
	if run := flag.Lookup("test.run"); run != nil && strings.Contains(run.Value.String(), "/") {
		t.Logf("not compared with %s: only some cases were run", pagePath)
		return
	}
	peers, complete := peersList()
	if *update {
		if t.Failed() || !complete {
			t.Fatal("the page is written only when every peer is here and every case passes")
		}
		writeBlock(t, "peers", peers)
		writeBlock(t, name, fresh)
		return
	}
	if old := readBlock(t, "peers"); !complete || old != peers {
		t.Logf("not compared with %s, which is about other versions of the peers", pagePath)
		return
	}
	if old := readBlock(t, name); old != fresh {
		t.Errorf("%s is not fresh; \"go test ./interop -update\" writes it. It says:\n%s", pagePath, old)
	}
}

// peersList names every peer with its version; complete is false where one is missing.
func peersList() (list string, complete bool) {
	complete = true
	var b strings.Builder
	for _, pr := range allPeers() {
		v, err := pr.version()
		if err != nil {
			complete = false
		}
		fmt.Fprintf(&b, "* **%s**, %s: %s\n", pr.name, v, pr.note)
	}
	return b.String(), complete
}

func readPage(t *testing.T, name string) (before, inside, after string) {
	t.Helper()
	page, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := block(name)
	before, rest, ok1 := strings.Cut(string(page), begin)
	inside, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for %s", pagePath, name)
	}
	return before, inside, after
}

func readBlock(t *testing.T, name string) string {
	t.Helper()
	_, inside, _ := readPage(t, name)
	return inside
}

func writeBlock(t *testing.T, name, text string) {
	t.Helper()
	before, _, after := readPage(t, name)
	begin, end := block(name)
	if err := os.WriteFile(pagePath, []byte(before+begin+text+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
