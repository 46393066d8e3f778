package study

// Limits on foreign data sets (IMAGING.md §1.2). Each loop of the guard is
// bounded by one of them.
const (
	// DepthMax: real structured reports nest 20 deep; a recursive reader of
	// the same bytes stays far from its stack's end at 64.
	DepthMax = 64
	// ElementsMax per instance: an enhanced object of 10,000 frames has 300,000.
	ElementsMax = 500_000
	// SetElementsMax bounds the elements of one data set or item: the dictionary
	// knows 5,000 attributes, private blocks add thousands, not more.
	SetElementsMax = 65_536
	// ItemsMax per sequence: one item a frame, as in FramesMax of real objects.
	ItemsMax = 100_000
	// HeadMax is all but the pixels; headers of real images are 2 to 100 KB.
	HeadMax = 64 << 20
	// HeadDocumentMax applies when a document, waveform or spectrum is in the head.
	HeadDocumentMax = 512 << 20
	// LibraryMax bounds what the metadata library is asked to allocate.
	LibraryMax = 128 << 20
	// libraryElement is what one element costs there beside four times its value.
	libraryElement = 400
	// ValueViewMax: longer values are empty in the library's view.
	ValueViewMax = 1 << 20
	// FrameBytesMax is the largest frame.
	FrameBytesMax = 2 << 30
	// InstanceBytesMax is the largest bulk.
	InstanceBytesMax = 64 << 30
	// FramesMax bounds NumberOfFrames; it is an IS of up to 2^31-1, real cines
	// have thousands.
	FramesMax = 1 << 24
	// FragmentsPerFrame and FragmentsExtra bound the fragments of a bulk.
	FragmentsPerFrame = 4
	FragmentsExtra    = 65_536
	// InflatedMax bounds a deflated data set; RFC 1951 cannot exceed 1,032 : 1.
	InflatedMax  = 1 << 30
	InflateRatio = 1032
	// UIDLenMax is PS3.5 §9.1.
	UIDLenMax = 64
	// TextMax bounds text that is decoded from one value for display.
	TextMax = 64 << 10
	// FindingsMax bounds the oddities that are reported of one instance.
	FindingsMax = 100
	// WindowsMax bounds the windows taken from one instance.
	WindowsMax = 16
	// OverlayMax bounds the bits of one overlay group: a plane of 8,192² is 8 MiB.
	OverlayMax = 16 << 20
	// VerticesMax bounds the corners of a polygonal shutter.
	VerticesMax = 4096
	// RegionsMax bounds the regions of an ultrasound image; real ones have up to 6.
	RegionsMax = 64
	// LUTEntriesMax is the descriptor's own limit: 0 stands for 65,536.
	LUTEntriesMax = 65536
	// SlicesMax of one instance for reading order: as InstancesMax.
	SlicesMax = 100_000
	// orientationsMax of one series: a radial scan has a few hundred. What is
	// beyond is ordered by number.
	orientationsMax = 256
	// DirectoryMax bounds the file IDs of a DICOMDIR, as for zip entries (§1.7).
	DirectoryMax = 200_000
)

// Limits of manifests (FORMATS.md §12).
const (
	// ManifestLenMax: 100,000 rows of 305 bytes and room for text.
	ManifestLenMax = 64 << 20
	// InstancesMax per manifest: a day of a whole-body dynamic PET/CT.
	InstancesMax = 100_000
	// HeadLenMax of one head blob.
	HeadLenMax = 512 << 20
	// PreviewLenMax is small enough to arrive before anything else.
	PreviewLenMax = 2 << 20
	// PreviewSideMax keeps previews from being read as images.
	PreviewSideMax = 128
	// ManifestTextMax bounds each text: DICOM descriptions have 64 characters,
	// names of persons three groups of 64, in up to 4 bytes each.
	ManifestTextMax = 4096
	// timeMaxMS is the year 9999.
	timeMaxMS = 253402300799999
)
