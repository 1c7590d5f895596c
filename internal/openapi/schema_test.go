package openapi

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

type level uint8

// MarshalText implements encoding.TextMarshaler.
func (level) MarshalText() ([]byte, error) { return []byte("high"), nil }

type base struct {
	ID string `json:"id"`
}

type page[T any] struct {
	Items []T `json:"items"`
}

type thing struct {
	base
	Level  level           `json:"level"`
	At     time.Time       `json:"at,omitzero"`
	Parent *thing          `json:"parent,omitempty"`
	Counts map[string]int  `json:"counts"`
	Rate   float64         `json:"rate"`
	Raw    json.RawMessage `json:"raw,omitempty"`
	hidden map[string]string
}

func TestSchemasFollowTheTypes(t *testing.T) {
	var s Schemas
	ref := s.Of(reflect.TypeFor[page[thing]]())
	_ = thing{}.hidden
	if ref["$ref"] != Path+"ThingPage" && ref["$ref"] != Path+"thingPage" {
		t.Errorf("the page is called %v", ref["$ref"])
	}
	got, err := json.Marshal(s.Made["thing"])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"properties":{"at":{"format":"date-time","type":"string"},"counts":{"additionalProperties":{"type":"integer"},"type":"object"},"id":{"type":"string"},` +
		`"level":{"type":"string"},"parent":{"$ref":"#/components/schemas/thing"},"rate":{"type":"number"},"raw":{}},"required":["id","level","counts","rate"],"type":"object"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
