package peering

import (
	"errors"
	"syscall"
)

// isInUse says that a port is taken, as opposed to one that this system has no
// address for.
func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
