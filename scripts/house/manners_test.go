package house

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// codecs take now and bytes and return bytes and decisions: no goroutine, lock,
// socket or clock, so that a night of them runs in virtual time and any frame
// can be replayed.
var codecs = []string{
	"plc/axdr", "plc/cosem", "plc/mac", "plc/llc", "plc/ciase", "plc/dlms", "plc/wrapper", "plc/hdlc", "plc/dissect", "uplink/envelope",
	"concentrator/roster", "concentrator/round", "concentrator/capture", "concentrator/order",
}

var clockCalls = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true,
	"NewTimer": true, "NewTicker": true, "Tick": true,
}

func TestCodecsHaveNoClockOrGoroutine(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || isGenerated(f) || !anyWithin(f.pkg, codecs) {
			continue
		}
		_, foreign := f.imports()
		for _, imp := range foreign {
			if imp == "net" || imp == "sync" || imp == "os" {
				t.Errorf("%s imports %s: a codec has no socket, lock or file", f.path, imp)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: goroutine in a codec", f.set.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && clockCalls[n.Sel.Name] {
					t.Errorf("%s: time.%s in a codec: now is an argument", f.set.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}

// parsers are the packages whose exported Parse functions face bytes from outside.
var parsers = []string{
	"plc/axdr", "plc/cosem", "plc/mac", "plc/llc", "plc/ciase", "plc/dlms", "plc/modem", "plc/wrapper", "plc/hdlc", "plc/trace",
	"uplink/envelope", "uplink/cellular",
}

// TestParsersAreFuzzed wants, in every package that exports a Parse function, at
// least one fuzz target and one test of truncated input.
func TestParsersAreFuzzed(t *testing.T) {
	type state struct {
		parses, fuzzed, truncated bool
		where                     string
	}
	seen := map[string]*state{}
	for _, f := range sources(t) {
		if !anyWithin(f.pkg, parsers) || isGenerated(f) {
			continue
		}
		s := seen[f.pkg]
		if s == nil {
			s = &state{}
			seen[f.pkg] = s
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := fn.Name.Name
			switch {
			case f.test && strings.HasPrefix(name, "Fuzz"):
				s.fuzzed = true
			case f.test && strings.HasPrefix(name, "Test") && strings.Contains(strings.ToLower(name), "truncat"):
				s.truncated = true
			case !f.test && parsesBytes(fn):
				s.parses, s.where = true, f.path+": "+name
			}
		}
	}
	for pkg, s := range seen {
		if s.parses && !s.fuzzed {
			t.Errorf("%s parses octets (%s) and has no fuzz target", pkg, s.where)
		}
		if s.parses && !s.truncated {
			t.Errorf("%s parses octets (%s) and has no test named Test…Truncat…", pkg, s.where)
		}
	}
}

func parsesBytes(fn *ast.FuncDecl) bool {
	if fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Parse") || fn.Type.Params.NumFields() == 0 {
		return false
	}
	arr, ok := fn.Type.Params.List[0].Type.(*ast.ArrayType)
	if !ok || arr.Len != nil {
		return false
	}
	elem, ok := arr.Elt.(*ast.Ident)
	return ok && elem.Name == "byte"
}

// banned are package names that say nothing.
var banned = []string{"util", "utils", "common", "helper", "helpers", "types", "base", "manager", "misc"}

func TestNamesAndDocs(t *testing.T) {
	documented := map[string]bool{}
	packages := map[string]string{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		name := f.ast.Name.Name
		packages[f.pkg] = name
		for _, b := range banned {
			if name == b {
				t.Errorf("%s: package %s: the name says nothing", f.path, name)
			}
		}
		if strings.HasSuffix(f.path, "/doc.go") && f.ast.Doc != nil {
			documented[f.pkg] = true
		}
		if name == "main" && f.ast.Doc != nil {
			documented[f.pkg] = true
		}
	}
	for pkg := range packages {
		if !documented[pkg] {
			t.Errorf("%s has no doc.go with a package comment", pkg)
		}
	}
}

// TestSizes keeps rooms small enough to read. Tables and generated code are exempt.
func TestSizes(t *testing.T) {
	const maxFile, maxFunc = 500, 70
	for _, f := range sources(t) {
		if f.test || isGenerated(f) {
			continue
		}
		if f.size > maxFile {
			t.Errorf("%s has %d lines, more than %d: does it still hold one idea?", f.path, f.size, maxFile)
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			lines := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
			if lines > maxFunc {
				t.Errorf("%s: %s has %d lines, more than %d", f.path, fn.Name.Name, lines, maxFunc)
			}
		}
	}
}

// TestExportedAreDocumented wants a comment on every exported function and type.
func TestExportedAreDocumented(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || isGenerated(f) {
			continue
		}
		for _, decl := range f.ast.Decls {
			checkDocumented(t, f, decl)
		}
	}
}

func checkDocumented(t *testing.T, f file, decl ast.Decl) {
	t.Helper()
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			t.Errorf("%s: %s has no comment", f.set.Position(d.Pos()), d.Name.Name)
		}
	case *ast.GenDecl:
		if d.Tok != token.TYPE || d.Doc != nil {
			return
		}
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() && s.Doc == nil {
				t.Errorf("%s: type %s has no comment", f.set.Position(s.Pos()), s.Name.Name)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// TestNoOpenEnds refuses marks of unfinished work.
func TestNoOpenEnds(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"}
	for _, f := range sources(t) {
		for _, group := range f.ast.Comments {
			for _, mark := range marks {
				if strings.Contains(group.Text(), mark) {
					t.Errorf("%s: %s in a comment: finish it or write it in the README's list of what is not done", f.set.Position(group.Pos()), mark)
				}
			}
		}
	}
}
