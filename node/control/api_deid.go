package control

// DeidPreview says what would leave without identity, and what a person must look at first.
var DeidPreview = Op[DeidRequest, Deid]("deid/preview")

// DeidRequest names an own study, and a profile; none is the default one.
type DeidRequest struct {
	Study   string `json:"study"`
	Profile string `json:"profile,omitempty"`
}

// Deid is what a pseudonymous share of a study would take away, keep, and leave out.
type Deid struct {
	Profile  string         `json:"profile"`
	Options  []string       `json:"options"` // codes of PS3.16 CID 7050
	Changes  []DeidChange   `json:"changes"`
	Kept     []DeidChange   `json:"kept"`
	Risky    []DeidRisky    `json:"risky"`
	Excluded []DeidExcluded `json:"excluded"`
	Images   int            `json:"images"` // of the study
	Ready    int            `json:"ready"`  // of them go without anybody looking
	Warnings []string       `json:"warnings,omitempty"`
}

// DeidChange is what is done with an attribute, and how often in the study.
type DeidChange struct {
	Tag    string `json:"tag"`
	Name   string `json:"name"`
	Action string `json:"action"`
	Count  int    `json:"count"`
}

// DeidRisky is an image that a person must look at: the frame named is where something was seen, or
// the first.
type DeidRisky struct {
	SOPUID string `json:"sop_uid"`
	Frame  int    `json:"frame"`
	Reason string `json:"reason"`
}

// DeidExcluded is an instance that does not go unless a person releases it.
type DeidExcluded struct {
	SOPUID string `json:"sop_uid"`
	Reason string `json:"reason"`
	// Never: it cannot be released, only left out.
	Never bool `json:"never,omitempty"`
}

// Choices are what a person decided about the risky and the excluded.
type Choices struct {
	Release  []string  `json:"release,omitempty"` // SOP Instance UIDs, or all
	Blacken  []Blacken `json:"blacken,omitempty"`
	LeaveOut []string  `json:"leave_out,omitempty"`
}

// Blacken is a rectangle that is made black in every frame of an image.
type Blacken struct {
	SOPUID string `json:"sop_uid"`
	X      int    `json:"x"`
	Y      int    `json:"y"`
	W      int    `json:"w"`
	H      int    `json:"h"`
}
