package peering

import (
	"crypto/rand"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/curbside-p2p/curbside/protocol/identity"
)

// NewKey makes a node key: Ed25519, unrelated to any person (FORMATS §2).
func NewKey() ([]byte, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	b, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	return b, nil
}

// PeerOf gives the PeerID of a node key.
func PeerOf(key []byte) (identity.PeerID, error) {
	k, err := crypto.UnmarshalPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("node key: %w", err)
	}
	id, err := peer.IDFromPrivateKey(k)
	if err != nil {
		return "", fmt.Errorf("node key: %w", err)
	}
	return identity.PeerID(id), nil
}

// Text renders a PeerID as libp2p does everywhere.
func Text(id identity.PeerID) string { return peer.ID(id).String() }

// ParsePeer reads what Text writes.
func ParsePeer(text string) (identity.PeerID, error) {
	id, err := peer.Decode(text)
	if err != nil {
		return "", fmt.Errorf("peer id: %w", err)
	}
	return identity.PeerID(id), nil
}
