package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// widest is the width in characters above which a message in a table is folded.
const widest = 60

// print writes v as JSON, or the rows as a table.
func (r *run) print(v any, header table.Row, rows []table.Row) error {
	if r.json() {
		e := json.NewEncoder(r.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	if len(rows) == 0 {
		return nil
	}
	t := table.NewWriter()
	t.SetOutputMirror(r.Stdout)
	t.SetStyle(plain())
	t.AppendHeader(header)
	t.AppendRows(rows)
	configs := make([]table.ColumnConfig, 0, len(header))
	for i := range header {
		configs = append(configs, table.ColumnConfig{Number: i + 1, WidthMax: widest, WidthMaxEnforcer: text.WrapSoft})
	}
	t.SetColumnConfigs(configs)
	t.Render()
	return nil
}

// plain is a table that reads well in a terminal, in a mail and through grep: two blanks between columns and nothing else.
func plain() table.Style {
	s := table.StyleDefault
	s.Options = table.Options{}
	s.Box.PaddingLeft, s.Box.PaddingRight = "", "  "
	s.Format.Header = text.FormatUpper
	return s
}

// say prints a line that only people read.
func (r *run) say(format string, args ...any) {
	if !r.json() {
		fmt.Fprintf(r.Stdout, format+"\n", args...)
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
