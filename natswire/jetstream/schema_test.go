package jetstream_test

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"

	"github.com/nats-io/jsm.go/registry"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas compiles jsm.go's JSON Schemas, the published description of every answer.
var schemas struct {
	sync.Mutex
	byType map[string]*jsonschema.Schema
}

func schemaOf(t testing.TB, typ string) *jsonschema.Schema {
	t.Helper()
	schemas.Lock()
	defer schemas.Unlock()
	if s := schemas.byType[typ]; s != nil {
		return s
	}
	text, err := registry.Schema(typ)
	if err != nil {
		t.Errorf("no schema for %s: %v", typ, err)
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	url := "https://example.net/" + typ
	if err := c.AddResource(url, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	if schemas.byType == nil {
		schemas.byType = map[string]*jsonschema.Schema{}
	}
	schemas.byType[typ] = s
	return s
}

// valid checks an API answer against its schema. An answer without a type is none.
// Refusals are left out: some match two alternatives of their schema, nats-server's
// own just as well.
func valid(t testing.TB, answer []byte) {
	t.Helper()
	var typed struct {
		Type  string          `json:"type"`
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(answer, &typed) != nil || typed.Type == "" || typed.Error != nil {
		return
	}
	switch typed.Type {
	case "io.nats.jetstream.advisory.v1.nak", "io.nats.jetstream.advisory.v1.terminated":
		return // their schemas want text where nats-server sends numbers
	}
	s := schemaOf(t, typed.Type)
	if s == nil {
		return
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s\n%v", answer, err)
	}
}
