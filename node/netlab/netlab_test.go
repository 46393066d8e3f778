// Package netlab runs the real program on networks that exist only for it: namespaces of Linux, made by
// netlab.sh, which says what its scenarios are (netlab.sh list) and can be run by hand.
//
//	go test ./node/netlab -v -scenarios quick         mdns, nomulticast and latecable: under a minute
//	go test ./node/netlab -v -scenarios all -timeout 30m
//	go test ./node/netlab -v -scenarios 'chaos 600 7;nat cone symmetric' -timeout 30m
//
// Without -scenarios nothing runs: the links, the processes and the seconds are too many for go test ./...
package netlab

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var scenarios = flag.String("scenarios", "", "quick, all, or scenarios with their arguments, separated by ;")

// What quick and all stand for. The tests of all take about five minutes on two idle cores.
var sets = map[string]string{
	"quick": "mdns;nomulticast;latecable",
	"all": "mdns;islands;nat cone cone;nat cone symmetric;nat symmetric symmetric;chaos;" +
		"nomulticast;nobeacon;latecable;lateaddress;newaddress;secondcard;lanonly",
}

// skipped is the exit status of netlab.sh where it cannot work.
const skipped = 77

func TestScenarios(t *testing.T) {
	if *scenarios == "" {
		t.Skip("SKIP -scenarios is not set: the network namespaces are not tested")
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("SKIP not root on Linux: the network namespaces are not tested")
	}
	for _, tool := range []string{"bash", "ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIP the network namespaces are not tested: %s not installed", tool)
		}
	}
	env := programs(t)
	todo := *scenarios
	if set, ok := sets[todo]; ok {
		todo = set
	}
	for s := range strings.SplitSeq(todo, ";") {
		t.Run(s, func(t *testing.T) { run(t, env, strings.Fields(s)) })
	}
}

// programs builds what the scenarios run.
func programs(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir,
		"../../cmd/curbside", "../../cmd/curbside-relay", "../../cmd/curbside/testdata/bench/phantom")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return append(os.Environ(), "CURBSIDE="+filepath.Join(dir, "curbside"),
		"CURBSIDE_RELAY="+filepath.Join(dir, "curbside-relay"), "PHANTOM="+filepath.Join(dir, "phantom"))
}

func run(t *testing.T, env, args []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append([]string{"netlab.sh"}, args...)...)
	cmd.Env = env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == skipped {
		t.Skip("SKIP this system makes no network namespaces")
	}
	if err != nil || !strings.Contains(string(out), "\nok "+args[0]+" ") {
		t.Fatalf("%v: %v", args, err)
	}
}
