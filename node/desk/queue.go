package desk

import (
	"sync"

	"github.com/curbside-p2p/curbside/protocol/blob"
)

// queue hands blob ids from the store, which must not wait, to the desk, which may.
type queue struct {
	mu     sync.Mutex // guards ids and closed
	wake   *sync.Cond
	ids    []blob.ID
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.wake = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(id blob.ID) {
	q.mu.Lock()
	q.ids = append(q.ids, id)
	q.mu.Unlock()
	q.wake.Signal()
}

// take waits for ids and returns all of them; false once the queue is closed and empty.
func (q *queue) take() ([]blob.ID, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ids) == 0 && !q.closed {
		q.wake.Wait()
	}
	ids := q.ids
	q.ids = nil
	return ids, len(ids) > 0
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake.Broadcast()
}
