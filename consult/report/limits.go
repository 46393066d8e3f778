package report

import "errors"

// Limits of a document. With all at their most it would not fit an entry, which
// the ledger refuses; each alone does.
const (
	// TextMax bounds the opinion, a text field of FORMATS §12.
	TextMax = 32 << 10
	// QuestionMax bounds the copy of the question: enough to know what was asked.
	QuestionMax = 4 << 10
	// NameMax bounds names, labels and credentials.
	NameMax = 1024
	// ImagesMax bounds the studies that a document lists.
	ImagesMax = 256
	// FormMax bounds the fields of an opinion form.
	FormMax = 128
	// RoundMax is beyond any case.
	RoundMax = 1 << 32
	// CountMax bounds numbers of images: DICOM counts in 31 bits, and sums of
	// them must not overflow.
	CountMax = 1 << 40
)

// Why a document is not one. They are apart for tests and vectors.
var (
	ErrFormat = errors.New("unknown document format")
	ErrField  = errors.New("field out of range")
	ErrText   = errors.New("text is empty or longer than its limit")
	ErrMany   = errors.New("list is longer than its limit or not sorted")
)
