package digitize

const (
	// PixelsMax bounds a picture, before it is decoded: the largest film scanners and cameras
	// stay below it.
	PixelsMax = 100_000_000
	// decodeBytesMax bounds what decoding takes: the picture, what it becomes, and the
	// coefficients of a progressive JPEG.
	decodeBytesMax = 640 << 20
	// FileMax bounds a picture as a file.
	FileMax = 256 << 20
	// DocumentMax bounds a document: it is read whole wherever it goes.
	DocumentMax = 48 << 20
	// PagesMax bounds the pages of a TIFF file: a paper chart, scanned.
	PagesMax = 512
	// segmentsMax bounds the marker segments of a JPEG file; cameras write ten or so, and one
	// with a restart marker a row is not counted by them.
	segmentsMax = 4096
	// exifEntriesMax bounds the entries of one directory of EXIF data.
	exifEntriesMax = 512
	// sideMax is what Rows and Columns can say (PS3.3 C.7.6.3).
	sideMax = 65535
)
