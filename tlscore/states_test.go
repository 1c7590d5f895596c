package tlscore

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// everyState lists one value of each state there is; TestEveryStateIsListed keeps it complete.
func everyState() []state {
	ch := &clientHandshake{}
	compressing := &clientHandshake{hello: wire.ClientHello{Extensions: wire.Extensions{{Type: wire.ExtCompressCertificate}}}}
	ck := &clientKeys{clientHandshake: ch}
	sh := &serverHandshake{}
	sf := serverFlight{serverKeys: &serverKeys{serverHandshake: sh}}
	late := &lateAuth{}
	asked := &lateAuth{requests: []*lateExchange{{}}}
	c12, s12 := &client12{clientHandshake: ch}, &server12{}
	// Resumed, with another ticket for the session: the client waits for it in the place of the server's change of keys.
	renewed := &client12{clientHandshake: ch, ticket: true, session: &Session{}}
	renewing := &server12{ticket: true, resumed: &Session{}}
	return []state{
		expectCertificate12{c12},
		expectServerKeyExchange{c12},
		expectServerHelloDone{c12},
		verifyingServer12{client12: c12},
		choosingClientIdentity12{client12: c12},
		signingAsClient12{client12: c12},
		expectServerChange{c12},
		expectServerFinished12{c12},
		established12{role: RoleClient},
		established12{role: RoleServer},
		lookingUpSession12{server12: s12},
		verifyingResumed12{lookingUpSession12: lookingUpSession12{server12: s12}},
		choosingServerIdentity12{server12: s12},
		signingAsServer12{server12: s12},
		expectClientCertificate12{s12},
		expectClientKeyExchange{s12},
		expectClientCertificateVerify12{s12},
		verifyingClient12{server12: s12},
		expectClientChange{s12},
		expectClientFinished12{s12},
		issuingTicket12{server12: s12},
		renewingTicket12{server12: s12},
		expectServerChange{renewed},
		expectServerFinished12{renewed},
		renewingTicket12{server12: renewing},
		expectClientChange{renewing},
		expectClientFinished12{renewing},
		staplingServer12{server12: s12},
		staplingServer{serverHandshake: sh},
		staplingClient{},
		clientStart{},
		expectServerHello{ch},
		expectServerHello{&clientHandshake{retry: &helloRetry{}}},
		expectServerHello{&clientHandshake{ech: &clientECH{status: ECHOffered}}},
		expectEncryptedExtensions{&clientKeys{clientHandshake: &clientHandshake{ech: &clientECH{status: ECHRejected}}}},
		decidingInner{},
		expectRetriedHello{serverHandshake: &serverHandshake{ech: &serverECH{accepted: true}}},
		expectEncryptedExtensions{ck},
		expectCertificateOrRequest{ck},
		expectCertificate{ck},
		expectCertificateOrRequest{&clientKeys{clientHandshake: compressing}},
		expectCertificate{&clientKeys{clientHandshake: compressing}},
		expectClientCertificate{serverFlight{serverKeys: &serverKeys{serverHandshake: &serverHandshake{decompresses: true}}}},
		expectCertificateVerify{clientKeys: ck},
		verifyingServer{clientKeys: ck},
		expectServerFinished{clientKeys: ck},
		choosingClientIdentity{},
		signingAsClient{},
		expectClientHello{},
		expectRetriedHello{serverHandshake: sh},
		choosingServerIdentity{serverHandshake: sh},
		signingAsServer{},
		lookingUpSession{serverHandshake: sh},
		verifyingResumedClient{},
		lookingUpPSK{serverHandshake: sh},
		askingFreshness{},
		expectEndOfEarlyData{sf},
		expectClientCertificate{sf},
		expectClientCertificateVerify{serverFlight: sf},
		verifyingClient{serverFlight: sf},
		expectClientFinished{serverFlight: sf},
		established{role: RoleClient},
		established{role: RoleServer},
		ended{},
		established{role: RoleClient, late: late},
		established{role: RoleServer, late: late},
		established{role: RoleServer, late: asked},
		established{role: RoleServer, late: asked, packed: true},
		choosingLateIdentity{},
		signingLate{},
		staplingLate{},
		expectLateCertificateVerify{},
		verifyingLateClient{},
		expectLateFinished{},
	}
}

// TestEveryStateIsListed compares everyState with the types that have an on method or wait for an answer.
func TestEveryStateIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, s := range everyState() {
		listed[reflect.TypeOf(s).Name()] = true
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "name" || len(fn.Recv.List) != 1 {
				continue
			}
			if id, ok := fn.Recv.List[0].Type.(*ast.Ident); ok {
				found++
				if !listed[id.Name] {
					t.Errorf("%s is a state that everyState does not list", id.Name)
				}
			}
		}
	}
	if found != len(listed) {
		t.Errorf("%d states in the source, %d listed", found, len(listed))
	}
}

// TestEveryUnexpectedMessageIsRefused feeds each state each message type that it does not expect, 256 types in all.
func TestEveryUnexpectedMessageIsRefused(t *testing.T) {
	pairs := 0
	for _, s := range everyState() {
		for kind := range 256 {
			if slices.Contains(s.expects(), wire.HandshakeType(kind)) {
				continue
			}
			pairs++
			m := &Machine{role: RoleClient, params: &Params{}, state: s, started: true}
			m.params.c.MaxHandshakeMessage = DefaultMaxHandshakeMessage
			rec := []byte{byte(wire.ContentHandshake), 3, 3, 0, 4, byte(kind), 0, 0, 0}
			step, err := m.Feed(time.Time{}, rec, nil)
			if code, _ := CodeOf(err); code != CodeUnexpectedMessage {
				t.Fatalf("%s, message %d: %v", s.name(), kind, err)
			}
			want := []byte{byte(wire.ContentAlert), 3, 3, 0, 2, 2, byte(wire.AlertUnexpectedMessage)}
			if got := step.Out; len(got) != 7 || !slices.Equal(got[5:], want[5:]) || got[0] != want[0] {
				t.Fatalf("%s, message %d: sent % x, want % x", s.name(), kind, got, want)
			}
			if again, err2 := m.Feed(time.Time{}, rec, nil); err2 != err || again.N != 0 || len(again.Out) != 0 {
				t.Fatalf("%s, message %d: the error is not final", s.name(), kind)
			}
		}
	}
	t.Logf("%d pairs of state and message", pairs)
}

func TestErrorTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for i, row := range codeTable {
		if int(row.code) != i {
			t.Errorf("row %d holds %v", i, row.code)
		}
		if row.name == "" || row.text == "" || !strings.HasPrefix(row.rfc, "RFC ") || !strings.Contains(row.rfc, ", Section ") {
			t.Errorf("row %d is not complete: %+v", i, row)
		}
		if seen[row.name] {
			t.Errorf("%s appears twice", row.name)
		}
		seen[row.name] = true
		if e := (&Error{Code: row.code}); !strings.Contains(e.Error(), row.rfc) && row.code != CodePeerAlert {
			t.Errorf("%q does not cite %s", e.Error(), row.rfc)
		}
	}
	for _, c := range []Code{CodePeerAlert, CodePeerClosedEarly} {
		if codeTable[c].alert != silent {
			t.Errorf("%v must send no alert", c)
		}
	}
}
