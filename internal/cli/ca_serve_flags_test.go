package cli

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/spf13/pflag"

	"github.com/tlswright/tlswright/internal/config"
)

// TestEveryFlagOfTheCAWinsOverItsKey: a flag that is given takes the place of what a file says, whichever it is, and there is
// none without a key.
func TestEveryFlagOfTheCAWinsOverItsKey(t *testing.T) {
	cmd := newCAServe(&app{})
	alone := []string{"config", "chaos", "quiet", "json", "passphrase-file", "passphrase-env", "help"}
	table := caFlagTable()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(alone, f.Name) && !slices.ContainsFunc(table, func(c caFlag) bool { return c.flag == f.Name }) {
			t.Errorf("--%s has no key", f.Name)
		}
	})
	set, all := filledCA(), config.CA{}
	for _, f := range table {
		if cmd.Flags().Lookup(f.flag) == nil {
			t.Errorf("there is no --%s", f.flag)
		}
		if f.flag != caFlagOf(f.key) {
			t.Errorf("%s is --%s", f.key, caFlagOf(f.key))
		}
		var one config.CA
		if f.take(&one, &set); reflect.ValueOf(one).IsZero() {
			t.Errorf("--%s changes nothing", f.flag)
		}
		f.take(&all, &set)
	}
	if !reflect.DeepEqual(all, set) {
		t.Errorf("no flag sets some of these: %+v", all)
	}
}

// filledCA has a value for every key.
func filledCA() config.CA {
	var c config.CA
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case []netip.Prefix:
			f.Set(reflect.ValueOf([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
		case []string:
			f.Set(reflect.ValueOf([]string{"x"}))
		case string:
			f.SetString("x")
		case bool:
			f.SetBool(true)
		default:
			f.SetInt(7)
		}
	}
	return c
}
