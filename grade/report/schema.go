package report

import _ "embed"

// schema is made from the types, with their doc comments, by TestTheSchemaIsFresh; docs/scan.schema.json is a copy.
//
//go:embed scan.schema.json
var schema string

// Schema is the JSON Schema (draft 2020-12) of the documents that [JSON] writes, and of each line that [JSONLine] writes.
// New fields may come without a new version, so it lets unknown ones pass.
func Schema() []byte { return []byte(schema) }
