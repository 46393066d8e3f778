package seal

import (
	"encoding/hex"
	"testing"

	"github.com/curbside-p2p/curbside/protocol/wire"
)

// The anchors of FORMATS §14; another implementation computed them.
func TestAnchors(t *testing.T) {
	got := hex.EncodeToString(SealWithSalt(wire.Secret{}, "test", nil, [24]byte{}))
	want := "000000000000000000000000000000000000000000000000b3fcf6387b766d1a550349e64946f08a270a2621bc91a2f4ba60dc9424be7e924011d29a76e6b2146ebb9161508df300"
	if got != want {
		t.Errorf("SEAL: got %s, want %s", got, want)
	}
	sealed, ref, leaves := Blob(wire.Secret{}, Bulk, make([]byte, 65536))
	if got, want := ref.ID.String(), "4e2f0de2b56e8d9656a6e8630fa4478a0c0412af5ea92c452c7085b6c2e0cb60"; got != want {
		t.Errorf("BlobID: got %s, want %s", got, want)
	}
	if len(sealed) != 65672 || len(leaves) != 3 {
		t.Errorf("blob: got %d bytes, %d leaves, want 65672, 3", len(sealed), len(leaves))
	}
}
