// Command phantom writes a generated CT to a folder: data for transfer.sh where there is no other.
//
//	go run ./cmd/curbside/testdata/bench/phantom DIR [SLICES [SIDE [SEED]]]
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
)

func main() {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprintln(os.Stderr, "usage: phantom DIR [SLICES [SIDE [SEED]]]")
		os.Exit(2)
	}
	o := phantom.Options{Seed: uint64(number(4, 1)), Slices: number(2, 300), Side: number(3, 512)}
	if err := os.MkdirAll(os.Args[1], 0o700); err != nil {
		fail(err)
	}
	for i, f := range phantom.CT(o).Files {
		if err := os.WriteFile(filepath.Join(os.Args[1], fmt.Sprintf("%05d.dcm", i+1)), f, 0o600); err != nil {
			fail(err)
		}
	}
}

func number(arg, otherwise int) int {
	if len(os.Args) <= arg {
		return otherwise
	}
	n, err := strconv.Atoi(os.Args[arg])
	if err != nil {
		fail(err)
	}
	return n
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "phantom:", err)
	os.Exit(1)
}
