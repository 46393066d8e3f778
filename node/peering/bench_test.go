package peering

import (
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/blob"
	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
)

// BenchmarkTransfer moves studies over one session on loopback, into memory: what
// the wire, the proofs and the protocol cost. ct is 300 heads and 300 bulks of the
// size a CT has after packing, big is one blob of 256 MiB.
func BenchmarkTransfer(b *testing.B) {
	for _, tr := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		name := "tcp"
		if tr[len(tr)-1] == '1' {
			name = "quic"
		}
		b.Run(name+"/ct", func(b *testing.B) {
			sizes := make([]uint64, 0, 600)
			for range 300 {
				sizes = append(sizes, 4000)
			}
			for range 300 {
				sizes = append(sizes, 160_000)
			}
			benchTransfer(b, tr, sizes)
		})
		b.Run(name+"/big", func(b *testing.B) { benchTransfer(b, tr, []uint64{256 << 20}) })
	}
}

func benchTransfer(b *testing.B, tr string, sizes []uint64) {
	b.Helper()
	listen := func(c *Config) { c.Listen = []string{tr} }
	x, y := start(b, listen), start(b, listen)
	exchangetest.Befriend(x.local, y.local)
	id := x.local.Found("case", y.local)
	y.meet(x)
	y.level(id, 1)
	got := make(chan blob.ID, len(sizes))
	y.local.OnStore = func(id blob.ID) { got <- id }
	total := 0
	seed := uint32(0)
	b.ResetTimer()
	b.StopTimer()
	for range b.N {
		total = 0
		for i, n := range sizes {
			seed++
			bid, length := x.local.Offer(id, seed, n)
			prio := 3
			if n < 10_000 {
				prio = 2
			}
			y.local.Plan.Add(exchange.Goal{Thread: id, Blob: bid, Length: length, Priority: prio, Order: uint64(i)})
			total += int(length)
		}
		b.StartTimer()
		begun := time.Now()
		y.Wanted()
		for range sizes {
			<-got
		}
		b.ReportMetric(float64(total)/1e6/time.Since(begun).Seconds(), "MB/s-last")
		b.StopTimer()
	}
	b.SetBytes(int64(total))
}
