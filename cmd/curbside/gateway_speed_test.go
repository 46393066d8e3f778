package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/consult/study/phantom"
	"github.com/curbside-p2p/curbside/node/control"
)

// TestHospitalSpeed measures whole programs in one run: storescu to storescp and to us, and us to
// storescp, with 300 CT slices. It judges nothing: machines and their disks differ.
//
//	CURBSIDE_HEAVY=1 go test ./cmd/curbside -run HospitalSpeed -v                  tools as they are: they wait for delayed ACKs
//	CURBSIDE_HEAVY=1 TCP_NODELAY=1 go test ./cmd/curbside -run HospitalSpeed -v    tools without that wait
func TestHospitalSpeed(t *testing.T) {
	heavy(t)
	tool(t, "storescu", "storescp")
	p, port := newClinic(t)
	addr, kept, dir := freeAddr(t), t.TempDir(), t.TempDir()
	for i, f := range phantom.CT(phantom.Options{Seed: 1, Slices: 300}).Files {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	background(t, addr, "storescp", "-aet", "PACS", "-od", kept, "+xa", "--bit-preserving", portOf(addr))
	p.must(nil, "gateway", "destination", "add", "pacs", "--aet", "PACS", "--host", "127.0.0.1", "--port", portOf(addr))
	store := func(aec, port string) time.Duration {
		start := time.Now()
		if said, err := says(t, "storescu", "-aet", "TOOL", "-aec", aec, "+sd", "127.0.0.1", port, dir); err != nil {
			t.Fatal(err, said)
		}
		return time.Since(start)
	}
	for range 3 {
		theirs, ours := store("PACS", portOf(addr)), store("CURBSIDE", port)
		id := ask(p, control.StudyList, control.None{})[0].Study
		var sent control.GatewaySent
		p.must(&sent, "gateway", "send", "pacs", "--study", id)
		t.Logf("receive: storescp %v, curbside %v, ratio %.2f; send: storescu %v, curbside %.2f s, ratio %.2f",
			theirs, ours, theirs.Seconds()/ours.Seconds(), theirs, sent.Seconds, theirs.Seconds()/sent.Seconds)
		p.must(nil, "study", "remove", id)
	}
}
