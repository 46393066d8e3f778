package storagetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Rows is what vault and index have in common.
type Rows interface {
	Put(table, key string, value []byte) error
	Delete(table, key string) error
	Get(table, key string) (value []byte, ok bool)
	Each(table string, f func(key string, value []byte) error) error
}

// TestRows is the suite of stores with tables, keys and values. reopen closes
// the store and opens it again.
func TestRows(t *testing.T, open func(t *testing.T) (rows Rows, reopen func() Rows)) {
	t.Helper()
	t.Run("SetGetDelete", func(t *testing.T) { setGetDelete(t, open) })
	t.Run("Order", func(t *testing.T) { order(t, open) })
	t.Run("Copies", func(t *testing.T) { copies(t, open) })
	t.Run("Names", func(t *testing.T) { names(t, open) })
	t.Run("ChangeInEach", func(t *testing.T) { changeInEach(t, open) })
}

type opener func(t *testing.T) (Rows, func() Rows)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, r Rows, table, key, value string) {
	t.Helper()
	if got, ok := r.Get(table, key); !ok || string(got) != value {
		t.Errorf("%s/%q: got %q %v, want %q", table, key, got, ok, value)
	}
}

func setGetDelete(t *testing.T, open opener) {
	t.Helper()
	r, reopen := open(t)
	must(t, r.Put("a", "k", []byte("1")))
	must(t, r.Put("a", "k", []byte("2")))
	must(t, r.Put("b", "k", []byte("3")))
	must(t, r.Put("a", "gone", []byte("4")))
	must(t, r.Delete("a", "gone"))
	must(t, r.Delete("a", "never"))
	must(t, r.Put("a", "empty", nil))
	for range 2 {
		want(t, r, "a", "k", "2")
		want(t, r, "b", "k", "3")
		want(t, r, "a", "empty", "")
		if _, ok := r.Get("a", "gone"); ok {
			t.Error("deleted row is there")
		}
		r = reopen()
	}
}

func order(t *testing.T, open opener) {
	t.Helper()
	r, reopen := open(t)
	for _, i := range []int{5, 3, 9, 1, 7} {
		must(t, r.Put("t", fmt.Sprint(i), []byte{byte(i)}))
	}
	must(t, r.Put("t2", "other", nil))
	r = reopen()
	var keys []string
	must(t, r.Each("t", func(key string, value []byte) error {
		keys = append(keys, key)
		if fmt.Sprint(value[0]) != key {
			t.Errorf("row %s has value %v", key, value)
		}
		return nil
	}))
	if got := strings.Join(keys, ""); got != "13579" {
		t.Errorf("got order %s", got)
	}
}

func copies(t *testing.T, open opener) {
	t.Helper()
	r, _ := open(t)
	value := []byte("before")
	must(t, r.Put("t", "k", value))
	copy(value, "AFTER!")
	want(t, r, "t", "k", "before")
	got, _ := r.Get("t", "k")
	copy(got, "AFTER!")
	want(t, r, "t", "k", "before")
}

func names(t *testing.T, open opener) {
	t.Helper()
	r, reopen := open(t)
	binary := string([]byte{0, 1, 0xff, 0})
	must(t, r.Put("t", binary, []byte("binary key")))
	if r.Put("t\x00", "k", nil) == nil || r.Put("", "k", nil) == nil {
		t.Error("table without a name, or with a NUL byte, accepted")
	}
	big := bytes.Repeat([]byte{7}, 400<<10)
	must(t, r.Put("t", "big", big))
	r = reopen()
	want(t, r, "t", binary, "binary key")
	want(t, r, "t", "big", string(big))
}

func changeInEach(t *testing.T, open opener) {
	t.Helper()
	r, _ := open(t)
	for i := range 3 {
		must(t, r.Put("t", fmt.Sprint(i), nil))
	}
	must(t, r.Each("t", func(key string, _ []byte) error {
		must(t, r.Put("t", key+"x", nil))
		return r.Delete("t", key)
	}))
	n := 0
	must(t, r.Each("t", func(string, []byte) error { n++; return nil }))
	if n != 3 {
		t.Errorf("%d rows", n)
	}
}
