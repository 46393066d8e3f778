//go:build !race

package exchange_test

const floodShare = 1
