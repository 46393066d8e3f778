package audit

const (
	// RecordMax bounds one record: a reason is a sentence, not a document.
	RecordMax = 16 << 10
	// textMax bounds each text of a record.
	textMax = 4 << 10
	// frameMax bounds the records of one append.
	frameMax = 4 << 20
	// checkpointMax bounds a signed checkpoint with cosignatures.
	checkpointMax = 64 << 10
	// sizeMax bounds the size in a foreign checkpoint, so that no arithmetic on
	// it overflows.
	sizeMax = 1 << 48
	// proofMax is the longest consistency proof: two for each level.
	proofMax = 2 * 64
)
