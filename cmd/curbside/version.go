package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// formats is the version of the formats of protocol/README.md that this program speaks.
const formats = 1

// release is set by the linker: -X main.release=v1.2.3.
var release string

// version is what this program calls itself.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// commit is the revision that this program was built from, "" where the build did not know.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	rev, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	return rev + dirty
}

func (a *app) versionCmd() *cobra.Command {
	type versions struct {
		Version string  `json:"version"`
		Commit  *string `json:"commit"`
		Go      string  `json:"go"`
		Formats int     `json:"formats"`
	}
	return &cobra.Command{
		Use:     "version",
		Short:   "print the version of program and formats",
		Example: "  curbside version --json",
		Args:    places(),
		RunE: a.work(func(*cobra.Command, []string) error {
			v := versions{Version: version(), Go: runtime.Version(), Formats: formats}
			if c := commit(); c != "" {
				v.Commit = &c
			}
			return a.emit(v, func(pg *page) {
				pg.field("version", v.Version)
				pg.field("commit", v.Commit)
				pg.field("go", v.Go)
				pg.field("formats", v.Formats)
			})
		}),
	}
}
