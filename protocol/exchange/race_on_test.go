//go:build race

package exchange_test

// floodShare is the part of a flood that is sent: the race detector is slow, and looks at the order of things.
const floodShare = 16
