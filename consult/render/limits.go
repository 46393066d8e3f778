package render

// Limits on what an image may say of itself.
const (
	// spacingMax: no imager has pixels over 10 mm; larger ones are typing errors.
	spacingMax = 10.0
	// magnificationMax: at 20 the object would touch the focal spot.
	magnificationMax = 20.0
	// aspectMax: beyond it a picture would be a line.
	aspectMax = 100.0
	// pixelsMax is what Rows and Columns can say.
	pixelsMax = 65535
	// halfLivesMax: after 20 half lives a millionth of the dose is left, so the
	// times cannot be right.
	halfLivesMax = 20
)
