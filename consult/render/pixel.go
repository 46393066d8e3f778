package render

import "github.com/curbside-p2p/curbside/consult/study"

// Pixel is what the frame was made with: spacing, orientation, modality.
func (f *Frame) Pixel() study.Pixel { return f.px }
