package control

import "github.com/curbside-p2p/curbside/consult/study"

// SeriesStacks parts what is here of a series into stacks in reading order, with the place of
// each frame in the patient: for linked scrolling, cross-reference lines and reformatting.
var SeriesStacks = Op[SeriesRequest, SeriesStacked]("study/stacks")

// SeriesStacked is a series as it is read: stack after stack, slice after slice.
type SeriesStacked struct {
	Stacks []Stack `json:"stacks"`
	// Absent counts instances that are not here yet, or cannot be read, and so are in no stack.
	Absent int `json:"absent"`
}

// Stack is a run of slices with what a viewer says about it.
type Stack struct {
	study.Stack
	Notes []string `json:"notes"` // marks that stay on the screen: order from instance numbers, gaps, tilt
	// NotVolume says why it cannot be reformatted; empty if it can be.
	NotVolume string `json:"not_volume,omitempty"`
}
