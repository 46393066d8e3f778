package exchange_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
)

// mangle passes frames from one end to the other as fate says: a frame comes out as
// often as it returns.
func mangle(from io.Reader, to io.WriteCloser, fate func(typ uint8) int) {
	defer func() { _ = to.Close() }()
	r := bufio.NewReader(from)
	for {
		typ, raw, err := exchange.ReadRaw(r)
		if err != nil {
			return
		}
		for range fate(typ) {
			if _, err := to.Write(raw); err != nil {
				return
			}
		}
	}
}

// connectMangled is connect with somebody between who loses and repeats frames.
func connectMangled(t *testing.T, a, b *exchangetest.Local, fate func(typ uint8) int) *link {
	t.Helper()
	ca, ma := net.Pipe()
	cb, mb := net.Pipe()
	go mangle(ma, mb, fate)
	go mangle(mb, ma, fate)
	return runLink(t, a, b, ca, cb, func(sa, sb *exchange.Session) { a.OnChange, b.OnChange = sa.Changed, sb.Changed })
}

// TestNeed: one frame of entries is lost; what comes after rests on it, and is asked for.
func TestNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := exchangetest.New(t), exchangetest.New(t)
		exchangetest.Befriend(a, b)
		id := a.Found("case", b)
		var lose atomic.Bool
		var needs atomic.Int32
		l := connectMangled(t, a, b, func(typ uint8) int {
			if typ == exchange.FrameNeed {
				needs.Add(1)
			}
			if typ == exchange.FrameEntries && lose.Swap(false) {
				return 0
			}
			return 1
		})
		synctest.Wait()
		lose.Store(true)
		a.Say(id, "lost")
		synctest.Wait()
		wantCount(t, b, id, 1)
		a.Say(id, "rests on it")
		synctest.Wait()
		if needs.Load() == 0 {
			t.Error("nothing was asked for")
		}
		// The item that waited is not kept by this Local: the next session brings it.
		l.close()
		l = connect(t, a, b, 0)
		synctest.Wait()
		wantCount(t, b, id, 3)
		l.close()
	})
}

// TestMangled: entries lost and repeated at random, in both directions; two copies
// are level after one clean session, and nothing is there twice.
func TestMangled(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			var fates [64]int
			for i := range fates {
				fates[i] = r.IntN(4) // 0 lost, 1, 2 and 3 times
			}
			var next atomic.Uint32
			a, b := exchangetest.New(t), exchangetest.New(t)
			exchangetest.Befriend(a, b)
			id := a.Found("case", b)
			l := connectMangled(t, a, b, func(typ uint8) int {
				if typ != exchange.FrameEntries && typ != exchange.FrameNeed {
					return 1
				}
				return fates[next.Add(1)%uint32(len(fates))]
			})
			said := 1
			for i := range 30 {
				x := []*exchangetest.Local{a, b}[i%2]
				if x.Count(id) > 0 {
					x.Say(id, fmt.Sprint("text ", i))
					said++
				}
				if i%3 == 0 {
					synctest.Wait()
				}
			}
			synctest.Wait()
			l.close()
			for range 4 { // this Local keeps no orphans: two more rounds may be needed
				l = connect(t, a, b, 0)
				synctest.Wait()
				l.close()
			}
			wantCount(t, a, id, said)
			wantCount(t, b, id, said)
		})
	}
}
