package gateway

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// watchEvery is between two looks at the folders, or watchShare times as long as a look takes:
	// a folder on a slow share is not read all the time.
	watchEvery = 2 * time.Second
	watchShare = 10
	// watchSettle is how long size and time of a file must not change before it is taken: whoever
	// writes it is done, or so slow that the file will be refused as cut and tried again.
	watchSettle = 5 * time.Second
	// watchFilesMax bounds the files of a watched folder, watchBatch those of one import.
	watchFilesMax = 1_000_000
	watchBatch    = 2_000
	// watchSameName bounds the files of one name in the folder of what was taken.
	watchSameName = 1_000
	// watchListMax bounds the refused files that are listed.
	watchListMax = 1_000
)

// Refusal is a file of a watched folder that was not taken, and why.
type Refusal struct {
	Path, Reason, Detail string
}

// WatchConfig is what a watch is made of.
type WatchConfig struct {
	Dirs []string
	// Done is where files go that were taken; empty leaves them where they are.
	Done string
	// State is the file that remembers what was taken, so that a restart takes nothing again.
	State string
	// Import takes files in and says which it refused. What it does not refuse is durable.
	Import func(ctx context.Context, paths []string) ([]Refusal, error)
	Log    *slog.Logger
	Now    func() time.Time
	// Every and Settle are for tests: watchEvery and watchSettle if zero.
	Every, Settle time.Duration
}

// Watch takes in what others put into a folder: scanners, other programs, colleagues.
//
// A file is taken once it has settled, and again only if it changes. Links are not followed, and
// files that begin with a dot or end as half-copied ones do are left alone. With a DICOMDIR all
// files of its folder are one medium: it is taken when all have settled.
type Watch struct {
	cfg   WatchConfig
	state *watchState
	seen  map[string]sighting // files that have not settled

	mu      sync.Mutex // guards what follows
	waiting int
	fault   string
}

// sighting is a file as it was when it was first seen so.
type sighting struct {
	size  int64
	mtime int64
	since time.Time
}

// found is a file of a look.
type found struct {
	path  string
	size  int64
	mtime int64
}

// NewWatch makes a watch and reads what it remembers.
func NewWatch(cfg WatchConfig) (*Watch, error) {
	if cfg.Every == 0 {
		cfg.Every = watchEvery
	}
	if cfg.Settle == 0 {
		cfg.Settle = watchSettle
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := checkWatch(cfg.Dirs, cfg.Done); err != nil {
		return nil, err
	}
	state, err := openWatchState(cfg.State)
	if err != nil {
		return nil, err
	}
	return &Watch{cfg: cfg, state: state, seen: map[string]sighting{}}, nil
}

// checkWatch refuses folders that would take from each other.
func checkWatch(dirs []string, done string) error {
	for _, d := range dirs {
		if !filepath.IsAbs(d) {
			return errors.New("a watched folder is named by its whole path")
		}
		if done != "" && filepath.Clean(d) == filepath.Clean(done) {
			return errors.New("the folder for files that were taken cannot be the watched one")
		}
	}
	if done != "" && !filepath.IsAbs(done) {
		return errors.New("the folder for files that were taken is named by its whole path")
	}
	return nil
}

// Run looks and takes until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	for {
		start := time.Now()
		w.look(ctx)
		pause := max(w.cfg.Every, watchShare*time.Since(start))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// WatchStatus is a watch as it is.
type WatchStatus struct {
	Dirs    []string
	Done    string
	Waiting int // files that have not settled
	Taken   int // files remembered as taken
	Refused []Refusal
	Fault   string // why a folder cannot be read, or nothing can be taken
}

// Status says how the watch fares.
func (w *Watch) Status() WatchStatus {
	s := WatchStatus{Dirs: w.cfg.Dirs, Done: w.cfg.Done}
	s.Taken, s.Refused = w.state.summary()
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Waiting, s.Fault = w.waiting, w.fault
	return s
}

// look reads the folders once and takes what has settled.
func (w *Watch) look(ctx context.Context) {
	fault := ""
	var all []found
	whole := true
	for _, dir := range w.cfg.Dirs {
		files, err := w.list(ctx, dir)
		if err != nil {
			whole = false
			fault = "a watched folder cannot be read: " + plainError(err)
		}
		all = append(all, files...)
	}
	ready, waiting := w.settled(all)
	if err := w.takeAll(ctx, ready); err != nil && ctx.Err() == nil {
		fault = "nothing can be taken now: " + plainError(err)
	}
	if whole && ctx.Err() == nil {
		w.state.forget(all)
	}
	if err := w.state.save(); err != nil {
		fault = "what was taken cannot be remembered: " + plainError(err)
	}
	w.mu.Lock()
	if fault != "" && fault != w.fault {
		w.cfg.Log.WarnContext(ctx, "watch: fault", slog.String("what", faultKind(fault)))
	}
	w.waiting, w.fault = waiting, fault
	w.mu.Unlock()
}

// faultKind is the part of a fault that names nothing.
func faultKind(fault string) string {
	kind, _, _ := strings.Cut(fault, ":")
	return kind
}

// plainError is an error without the path in it, which may name a patient.
func plainError(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// list finds the files of a folder, in sorted order.
func (w *Watch) list(ctx context.Context, root string) ([]found, error) {
	var out []found
	var part error // of the folder that cannot be read: what it held is not forgotten
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && p == root:
			return err
		case errors.Is(err, fs.ErrNotExist): // gone since
			return nil
		case err != nil:
			part = err
			return nil //nolint:nilerr // the rest is read
		case p != root && ignored(e.Name()), e.IsDir() && w.cfg.Done != "" && filepath.Clean(p) == filepath.Clean(w.cfg.Done):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !e.Type().IsRegular():
			return nil
		case len(out) == watchFilesMax:
			return errors.New("too many files")
		}
		info, err := e.Info()
		if err == nil {
			out = append(out, found{path: p, size: info.Size(), mtime: info.ModTime().UnixNano()})
		}
		return nil
	})
	return out, errors.Join(err, part)
}

