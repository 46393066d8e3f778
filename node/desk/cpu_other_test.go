//go:build !unix

package desk_test

func cpuSeconds() float64 { return 0 }
