package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// What a move can be refused for.
var (
	ErrShared   = errors.New("another process works on these records")
	ErrNotEmpty = errors.New("there are other records in that database")
)

// movedMark is what SQLite says to whoever writes to records that were moved.
const movedMark = "these records were moved to another database"

// movedTable is a table as both databases have it. bytes are its columns of bytes, which SQLite may have as text.
type movedTable struct {
	name    string
	columns []string
	bytes   string // with blanks around each
	fixed   string // further columns of PostgreSQL, with their value
	number  string // the column that a sequence of PostgreSQL numbers
	of      string // that sequence
}

// movedTables are all tables in an order in which references are sound. What is not among them is of one process only.
func movedTables() []movedTable {
	columns := strings.Fields
	return []movedTable{
		{name: "issuers", columns: columns("id name key_hash certificate shards crl_number created_at"), bytes: " key_hash certificate ", number: "id", of: "pg_get_serial_sequence('issuers', 'id')"},
		{name: "requests", columns: columns("id issuer serial asked_at profile asked csr renews outcome reason"), bytes: " serial csr ", fixed: "node", number: "id", of: "'request_ids'"},
		{name: "certificates", columns: columns("id issuer state profile subject names not_before not_after issued_at der"), bytes: " der "},
		{name: "names", columns: columns("name certificate")},
		{name: "revocations", columns: columns("change issuer certificate revoked_at reason invalid_at crl_number noted_at"), number: "change", of: "pg_get_serial_sequence('revocations', 'change')"},
		{name: "crl_state", columns: columns("issuer scope number horizon this_update next_update entries")},
		{name: "audit", columns: columns("seq at actor action issuer request digest detail prev"), bytes: " digest prev "},
		{name: "acme_accounts", columns: columns("id directory thumbprint status key body created_at"), bytes: " thumbprint key body "},
		{name: "acme_bindings", columns: columns("kid directory key account body created_at"), bytes: " key body "},
		{name: "acme_authorizations", columns: columns("id account identifier status expires_at due_at body"), bytes: " body "},
		{name: "acme_orders", columns: columns("id seq account status created_at expires_at due_at serial body"), bytes: " body ", number: "seq", of: "'acme_order_numbers'"},
		{name: "acme_replaced", columns: columns("certificate replacement")},
		{name: "admins", columns: columns("digest name roles not_after created_at removed_at"), bytes: " digest "},
		// The key of nonces stays behind: which of them were used is in a file, and none may be used twice.
		{name: "acme_secrets WHERE name <> 'nonces'", columns: columns("name value"), bytes: " value "},
	}
}

