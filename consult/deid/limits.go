package deid

// Bounds of loops over foreign data.
const (
	// ItemsTextMax: a text longer than this is not cleaned but removed; real descriptions have 64
	// characters, comments some thousand.
	textMax = 16 << 10
	// NeedlesMax bounds what is looked for of one head; a head has some hundred values acted on.
	needlesMax = 20_000
	// needleLenMax: of a long value its beginning is looked for.
	needleLenMax = 256
	// RectsMax bounds the rectangles of one image.
	RectsMax = 64
	// documentMax is the largest binary value that is searched for needles as text.
	binaryMax = 64 << 20
)
