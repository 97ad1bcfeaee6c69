package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/certpace/certpace/internal/printable"
)

// widest is the width in characters above which a message in a table is folded.
const widest = 60

// print writes v as JSON, or the rows as a table.
func (r *run) print(v any, header table.Row, rows []table.Row) error {
	if r.json() {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return fmt.Errorf("printing the result: %w", err)
		}
		return r.writeJSON(text)
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := io.WriteString(r.Stdout, tabular(header, rows)+"\n")
	return err
}

// writeJSON writes one JSON value and ends its line.
func (r *run) writeJSON(text []byte) error {
	_, err := r.Stdout.Write(append(printable.JSON(text), '\n'))
	return err
}

// tabular lays rows out. No cell can break its line, or make one that looks like another row: its
// own line breaks are written by their names, and the first column, in which a row begins, is never
// folded.
func tabular(header table.Row, rows []table.Row) string {
	t := table.NewWriter()
	t.SetStyle(plain())
	t.AppendHeader(header)
	for _, row := range rows {
		t.AppendRow(cells(row))
	}
	configs := make([]table.ColumnConfig, 0, len(header))
	for i := 1; i < len(header); i++ {
		configs = append(configs, table.ColumnConfig{Number: i + 1, WidthMax: widest, WidthMaxEnforcer: text.WrapSoft})
	}
	t.SetColumnConfigs(configs)
	return t.Render()
}

// cells makes a row's texts printable, whatever their types are called. Numbers stay numbers, which
// stand at the right.
func cells(row table.Row) table.Row {
	clean := make(table.Row, len(row))
	for i, v := range row {
		if reflect.ValueOf(v).CanInt() {
			clean[i] = v
			continue
		}
		clean[i] = printable.Line(fmt.Sprint(v))
	}
	return clean
}

// plain is a table that reads well in a terminal, in a mail and through grep: two blanks between columns and nothing else.
func plain() table.Style {
	s := table.StyleDefault
	s.Options = table.Options{}
	s.Box.PaddingLeft, s.Box.PaddingRight = "", "  "
	s.Format.Header = text.FormatUpper
	return s
}

// say prints a line that only people read. That it could not be written is known to the stream, and
// said when the verb is done.
func (r *run) say(format string, args ...any) {
	if !r.json() {
		fmt.Fprintln(r.Stdout, printable.Line(fmt.Sprintf(format, args...)))
	}
}

// moment is a time in a table: UTC, to the second; a dash for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// span says how far away a moment is, in the two units that matter.
func span(d time.Duration) string {
	if d < 0 {
		return span(-d) + " ago"
	}
	day := 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// optional is a time in JSON: null for none.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
