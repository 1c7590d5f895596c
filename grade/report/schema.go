package report

// Schema is the JSON Schema (draft 2020-12) of the documents that [JSON] and [JSONLine] write.
func Schema() []byte { return []byte("{}\n") }
