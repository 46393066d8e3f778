package exchange_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/curbside-p2p/curbside/protocol/exchange"
	"github.com/curbside-p2p/curbside/protocol/exchange/exchangetest"
)

// FuzzSession feeds raw bytes to a whole session: before any proof, as a stranger
// with a good proof, and as a contact who is a member of a case. Whatever comes, it
// ends, nothing of a case reaches who is no member, and nothing that does not verify
// is stored.
func FuzzSession(f *testing.F) {
	for i := range uint8(3) {
		f.Add(i, bytes.Join(exchange.Samples(), nil))
		for _, s := range exchange.Samples() {
			f.Add(i, s)
		}
	}
	local, other, third := exchangetest.New(f), exchangetest.New(f), exchangetest.New(f)
	stranger := exchangetest.New(f)
	local.Meet(other)
	id := local.Found("case", other)
	secret := local.Found("secret", third)
	shared, _ := local.Offer(id, 1, 100_000)
	f.Fuzz(func(t *testing.T, stage uint8, raw []byte) {
		ca, cb := net.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- exchange.New(exchange.Config{Self: peerA, Peer: peerB, Local: local, Clock: exchangetest.Clock{}}).Run(t.Context(), ca)
		}()
		cfg := exchange.Config{Initiator: true, Self: peerB, Peer: peerA}
		var err error
		switch stage % 3 {
		case 1:
			_, err = exchange.Greet(cb, cfg, stranger.Device)
		case 2:
			_, err = exchange.Greet(cb, cfg, other.Device)
		}
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan []byte, 1)
		go func() {
			var got bytes.Buffer
			_, _ = io.Copy(&got, cb)
			heard <- got.Bytes()
		}()
		_ = cb.SetWriteDeadline(time.Now().Add(10 * time.Second))
		_, _ = cb.Write(raw)
		_ = cb.Close()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("the session does not end")
		}
		got := <-heard
		if bytes.Contains(got, secret[:]) {
			t.Fatal("an item or the name of a case went to who is no member")
		}
		if stage%3 != 2 && (bytes.Contains(got, shared[:]) || bytes.Contains(got, id[:])) {
			t.Fatal("a stranger was served")
		}
	})
}
