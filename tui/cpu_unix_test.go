//go:build unix

package tui

import "syscall"

// cpuSeconds is the processor time of this process. On a busy machine it says more than a clock.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
