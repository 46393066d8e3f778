//go:build !unix

package tui

func cpuSeconds() float64 { return 0 }
