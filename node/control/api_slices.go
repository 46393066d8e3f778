package control

import "github.com/curbside-p2p/curbside/consult/study"

// SeriesSlices says where the frames of a series lie, in reading order: for linked scrolling, lines
// of reference and volumes. study.Stacks parts them again, with the marks of each stack.
var SeriesSlices = Op[SeriesRequest, []study.Slice]("study/slices")
