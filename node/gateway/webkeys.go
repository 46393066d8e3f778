package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/storage/durable"
)

const (
	// offerTime is how long a hand-off's key is good after it was last used (FIELD §7), offerMost how
	// long it is at all: a reading session ends some time.
	offerTime = 15 * time.Minute
	offerMost = 12 * time.Hour
	// offersMax bounds the hand-offs at one time; the one not used for longest goes first.
	offersMax = 64
	// keyFileMax bounds the file of a key.
	keyFileMax = 4 << 10
	// keyCharsMin keeps a key that somebody wrote into the file from being guessed.
	keyCharsMin = 20
)

// keyHash is what a key is compared by: finding it says nothing about how near a guess was.
type keyHash [sha256.Size]byte

func hashKey(key string) keyHash { return sha256.Sum256([]byte(key)) }

func newKey() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func keyFiles(dir string) (read, write string) {
	return filepath.Join(dir, "read-token"), filepath.Join(dir, "write-token")
}

// openKeys reads the keys of the listener: one that reads, and one that stores as well. They stay
// from run to run, since other systems are configured with them; removing a file makes a new one.
func openKeys(dir string) (read, write keyHash, err error) {
	if err := (*durable.Disk)(nil).MkdirAll(dir); err != nil {
		return read, write, fmt.Errorf("make folder of web keys: %w", err)
	}
	r, w := keyFiles(dir)
	if read, err = openKey(r); err != nil {
		return read, write, err
	}
	write, err = openKey(w)
	return read, write, err
}

func openKey(file string) (keyHash, error) {
	b, err := durable.ReadLimited(file, keyFileMax)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(newKey() + "\n")
		err = (*durable.Disk)(nil).Replace(file, b)
	}
	if err != nil {
		return keyHash{}, fmt.Errorf("read web key: %w", err)
	}
	if info, err := os.Stat(file); err == nil && tooOpen(info.Mode()) {
		return keyHash{}, fmt.Errorf("the web key %s can be read by others: chmod 600", filepath.Base(file))
	}
	key := strings.TrimSpace(string(b))
	if len(key) < keyCharsMin {
		return keyHash{}, fmt.Errorf("the web key %s is shorter than %d characters: remove the file for a new one", filepath.Base(file), keyCharsMin)
	}
	return hashKey(key), nil
}

// offers are the keys of hand-offs, in memory alone.
type offers struct {
	now func() time.Time

	mu  sync.Mutex // guards all
	all map[keyHash]*offer
}

type offer struct {
	shelf      Shelf
	made, used time.Time
}

func newOffers(now func() time.Time) *offers {
	if now == nil {
		now = time.Now
	}
	return &offers{now: now, all: map[keyHash]*offer{}}
}

func (o *offers) add(shelf Shelf) (key string, until time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key = newKey()
	now := o.now()
	o.sweep(now)
	if len(o.all) >= offersMax {
		var oldest keyHash
		for h, x := range o.all {
			if first := o.all[oldest]; first == nil || x.used.Before(first.used) {
				oldest = h
			}
		}
		delete(o.all, oldest)
	}
	o.all[hashKey(key)] = &offer{shelf: shelf, made: now, used: now}
	return key, now.Add(offerTime)
}

func (o *offers) find(h keyHash) (Shelf, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	o.sweep(now)
	x := o.all[h]
	if x == nil {
		return nil, false
	}
	x.used = now
	return x.shelf, true
}

func (o *offers) sweep(now time.Time) {
	for h, x := range o.all {
		if now.Sub(x.used) > offerTime || now.Sub(x.made) > offerMost {
			delete(o.all, h)
		}
	}
}
