package tlscore

import (
	"reflect"
	"testing"
	"time"
)

// TestHandoverForgetsNoFact fills every field of Facts and looks at what comes back. A new field that is missing here
// belongs into handover_facts.go.
func TestHandoverForgetsNoFact(t *testing.T) {
	var full Facts
	fill(reflect.ValueOf(&full).Elem())
	full.PSKIdentity, full.pskCheck = []byte{1}, []byte{2}
	full.OwnIdentity = &Identity{Chain: [][]byte{{1}, {2, 3}}, Type: 2}
	full.PeerDelegation = &Delegation{Scheme: 1, Algorithm: 2, Until: time.UnixMilli(3).UTC()}
	full.OwnDelegation = &Delegation{Scheme: 4, Until: time.UnixMilli(5).UTC()}
	full.PSKTag, full.HandshakeComplete = nil, false // found anew
	w := coder{}
	full.code(&w, &Params{})
	var got Facts
	r := coder{reading: true, bytes: w.bytes}
	got.code(&r, &Params{})
	if r.bad || len(r.bytes) > 0 {
		t.Fatalf("bad %v, %d bytes left", r.bad, len(r.bytes))
	}
	for i := range reflect.TypeFor[Facts]().NumField() {
		name := reflect.TypeFor[Facts]().Field(i).Name
		want, have := reflect.ValueOf(&full).Elem().Field(i), reflect.ValueOf(&got).Elem().Field(i)
		if name == "PSKTag" || name == "HandshakeComplete" {
			continue
		}
		if name != "pskCheck" && want.IsZero() {
			t.Errorf("the test does not fill Facts.%s", name)
		}
		if name != "pskCheck" && !reflect.DeepEqual(want.Interface(), have.Interface()) {
			t.Errorf("Facts.%s was %v and came back as %v: add it to handover_facts.go", name, want, have)
		}
	}
	if string(got.pskCheck) != "\x02" {
		t.Error("Facts.pskCheck did not come back")
	}
}

// fill sets all that can be set to something else than zero.
func fill(v reflect.Value) {
	switch {
	case !v.CanSet():
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.CanInt():
		v.SetInt(7)
	case v.CanUint():
		v.SetUint(7)
	}
}
