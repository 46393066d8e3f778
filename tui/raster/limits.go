package raster

const (
	// aspectMin and aspectMax bound the shape of a pixel; outside it is taken as square.
	aspectMin, aspectMax = 0.05, 20
	// sideMax bounds a canvas: four 4K screens side by side.
	sideMax = 16384
	// PlacementMax is the most rows or columns a kitty placement has: there are 297 diacritics.
	PlacementMax = 297
	// smallRing: marks below this radius, in pixels, are four ticks only.
	smallRing = 7
	// ringMax: larger rings say no more.
	ringMax = 24
	// sixelGreys: more than 64 cannot be told apart on the terminals that have sixel.
	sixelGreys = 64
)
