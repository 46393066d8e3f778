// Command curbside is the node, its command line and its terminal interface in one program.
//
// Its manners, which README.md beside this file promises to scripts: data on stdout, talk on
// stderr; exit status 0 done, 1 refused or failed with a line "error: …" and often "hint: …",
// 2 wrong usage. Every command is a client of node/control. It speaks to the node that runs on
// its home, or opens the home itself and calls the same handler in process, so there is one path.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(mainCode()) }

// mainCode is main with its exit status, which scripts run too (testdata/script).
func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
