package control

// Bundles: a recorded exchange in files, for sites with no network between them.
var (
	// BundleWrite and BundleRead stream progress; the last event carries the result.
	BundleWrite = Stream[BundleWriteRequest, BundleEvent]("bundle/write")
	BundleRead  = Stream[BundleReadRequest, BundleEvent]("bundle/read")
)

// BundleWriteRequest says what for whom, and where: an absolute path.
type BundleWriteRequest struct {
	To        []string `json:"to"`
	Cases     []string `json:"cases,omitempty"` // none: every case that all of To are in
	Out       string   `json:"out"`
	Split     int64    `json:"split,omitempty"` // bytes a file, at most; 0: what FAT32 takes
	NoStudies bool     `json:"no_studies,omitempty"`
	All       bool     `json:"all,omitempty"` // also what they are known to have
}

// BundleReadRequest names the files, absolute paths.
type BundleReadRequest struct {
	Files   []string `json:"files"`
	Partial bool     `json:"partial,omitempty"` // take these parts, though others are missing
}

// BundleEvent is progress in bytes, or the result.
type BundleEvent struct {
	Phase  string        `json:"phase,omitempty"` // writing, checking, taking
	Done   int64         `json:"done"`
	Total  int64         `json:"total"`
	Result *BundleResult `json:"result,omitempty"`
}

// BundleResult counts what went into the files, or what was new here in them.
type BundleResult struct {
	Cases    int      `json:"cases"`
	Entries  int      `json:"entries"`
	Blobs    int      `json:"blobs"`
	Bytes    int64    `json:"bytes"`
	Files    []string `json:"files"`
	Warnings []string `json:"warnings,omitempty"`
}
