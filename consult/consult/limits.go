package consult

import "errors"

// Limits of bodies (FORMATS §12) and of what is read of them. A body that
// exceeds one is shown as unreadable; an author is refused.
const (
	// TextMax bounds a text field: 32 KiB, half of an entry.
	TextMax = 32 << 10
	// NameMax bounds short texts: file names, types, labels, methods.
	NameMax = 1024
	// PersonsMax bounds lists of persons, as a thread bounds its members.
	PersonsMax = 64
	// AttachmentsMax bounds attachments of one message: what fits an entry.
	AttachmentsMax = 256
	// ImagesMax bounds the manifests that a report pins.
	ImagesMax = 256
	// SupersedesMax bounds the reports that one report replaces.
	SupersedesMax = 64
	// AttestsMax bounds the attestations that a report names.
	AttestsMax = 16
	// ReceiptRowsMax bounds a receipt: every device a thread can have had, and
	// what fits an entry.
	ReceiptRowsMax = 1024
	// PriorsMax bounds the priors that a request names.
	PriorsMax = 256
	// FormMax bounds the fields of a request form.
	FormMax = 256
	// GeometryMax bounds geometry and values of a mark: a contour of four thousand
	// points.
	GeometryMax = 48 << 10
	// PointsMax bounds the points of a geometry.
	PointsMax = 4096
	// ToolMax bounds the name of a tool.
	ToolMax = 64
	// RoundMax bounds rounds: beyond any case, and far from overflow.
	RoundMax = 1 << 32
	// ArchivedMax bounds the objects that one archived entry lists.
	ArchivedMax = 512
	// DelegatesMax bounds the delegates that a request names.
	DelegatesMax = 16
	// DraftMax and VoteMax bound a consensus and what a vote says, so that the
	// signed consensus has room for both: eight long dissents in full.
	DraftMax = 12 << 10
	VoteMax  = 2 << 10
	// TitleMax is how many characters of the question make the title.
	TitleMax = 60
	// TitleWords is how many words of the question make the title.
	TitleWords = 10
)

// Why a body is not readable or not to be signed. They are apart for tests and
// vectors; whoever decides only needs to know that there is one.
var (
	ErrKind  = errors.New("no body is known for this kind")
	ErrField = errors.New("field out of range")
	ErrText  = errors.New("text is empty or longer than its limit")
	ErrMany  = errors.New("list is empty, longer than its limit or has duplicates")
	ErrLen   = errors.New("part is longer than its limit")
)
