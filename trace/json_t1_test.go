package trace_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/trace"
)

func TestReadJSONRefusesWhatPointsNowhere(t *testing.T) {
	const ok = `{"schema":"tlswright-trace/1","records":[{"id":0,"from":"client","raw":"1603010001aa","content":"aa","content_length":1,
		"fields":[{"path":"all","offset":0,"length":6}],"inside":[{"path":"x","offset":0,"length":1}],"messages":[0]}],
		"messages":[{"id":0,"from":"client","raw":"aa","spans":[{"record":0,"offset":0,"length":1}],"fields":[{"path":"x","offset":0,"length":1}]}],
		"keys":[{"id":0,"from":[],"up_to":0,"fed":[{"message":0,"path":"x"}]}],"checks":[{"id":0,"message":0,"keys":[0],"records":[0]}],
		"rest":[{"from":"server","raw":"00"}],"failure":{"after":0}}`
	if _, err := trace.ReadJSON(strings.NewReader(ok)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`tlswright-trace/1`, `tlswright-trace/2`},
		{`"schema"`, `"scheme"`},
		{`{"schema"`, `[{"schema"`},
		{`"records":[{"id":0`, `"records":[{"id":1`},
		{`"records":[{"id":0,"from":"client"`, `"records":[{"id":0,"from":"nobody"`},
		{`"messages":[0]`, `"messages":[1]`},
		{`"messages":[0]`, `"messages":[-1]`},
		{`"content_length":1`, `"content_length":-1`},
		{`"content_length":1`, `"content_length":0`},
		{`"length":6`, `"length":7`},
		{`"length":6`, `"length":-1`},
		{`"inside":[{"path":"x","offset":0`, `"inside":[{"path":"x","offset":1`},
		{`"record":0`, `"record":1`},
		{`"record":0,"offset":0`, `"record":0,"offset":9223372036854775807`},
		{`"raw":"aa"`, `"raw":"aabb"`},
		{`"raw":"aa"`, `"raw":"a"`},
		{`"from":[]`, `"from":[0]`},
		{`"from":[]`, `"from":[-1]`},
		{`"up_to":0`, `"up_to":1`},
		{`"up_to":0`, `"up_to":-2`},
		{`"fed":[{"message":0`, `"fed":[{"message":-1`},
		{`"keys":[0]`, `"keys":[2]`},
		{`"records":[0]`, `"records":[2]`},
		{`"from":"server"`, `"from":""`},
		{`"after":0`, `"after":2`},
	} {
		bad := strings.Replace(ok, change[0], change[1], 1)
		if bad == ok {
			t.Fatalf("%q is not there", change[0])
		}
		if _, err := trace.ReadJSON(strings.NewReader(bad)); !errors.Is(err, trace.ErrSchema) {
			t.Errorf("with %s: %v", change[1], err)
		}
	}
}
