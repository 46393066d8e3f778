// The house rule of README.md (protocol carries, consult knows, storage keeps, node acts, tui shows, cmd starts), held by a test.
//
// It reads the import clauses itself rather than running the go command, for two reasons: files
// behind build tags count too, and the test cache notices when any of these files changes.
package main

import (
	"cmp"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rank is the house order. A package may import packages of its own folder and
// of folders with a lower rank.
var rank = map[string]int{"protocol": 0, "consult": 1, "storage": 2, "node": 3, "tui": 4, "cmd": 5}

// may lists the only packages of ours that a folder imports directly, beside its own.
var may = map[string][]string{
	"tui":        {"consult", "node/control"},
	"tui/raster": {},
}

// never lists what a package must not reach, even indirectly.
var never = map[string][]string{
	"tui":                {"storage", "node/desk", "node/peering", "node/relay", "node/gateway"},
	"node/control":       {"storage", "node/desk", "node/peering", "node/relay", "node/gateway"},
	"node/relay":         {"consult"},
	"cmd/curbside-relay": {"consult", "storage/vault", "storage/index"},
}

// home says which folders may import a big dependency.
var home = map[string][]string{
	"github.com/libp2p":            {"node/peering", "node/relay", "node/netlab"},
	"github.com/dgraph-io/badger":  {"storage"},
	"charm.land":                   {"tui"},
	"github.com/charmbracelet":     {"tui"},
	"github.com/suyashkumar/dicom": {"consult"},
}

func TestImportDirection(t *testing.T) {
	module, imports := readImports(t, "../..")
	for _, self := range slices.Sorted(maps.Keys(imports)) {
		for _, imp := range imports[self] {
			dep, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				for lib, rooms := range home {
					if within(imp, lib) && !withinAny(self, rooms) {
						t.Errorf("%s imports %s, whose home is %s", self, imp, strings.Join(rooms, ", "))
					}
				}
				continue
			}
			if rank[top(dep)] > rank[top(self)] {
				t.Errorf("%s imports %s: inward imports only", self, dep)
			}
			if only, ok := narrowest(may, self); ok && !withinAny(dep, only) && top(dep) != top(self) {
				t.Errorf("%s imports %s: it may import only [%s]", self, dep, strings.Join(only, ", "))
			}
		}
		for room, bad := range never {
			if !within(self, room) {
				continue
			}
			for dep, via := range reach(module, imports, self) {
				if withinAny(dep, bad) {
					t.Errorf("%s reaches %s (through %s)", self, dep, via)
				}
			}
		}
	}
}

// TestTopLevel: the top level is fixed; what a tool or a slip leaves there must not go in with a change.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	fixed := []string{"LICENSE", "README.md", "cmd", "consult", "go.mod", "go.sum", "node", "protocol", "storage", "tui"}
	git := exec.CommandContext(t.Context(), "git", "ls-files")
	git.Dir = "../.."
	out, err := git.Output()
	if err != nil {
		t.Skipf("SKIP this is no git checkout: %v", err)
	}
	for file := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(file), "/")
		if name[0] != '.' && !slices.Contains(fixed, name) {
			t.Errorf("%q stands at the top level, where only %s and dot-files do", name, strings.Join(fixed, ", "))
		}
	}
}

// readImports returns the module path and, for each folder with Go files, the
// imports of its files without tests.
func readImports(t *testing.T, root string) (module string, imports map[string][]string) {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if m, ok := strings.CutPrefix(line, "module "); ok {
			module = strings.TrimSpace(m)
		}
	}
	imports = map[string][]string{}
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (name == "testdata" || name[0] == '.' || name[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		self := filepath.ToSlash(rel)
		if _, known := rank[top(self)]; !known {
			t.Errorf("%s: no such room; the top level is fixed", self)
		}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports[self] = append(imports[self], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if module == "" || len(imports) == 0 {
		t.Fatal("found no module or no packages: this test would prove nothing")
	}
	return module, imports
}

// reach returns each package of ours that self depends on, with the import that leads to it.
func reach(module string, imports map[string][]string, self string) map[string]string {
	via := map[string]string{}
	for todo := []string{self}; len(todo) > 0; todo = todo[1:] {
		for _, imp := range imports[todo[0]] {
			dep, ours := strings.CutPrefix(imp, module+"/")
			if _, seen := via[dep]; ours && !seen {
				via[dep] = todo[0]
				todo = append(todo, dep)
			}
		}
	}
	return via
}

// narrowest returns the rule of the longest folder that contains pkg.
func narrowest(rules map[string][]string, pkg string) ([]string, bool) {
	rooms := slices.DeleteFunc(slices.Collect(maps.Keys(rules)), func(r string) bool { return !within(pkg, r) })
	if len(rooms) == 0 {
		return nil, false
	}
	return rules[slices.MaxFunc(rooms, func(a, b string) int { return cmp.Compare(len(a), len(b)) })], true
}

func withinAny(pkg string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return within(pkg, d) })
}

func within(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

func top(pkg string) string { first, _, _ := strings.Cut(path.Clean(pkg), "/"); return first }
