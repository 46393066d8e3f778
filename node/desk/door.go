package desk

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/curbside-p2p/curbside/consult/study"
	"github.com/curbside-p2p/curbside/node/control"
	"github.com/curbside-p2p/curbside/protocol/identity"
)

// What becomes of a file that is taken in.
const (
	TakenNew       = "new"
	TakenDuplicate = "duplicate" // the very file is held already
	TakenConflict  = "conflict"  // another one of its name is held; both are kept, this one apart
	TakenRefused   = "refused"
)

// SettleAfter is how long a study must be quiet to count as whole, unless a setting says otherwise
// (IMAGING §2.4).
const SettleAfter = time.Minute

// Taken says what became of a file.
type Taken struct {
	Status    string
	Reason    string // of a refusal, as import has it
	Detail    string // a sentence for a person, without anything of the file's
	Study     string // id of the study that holds it
	StudyUID  string
	SeriesUID string
	SOPUID    string
	SOPClass  string
	Modality  string
	Bytes     int64
}

// ErrMismatch says that a file is not the instance that was announced.
var ErrMismatch = errors.New("not the instance that was announced")

// Take takes one Part 10 file in, through the same path as Import. What it returns as new or as a
// conflict is durable; concurrent calls share the waiting for the disk. From is who sent it, for
// rules. An error says that the file may be offered again: the node itself could
// not go on.
//
// The file belongs to the person who acts, else to the clinic of this node, else to its first
// person. A lock does not refuse it: what the hospital sends is received.
func (d *Desk) Take(ctx context.Context, path, from string) (Taken, error) {
	return d.door.take(ctx, path, from, nil)
}

// TakeAs is Take where class and name of the instance were announced: a file that holds another is
// refused with ErrMismatch.
func (d *Desk) TakeAs(ctx context.Context, path, from, sopClass, sopUID string) (Taken, error) {
	return d.door.take(ctx, path, from, func(in *study.Instance) error {
		if in.SOPClass != sopClass || in.SOPUID != sopUID {
			return ErrMismatch
		}
		return nil
	})
}

// Holds reports whether an instance is held in its place by a person of this node, as an own one:
// on the disk, that is.
func (d *Desk) Holds(sopClass, sopUID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.holders(sopUID) {
		if h.row != nil && h.at(h.places[sopUID]).SOPClass == sopClass {
			return true
		}
	}
	return false
}

// door is where the hospital's files come in, many at a time.
type door struct {
	d *Desk

	mu         sync.Mutex // guards what follows
	runs       map[identity.PersonID]*doorRun
	waiting    []*visitor
	committing bool

	quiet map[holdingKey]*quiet // guarded by the desk's lock
}

// doorRun is the import that the calls of a moment share.
type doorRun struct {
	*importRun
	users int
}

// visitor is a file that waits for its batch.
type visitor struct {
	run  *doorRun
	file *sealedFile
	from string
	done chan error
}

func newDoor(d *Desk) *door {
	return &door{d: d, runs: map[identity.PersonID]*doorRun{}, quiet: map[holdingKey]*quiet{}}
}

func (o *door) take(ctx context.Context, path, from string, check func(*study.Instance) error) (Taken, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Taken{}, internal("take a file in", errors.New(ioDetail(err)))
	}
	p, err := hold(o.d, func() (*person, error) { return o.d.receiving(ctx) })
	if err != nil {
		return Taken{}, err
	}
	o.d.removing.RLock()
	defer o.d.removing.RUnlock()
	run := o.enter(p)
	defer o.leave(run)
	w := min(max(info.Size(), 1), memoryMax)
	if err := run.weight.Acquire(ctx, w); err != nil {
		return Taken{}, err
	}
	out := run.take(source{path: path, size: info.Size(), open: func() (readerAtCloser, error) { return os.Open(path) }, check: check})
	run.weight.Release(w)
	switch {
	case out.err != nil:
		return Taken{}, out.err
	case out.reason != "":
		return Taken{Status: TakenRefused, Reason: out.reason, Detail: out.detail, Bytes: out.size}, nil
	case out.read:
		return Taken{Status: TakenRefused, Reason: study.Directory, Detail: "a media directory is no instance", Bytes: out.size}, nil
	}
	if err := o.commit(run, out.sealed, from); err != nil {
		return Taken{}, err
	}
	in := out.sealed.in
	return Taken{
		Status: out.sealed.as, Study: out.sealed.h.id(), StudyUID: in.StudyUID, SeriesUID: in.SeriesUID,
		SOPUID: in.SOPUID, SOPClass: in.SOPClass, Modality: in.Modality, Bytes: out.size,
	}, nil
}

// receiving is the person for whom the hospital's files come in. The lock is held.
func (d *Desk) receiving(ctx context.Context) (*person, error) {
	if control.As(ctx) != "" || len(d.persons) == 0 {
		return d.whoActs(ctx)
	}
	for _, p := range d.persons {
		if p.self.Kind == identity.RoleClinic {
			return p, nil
		}
	}
	return d.persons[0], nil
}

func (o *door) enter(p *person) *doorRun {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.runs[p.id]
	if r == nil {
		r = &doorRun{importRun: o.d.newImportRun(p, originDicom)}
		o.runs[p.id] = r
	}
	r.users++
	return r
}

func (o *door) leave(r *doorRun) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.users--; r.users == 0 {
		r.batch.Abort()
		delete(o.runs, r.p.id)
	}
}

// commit waits until the file is durable. While one batch is on its way to the disk, the next one
// gathers.
func (o *door) commit(r *doorRun, f *sealedFile, from string) error {
	v := &visitor{run: r, file: f, from: from, done: make(chan error, 1)}
	o.mu.Lock()
	o.waiting = append(o.waiting, v)
	if !o.committing {
		o.committing = true
		go o.commitAll()
	}
	o.mu.Unlock()
	return <-v.done
}

func (o *door) commitAll() {
	for {
		o.mu.Lock()
		batch := o.waiting
		o.waiting = nil
		if len(batch) == 0 {
			o.committing = false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		o.commitBatch(batch)
	}
}

// commitBatch commits the files of each run together.
func (o *door) commitBatch(batch []*visitor) {
	runs := map[*doorRun][]*visitor{}
	for _, v := range batch {
		runs[v.run] = append(runs[v.run], v)
	}
	for r, visitors := range runs {
		files := make([]*sealedFile, len(visitors))
		for i, v := range visitors {
			files[i] = v.file
		}
		err := r.commit(files, &control.ImportResult{}, map[*holding]*control.ImportedStudy{})
		if err == nil {
			o.arrived(visitors)
		}
		for _, v := range visitors {
			v.done <- err
		}
	}
}
