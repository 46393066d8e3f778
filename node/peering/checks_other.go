//go:build !linux

package peering

// systemChecks has nothing to say where congestion control is the system's own.
func systemChecks() []Finding { return nil }
