package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// maxScenario is how many bytes a scenario may have; the fleet is in a file of its own.
const maxScenario = 64 << 10

// maxNesting bounds brackets within brackets: a scenario needs two, and the parser recurses.
const maxNesting = 50

// rawScenario is a scenario as written. Every value is text first, so that what is wrong with one can be said with its field's name.
type rawScenario struct {
	Start    text `yaml:"start"`
	Duration text `yaml:"duration"`
	Seed     text `yaml:"seed"`
	CA       struct {
		Lifetime text `yaml:"lifetime"`
		ARI      text `yaml:"ari"`
	} `yaml:"ca"`
	Limits    rawLimits           `yaml:"limits"`
	Overrides map[string]rawLimit `yaml:"overrides"`
	Worker    struct {
		SecondsPerIssuance text `yaml:"seconds_per_issuance"`
	} `yaml:"worker"`
	Tick         text `yaml:"tick"`
	PlannerShare text `yaml:"planner_share"`
	Failures     struct {
		Validation  text `yaml:"validation"`
		Unavailable text `yaml:"unavailable"`
	} `yaml:"failures"`
	Broken struct {
		Share text `yaml:"share"`
		From  text `yaml:"from"`
		For   text `yaml:"for"`
	} `yaml:"broken"`
	Revoke struct {
		Share    text `yaml:"share"`
		At       text `yaml:"at"`
		Deadline text `yaml:"deadline"`
	} `yaml:"revoke"`
	Fleet struct {
		File              text `yaml:"file"`
		Certificates      text `yaml:"certificates"`
		DomainsPer        text `yaml:"domains_per_certificate"`
		RegisteredDomains text `yaml:"registered_domains"`
		PerSet            text `yaml:"certificates_per_set"`
		IssuedOver        text `yaml:"issued_over"`
		IssuedBefore      text `yaml:"issued_before"`
		WantedOver        text `yaml:"wanted_over"`
	} `yaml:"fleet"`
}

// rawLimit is a limit as written.
type rawLimit struct {
	Burst  text `yaml:"burst"`
	Count  text `yaml:"count"`
	Period text `yaml:"period"`
}

// rawLimits is the name of a limit set, or the limits themselves.
type rawLimits struct {
	set    text
	limits map[string]rawLimit
}

// UnmarshalYAML takes either form.
func (l *rawLimits) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&l.set) == nil {
		return nil
	}
	return unmarshal(&l.limits)
}

// text is a scalar: a string, a number or a boolean, as it was written.
type text string

// UnmarshalYAML refuses what isn't a scalar.
func (t *text) UnmarshalYAML(unmarshal func(any) error) error {
	var v any
	if err := unmarshal(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		*t = text(v)
	case bool, int, int64, uint64, float64:
		*t = text(fmt.Sprint(v))
	default:
		return errors.New("a single value is wanted here, not a list or a map")
	}
	return nil
}

func decode(r io.Reader) (raw rawScenario, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxScenario+1))
	if err != nil {
		return raw, fmt.Errorf("reading the scenario: %w", err)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case len(data) > maxScenario:
		return raw, fmt.Errorf("scenario: has more than %d bytes; put the fleet into a file of its own (fleet: {file: …})", maxScenario)
	case nests(data):
		return raw, fmt.Errorf("scenario: nests more than %d levels deep; it needs two", maxNesting)
	}
	defer func() {
		if recover() != nil { // the parser gives up on some input by panicking
			err = errors.New("scenario: the parser can't read it; simplify what is unusual in the file")
		}
	}()
	if line := aliased(data); line > 0 {
		return raw, fmt.Errorf("scenario: line %d: has a YAML anchor, alias or merge key; write the value itself", line)
	}
	err = yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&raw)
	switch {
	case errors.Is(err, io.EOF):
		return raw, errors.New("scenario: is empty; give start, duration and fleet")
	case err != nil:
		return raw, syntax(err)
	}
	return raw, nil
}

// aliased is the first line with an anchor, an alias or a merge key, 0 for none: a few lines of
// them can stand for more than memory bears.
func aliased(data []byte) (line int) {
	for _, t := range lexer.Tokenize(string(data)) {
		if t.Type == token.AnchorType || t.Type == token.AliasType || t.Type == token.MergeKeyType {
			return t.Position.Line
		}
	}
	return 0
}

// nests says whether brackets, or the dashes and question marks that begin a line, go deeper than any scenario.
func nests(data []byte) bool {
	open, dashes, indent := 0, 0, true
	for _, c := range data {
		switch c {
		case '[', '{':
			open++
		case ']', '}':
			open = max(0, open-1)
		case '\n':
			dashes, indent = 0, true
			continue
		case '-', '?', ':':
			if indent {
				dashes++
			}
		case ' ', '\t':
		default:
			indent = false
		}
		if open > maxNesting || dashes > maxNesting {
			return true
		}
	}
	return false
}

// syntax is the parser's error on one line, with the line's number.
func syntax(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("scenario: %s", oneLine(err.Error()))
	}
	message := oneLine(at.GetMessage())
	if strings.HasPrefix(message, "unknown field") {
		message += "; the fields are those of scenarios/README.md, remove it or correct its name"
	}
	return fmt.Errorf("scenario: line %d: %s", at.GetToken().Position.Line, message)
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\ufffd'
	}, strings.Join(strings.Fields(s), " "))
}
