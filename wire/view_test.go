package wire

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func newOf(v ExtensionView) ExtensionView {
	return reflect.New(reflect.TypeOf(v).Elem()).Interface().(ExtensionView)
}

func viewName(v ExtensionView) string { return reflect.TypeOf(v).Elem().Name() }

func TestViewsRoundTrip(t *testing.T) {
	for _, s := range viewSamples() {
		t.Run(viewName(s.view), func(t *testing.T) {
			want := unhex(t, s.body)
			if got := s.view.AppendBody(nil); !cmp.Equal(got, want, cmpopts.EquateEmpty()) {
				t.Fatalf("AppendBody = %x, want %x", got, want)
			}
			got := newOf(s.view)
			if err := decodeBody(got, want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.view, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			if again := got.AppendBody(nil); !cmp.Equal(again, want, cmpopts.EquateEmpty()) {
				t.Errorf("encoded again = %x, want %x", again, want)
			}
		})
	}
}

func TestEveryPrefixOfAnExtensionFails(t *testing.T) {
	for _, s := range viewSamples() {
		if s.open {
			continue
		}
		body := unhex(t, s.body)
		for n := range body {
			if err := decodeBody(newOf(s.view), body[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes are taken for all", viewName(s.view), n, len(body))
			}
		}
	}
}

func TestBytesBehindAnExtensionFail(t *testing.T) {
	for _, s := range viewSamples() {
		if s.open {
			continue
		}
		err := decodeBody(newOf(s.view), append(unhex(t, s.body), 0))
		if err == nil || !strings.HasSuffix(err.Error(), ": 1 trailing byte") {
			t.Errorf("%s: error %v, want a trailing byte", viewName(s.view), err)
		}
	}
}

func TestEveryViewHasASampleAndADecoder(t *testing.T) {
	have := make(map[string]bool)
	for _, s := range viewSamples() {
		have[viewName(s.view)] = true
	}
	files, err := filepath.Glob("ext_*.go")
	if err != nil {
		t.Fatal(err)
	}
	views := 0
	for _, name := range files {
		source, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range source.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "Extension" || f.Recv == nil {
				continue
			}
			views++
			// The samples are decoded by TestViewsRoundTrip: without a decoder that fails.
			if name := fmt.Sprint(f.Recv.List[0].Type.(*ast.StarExpr).X); !have[name] {
				t.Errorf("no sample of %s", name)
			}
		}
	}
	if views < 40 {
		t.Errorf("found only %d views in the source", views)
	}
}

func TestAViewIsFoundInItsMessage(t *testing.T) {
	for _, s := range viewSamples() {
		v := viewIn(s.in, s.view.Extension())
		if v == nil || reflect.TypeOf(v) != reflect.TypeOf(s.view) {
			t.Errorf("context %d, %v: view %T, want %T", s.in, s.view.Extension(), v, s.view)
		}
	}
	for in := inClientHello; in <= inNewSessionTicket; in++ {
		for typ := range 1 << 16 {
			if v := viewIn(in, ExtensionType(typ)); v != nil && v.Extension() != ExtensionType(typ) {
				t.Errorf("context %d, %v: view %T", in, ExtensionType(typ), v)
			}
		}
	}
}

func TestAnAbsentExtensionResetsTheView(t *testing.T) {
	for _, s := range viewSamples() {
		got := newOf(s.view)
		reflect.ValueOf(got).Elem().Set(reflect.ValueOf(s.view).Elem())
		present, err := new(ClientHello).Ext(got)
		if present || err != nil {
			t.Errorf("%s: present %t, error %v", viewName(s.view), present, err)
		}
		if diff := cmp.Diff(newOf(s.view), got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s is not zero (-want +got):\n%s", viewName(s.view), diff)
		}
	}
}

func TestTheFirstOfRepeatedExtensionsIsDecoded(t *testing.T) {
	var m EncryptedExtensions
	m.Add(&RecordSizeLimit{Limit: 64})
	m.Add(&RecordSizeLimit{Limit: 65})
	var v RecordSizeLimit
	if present, err := m.Ext(&v); !present || err != nil || v.Limit != 64 {
		t.Errorf("present %t, error %v, limit %d", present, err, v.Limit)
	}
	if data, ok := m.Find(ExtRecordSizeLimit); !ok || data[1] != 64 {
		t.Errorf("Find = %x, %t", data, ok)
	}
	if _, ok := m.Find(ExtCookie); ok {
		t.Error("Find finds what is not there")
	}
}

func TestDuplicateFindsTheFirstRepetition(t *testing.T) {
	list := func(n int, repeat ...ExtensionType) Extensions {
		var es Extensions
		for i := range n {
			es = append(es, Extension{Type: ExtensionType(i * 7)})
		}
		for _, r := range repeat {
			es = append(es, Extension{Type: r})
		}
		return es
	}
	for _, n := range []int{5, 32, 33, 9000} {
		if typ, found := list(n).Duplicate(); found {
			t.Errorf("%d different ones: %v is called a duplicate", n, typ)
		}
		if typ, found := list(n, 50000, 14, 7).Duplicate(); !found || typ != 14 {
			t.Errorf("%d and 50000, 14, 7: duplicate %d, %t, want 14", n, typ, found)
		}
	}
}

func TestServerNamesGivesTheHostName(t *testing.T) {
	v := ServerNames{Names: []ServerName{{3, []byte("other")}, {0, []byte("a.test")}}}
	if name, ok := v.HostName(); !ok || name != "a.test" {
		t.Errorf("HostName = %q, %t", name, ok)
	}
	if name, ok := (ServerNames{Names: v.Names[:1]}).HostName(); ok {
		t.Errorf("HostName without one = %q", name)
	}
}

func TestMaxFragmentLengthCodes(t *testing.T) {
	for code, want := range []int{0, 512, 1024, 2048, 4096, 0} {
		if got := (MaxFragmentLength{Code: uint8(code)}).Limit(); got != want {
			t.Errorf("code %d: limit %d, want %d", code, got, want)
		}
	}
}

func TestBindersLenIsTheirShareOfTheBytes(t *testing.T) {
	v := PreSharedKeys{Identities: []PSKIdentity{{[]byte("id"), 1}}, Binders: [][]byte{binder(1), make([]byte, 48)}}
	cut := len(v.AppendBody(nil)) - v.BindersLen()
	v.Binders = nil // leaves the empty list, two bytes
	if want := len(v.AppendBody(nil)) - 2; cut != want {
		t.Errorf("cut to %d bytes, the identities alone take %d", cut, want)
	}
}