// ignored are names that belong to a copy under way, or to the system.
func ignored(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") || strings.HasSuffix(name, "~") {
		return true
	}
	return slices.Contains([]string{".part", ".partial", ".tmp", ".crdownload", ".filepart", ".download"}, filepath.Ext(lower)) ||
		lower == "thumbs.db" || lower == "desktop.ini"
}

// settled gives the files to be taken, and how many are not ready.
func (w *Watch) settled(all []found) (ready []found, waiting int) {
	now := w.cfg.Now()
	seen := make(map[string]sighting, len(w.seen))
	unsettled := map[string]bool{} // folders of media with a file that is not ready
	media := mediaOf(all)
	for _, f := range all {
		if w.state.has(f) {
			continue
		}
		s, ok := w.seen[f.path]
		if !ok || s.size != f.size || s.mtime != f.mtime {
			s = sighting{f.size, f.mtime, now}
		}
		seen[f.path] = s
		if now.Sub(s.since) >= w.cfg.Settle {
			ready = append(ready, f)
			continue
		}
		waiting++
		for _, m := range media {
			if within(f.path, m) {
				unsettled[m] = true
			}
		}
	}
	w.seen = seen
	ready = slices.DeleteFunc(ready, func(f found) bool {
		held := slices.ContainsFunc(media, func(m string) bool { return unsettled[m] && within(f.path, m) })
		if held {
			waiting++
		}
		return held
	})
	return ready, waiting
}

// mediaOf are the folders that have a media directory.
func mediaOf(all []found) []string {
	var out []string
	for _, f := range all {
		if strings.EqualFold(filepath.Base(f.path), "DICOMDIR") {
			out = append(out, filepath.Dir(f.path))
		}
	}
	return out
}

func within(path, dir string) bool { return strings.HasPrefix(path, dir+string(filepath.Separator)) }

// takeAll takes files in batches.
func (w *Watch) takeAll(ctx context.Context, ready []found) error {
	for len(ready) > 0 && ctx.Err() == nil {
		batch := ready[:min(watchBatch, len(ready))]
		if len(batch) < len(ready) { // a medium is not parted
			for _, m := range mediaOf(ready) {
				if within(batch[len(batch)-1].path, m) {
					batch = ready[:lastWithin(ready, m)+1]
				}
			}
		}
		ready = ready[len(batch):]
		if err := w.take(ctx, batch); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func lastWithin(files []found, dir string) int {
	for i, f := range slices.Backward(files) {
		if within(f.path, dir) {
			return i
		}
	}
	return 0
}

// take imports one batch and remembers it.
func (w *Watch) take(ctx context.Context, batch []found) error {
	refused, err := w.cfg.Import(ctx, pathsOf(batch))
	if err != nil {
		return err
	}
	in := map[string]bool{}
	for _, f := range batch {
		in[f.path] = true
	}
	why := map[string]Refusal{}
	for _, r := range refused {
		if in[r.Path] {
			why[r.Path] = r
			continue
		}
		// Within an archive, or listed in a media directory and not there: said, and the rest is taken.
		name, _, _ := strings.Cut(r.Path, "!")
		w.state.list(name, r)
	}
	taken, turned := 0, 0
	for _, f := range batch {
		now, err := os.Stat(f.path)
		if err != nil || now.Size() != f.size || now.ModTime().UnixNano() != f.mtime {
			continue // it changed while it was read: seen anew
		}
		delete(w.seen, f.path)
		r, no := why[f.path]
		switch {
		case no && r.Reason != "conflict":
			turned++
			w.state.refuse(f, r)
			continue
		case no: // kept apart: listed, and not offered again
			w.state.list(f.path, r)
		}
		taken++
		w.state.take(f)
		w.moveAway(ctx, f)
	}
	w.cfg.Log.InfoContext(ctx, "watch: files taken", slog.Int("taken", taken), slog.Int("refused", turned))
	return nil
}

// pathsOf names what is imported: of a medium its directory alone, which stands for all of its folder.
func pathsOf(batch []found) []string {
	media := mediaOf(batch)
	out := make([]string, 0, len(batch))
	for _, f := range batch {
		directory := strings.EqualFold(filepath.Base(f.path), "DICOMDIR")
		if directory || !slices.ContainsFunc(media, func(m string) bool { return within(f.path, m) }) {
			out = append(out, f.path)
		}
	}
	return out
}

// moveAway moves a file that was taken to the folder for them; what cannot be moved stays, and is
// remembered all the same.
func (w *Watch) moveAway(ctx context.Context, f found) {
	if w.cfg.Done == "" {
		return
	}
	rel := filepath.Base(f.path)
	for _, d := range w.cfg.Dirs {
		if within(f.path, filepath.Clean(d)) {
			rel, _ = filepath.Rel(d, f.path)
		}
	}
	to := filepath.Join(w.cfg.Done, rel)
	err := os.MkdirAll(filepath.Dir(to), 0o700)
	for n := 1; err == nil; n++ { // another file of this name is not replaced
		if _, there := os.Lstat(to); there != nil {
			break
		}
		if n == watchSameName {
			err = fs.ErrExist
		}
		to = filepath.Join(w.cfg.Done, rel) + "." + strconv.Itoa(n)
	}
	if err == nil {
		err = os.Rename(f.path, to)
	}
	if err != nil {
		w.cfg.Log.WarnContext(ctx, "watch: a file that was taken cannot be moved away")
	}
}