// OpenAlone is Open, and keeps others out until Close; [ErrShared] if there are others.
func OpenAlone(ctx context.Context, path string) (*Store, error) {
	s, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := s.presence.own(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// MoveTo copies all records into a PostgreSQL database that has none, in one transaction, and makes sure that they have
// arrived: the audit log's end, and the number of rows of each table. From then on nothing can be written here any more.
// The store must have been opened by [OpenAlone]. Where a move was cut off after its copy, the next one finds that. rows is
// how many there are. Else: [ErrNotEmpty].
func (s *Store) MoveTo(ctx context.Context, to *Store) (rows int64, err error) {
	if to.postgres == nil || s.postgres != nil {
		return 0, errors.New("records are moved from a file into PostgreSQL")
	}
	head, err := s.VerifyAudit(ctx)
	if err != nil {
		return 0, err
	}
	done, err := to.holds(ctx, head)
	if err != nil {
		return 0, err
	}
	if !done {
		if err := to.receive(ctx, s); err != nil {
			return 0, to.explain(err, "copy the records")
		}
	}
	arrived, err := to.VerifyAudit(ctx)
	if err != nil {
		return 0, err
	}
	if !done && arrived != head {
		return 0, fmt.Errorf("%w: its audit log ends elsewhere", ErrNotEmpty)
	}
	for _, t := range movedTables() {
		var here, there int64
		count := "SELECT COUNT(*) FROM " + t.name
		if err := errors.Join(s.readers.QueryRowContext(ctx, count).Scan(&here), to.readers.QueryRowContext(ctx, count).Scan(&there)); err != nil {
			return 0, err
		}
		if there < here {
			return 0, fmt.Errorf("of %d rows of %s %d have arrived", here, t.name, there)
		}
		rows += here
	}
	return rows, s.freeze(ctx)
}

// holds reports whether the database has these records already, and perhaps what came later; an error if it has others.
func (s *Store) holds(ctx context.Context, head AuditHead) (bool, error) {
	var rows int64
	if err := s.readers.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM issuers) + (SELECT COUNT(*) FROM requests) + (SELECT COUNT(*) FROM audit)`).Scan(&rows); err != nil {
		return false, s.explain(err, "look for records")
	}
	if rows == 0 {
		return false, nil
	}
	for e, err := range s.Audit(ctx, head.Seq) {
		if err != nil {
			return false, err
		}
		if e.Seq == head.Seq && e.Hash() == head.Hash {
			return true, nil
		}
		break
	}
	return false, ErrNotEmpty
}

// receive copies every table in one transaction.
func (s *Store) receive(ctx context.Context, from *Store) error {
	conn, err := s.writers.Conn(ctx)
	if err != nil {
		return err
	}
	x := &session{store: s, conn: conn}
	defer x.close()
	return x.transaction(ctx, func(c *change) error {
		for _, t := range movedTables() {
			if err := c.receiveTable(from, t); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		return nil
	})
}

// movedAtOnce is how many rows are read before they are written.
const movedAtOnce = 1000

func (c *change) receiveTable(from *Store, t movedTable) (err error) {
	rows, err := from.readers.QueryContext(c.ctx, "SELECT "+strings.Join(t.columns, ", ")+" FROM "+t.name+" ORDER BY 1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	name, _, _ := strings.Cut(t.name, " ")
	into, width := name+" ("+strings.Join(t.columns, ", "), len(t.columns)
	if t.fixed != "" {
		into, width = into+", "+t.fixed, width+1
	}
	var waiting [][]any
	flush := func() error {
		err := c.insert(into+")", width, len(waiting), func(args []any, i int) []any { return append(args, waiting[i]...) })
		waiting = waiting[:0]
		return err
	}
	for rows.Next() {
		row, err := t.scan(rows, width)
		if err != nil {
			return err
		}
		if waiting = append(waiting, row); len(waiting) == movedAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(rows.Err(), flush()); err != nil {
		return err
	}
	if t.number == "" {
		return nil
	}
	return c.exec(`SELECT setval(` + t.of + `::text::regclass, GREATEST((SELECT COALESCE(MAX(` + t.number + `), 0) FROM ` + name + `), 1), EXISTS (SELECT 1 FROM ` + name + `))`)
}

// scan reads a row as PostgreSQL takes it.
func (t movedTable) scan(rows *sql.Rows, width int) ([]any, error) {
	row, into := make([]any, len(t.columns), width), make([]any, len(t.columns))
	for i := range row {
		into[i] = &row[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	for i, v := range row {
		isBytes := strings.Contains(t.bytes, " "+t.columns[i]+" ")
		switch v := v.(type) {
		case string:
			if isBytes {
				row[i] = []byte(v)
			}
		case []byte:
			switch {
			case !isBytes:
				row[i] = string(v)
			case len(v) == 0:
				row[i] = []byte{} // SQLite's driver has nil for no bytes, which PostgreSQL's takes for no value
			}
		}
	}
	if width > len(row) {
		row = append(row, int64(0)) // of no node that lives
	}
	return row, nil
}

// freeze has SQLite refuse what would add to these records from now on.
func (s *Store) freeze(ctx context.Context) error {
	return s.do(ctx, &write{run: func(c *change) error {
		for _, table := range []string{"audit", "requests", "acme_accounts", "acme_orders", "acme_authorizations"} {
			if err := c.exec(`CREATE TRIGGER IF NOT EXISTS moved_` + table + ` BEFORE INSERT ON ` + table + ` BEGIN SELECT RAISE(ABORT, '` + movedMark + `'); END`); err != nil {
				return err
			}
		}
		return nil
	}})
}
