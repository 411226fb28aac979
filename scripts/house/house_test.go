package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "busbar"

// file is one parsed source file of the house.
type file struct {
	path string // relative to the root, slash separated
	pkg  string // directory of the package, relative to the root
	test bool
	set  *token.FileSet
	ast  *ast.File
	size int // lines
}

// sources parses every Go file of the repository.
func sources(t *testing.T) []file {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || name == "bin" || name == "out" || strings.HasPrefix(name, ".") && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parse(root, path)
		if err == nil {
			files = append(files, f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found only %d Go files below %s: the walk is broken", len(files), root)
	}
	return files
}

func parse(root, path string) (file, error) {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return file{}, err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return file{}, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, path, src, parser.ParseComments)
	if err != nil {
		return file{}, err
	}
	rel = filepath.ToSlash(rel)
	return file{
		path: rel, pkg: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(rel, "_test.go"),
		set: set, ast: tree, size: strings.Count(string(src), "\n"),
	}, nil
}

// imports returns the import paths of f; those of the house without the module name.
func (f file) imports() (house, foreign []string) {
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if rest, ok := strings.CutPrefix(path, module+"/"); ok {
			house = append(house, rest)
		} else {
			foreign = append(foreign, path)
		}
	}
	return house, foreign
}

// within reports whether pkg is room or lies below it.
func within(pkg, room string) bool {
	return pkg == room || strings.HasPrefix(pkg, room+"/")
}

func anyWithin(pkg string, rooms []string) bool {
	for _, room := range rooms {
		if within(pkg, room) {
			return true
		}
	}
	return false
}

func isGenerated(f file) bool { return ast.IsGenerated(f.ast) }
