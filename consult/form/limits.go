package form

// Limits of what is read.
const (
	// FileMax bounds a filled form: more than an entry holds, whatever the
	// spelling in JSON.
	FileMax = 256 << 10
	// ValueMax bounds one value, a text field of an entry (FORMATS §12).
	ValueMax = 32 << 10
	// ValuesMax bounds all values: what an entry of 64 KiB has room for beside
	// the question.
	ValuesMax = 48 << 10
	// ListMax bounds the lines of a list.
	ListMax = 64
	// ErrorsMax bounds the errors that are told at once.
	ErrorsMax = 32
	// QuestionMin is the characters below which a question is short: "cough, dog".
	QuestionMin = 15
	// NeedleMin is the characters from which on a part of a name or number is
	// searched for (IMAGING §8.5).
	NeedleMin = 3
)
