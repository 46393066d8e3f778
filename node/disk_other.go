//go:build !unix

package node

func diskFree(string) (uint64, bool) { return 0, false }
