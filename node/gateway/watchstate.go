package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/curbside-p2p/curbside/storage/durable"
)

// watchStateMax bounds the file of a watch's memory: a million files.
const watchStateMax = 256 << 20

// watchState is what a watch remembers: which file, as long and as old as it was, ended how. Names
// of files may be names of patients, so that the file on disk has a keyed hash of each; those that
// were refused are listed by name in memory alone, and read again after a restart.
//
//	{"key": 32 bytes hex, "files": {hash: [size, mtime, 1 taken | 2 refused]}}
type watchState struct {
	path string

	mu      sync.Mutex // guards all below
	key     []byte
	files   map[string][3]int64
	refused []Refusal
	listed  map[string]bool // files of this run that are in refused
	changed bool
}

const (
	stateTaken   = 1
	stateRefused = 2
)

type watchFile struct {
	Key   string              `json:"key"`
	Files map[string][3]int64 `json:"files"`
}

// openWatchState reads the memory; what is damaged is forgotten, since importing again adds nothing.
func openWatchState(path string) (*watchState, error) {
	s := &watchState{path: path, files: map[string][3]int64{}, listed: map[string]bool{}}
	b, err := durable.ReadLimited(path, watchStateMax)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read what was watched: %w", err)
	}
	var f watchFile
	if json.Unmarshal(b, &f) == nil {
		if key, err := hex.DecodeString(f.Key); err == nil && len(key) == sha256.Size && f.Files != nil {
			s.key, s.files = key, f.Files
			return s, nil
		}
	}
	s.key = make([]byte, sha256.Size)
	_, _ = rand.Read(s.key) // never fails
	return s, nil
}

func (s *watchState) id(path string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(filepath.Clean(path)))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// has reports whether a file was dealt with. One that was refused is read again after a restart, so
// that it is listed.
func (s *watchState) has(f found) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.files[s.id(f.path)]
	if !ok || v[0] != f.size || v[1] != f.mtime {
		return false
	}
	return v[2] == stateTaken || s.listed[f.path]
}

func (s *watchState) take(f found) { s.set(f, stateTaken) }

func (s *watchState) refuse(f found, r Refusal) {
	s.set(f, stateRefused)
	s.list(f.path, r)
}

func (s *watchState) set(f found, how int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[s.id(f.path)] = [3]int64{f.size, f.mtime, how}
	s.changed = true
}

// list notes a refusal of a file, or of something within it, once.
func (s *watchState) list(file string, r Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed[file] = true
	for i := range s.refused {
		if s.refused[i].Path == r.Path {
			s.refused[i] = r
			return
		}
	}
	if len(s.refused) < watchListMax {
		s.refused = append(s.refused, r)
	}
}

// forget drops what is no longer there.
func (s *watchState) forget(all []found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := make(map[string]bool, len(all))
	for _, f := range all {
		there[s.id(f.path)] = true
	}
	for id := range s.files {
		if !there[id] {
			delete(s.files, id)
			s.changed = true
		}
	}
}

func (s *watchState) summary() (taken int, refused []Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.files {
		if v[2] == stateTaken {
			taken++
		}
	}
	return taken, append([]Refusal{}, s.refused...)
}

// save writes the memory, if it changed.
func (s *watchState) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed {
		return nil
	}
	b, err := json.Marshal(watchFile{Key: hex.EncodeToString(s.key), Files: s.files})
	if err != nil {
		return err
	}
	if err := (*durable.Disk)(nil).MkdirAll(filepath.Dir(s.path)); err != nil {
		return err
	}
	if err := (*durable.Disk)(nil).Replace(s.path, b); err != nil {
		return err
	}
	s.changed = false
	return nil
}
