package reason_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/certpace/certpace/internal/reason"
)

func TestEveryDeclaredReasonIsListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		word, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		declared++
		if !reason.Known(reason.Reason(word)) {
			t.Errorf("%s is declared, but in no list", word)
		}
		return true
	})
	if declared != 28 {
		t.Errorf("%d reasons are declared; the contract has 28", declared)
	}
}

func TestListsAreCopies(t *testing.T) {
	reason.Planning()[0] = "spoilt"
	if reason.Planning()[0] != reason.Scheduled {
		t.Error("a caller changed the vocabulary")
	}
}

func TestByCA(t *testing.T) {
	byCA := map[reason.Reason]bool{
		reason.CAUnavailable: true, reason.CARefused: true, reason.RateLimited: true, reason.AccountPaused: true, reason.CAAForbids: true, reason.BadCertificate: true,
	}
	for _, r := range append(reason.Failing(), reason.Planning()...) {
		if r.ByCA() != byCA[r] {
			t.Errorf("%s: %t", r, r.ByCA())
		}
	}
}
