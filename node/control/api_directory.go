package control

import "time"

// The directory, live words and attestations.
var (
	// ContactFind streams people who want to be found: what is known here at once, then what the
	// network says, as it comes.
	ContactFind = Stream[FindRequest, FindEvent]("contact/find")
	// ContactListing says what strangers are told about the acting person, if anything.
	ContactListing = Op[None, Listing]("contact/listing")
	// ContactLive agrees on four words with a contact whose person does the same now. A second call,
	// ContactLiveAnswer, says whether both read the same; both then end with the contact.
	ContactLive       = Stream[LiveRequest, LiveEvent]("contact/live")
	ContactLiveAnswer = Op[LiveAnswer, Contact]("contact/live/answer")
	// ContactLiveOffers lists those who wait to compare words with the acting person.
	ContactLiveOffers = Op[None, []LiveOffer]("contact/live/offers")
	// ContactPin says whether a contact's attestations count here.
	ContactPin = Op[PinRequest, Contact]("contact/pin")

	AttestIssue  = Op[AttestRequest, Attestation]("attest/issue")
	AttestRevoke = Op[AttestRevokeRequest, Attestation]("attest/revoke")
	AttestList   = Op[None, []Attestation]("attest/list")
)

// FindRequest says who is looked for; empty fields match everybody.
type FindRequest struct {
	Specialty string `json:"specialty,omitempty"`
	Language  string `json:"language,omitempty"`
	Species   string `json:"species,omitempty"`
	Awake     bool   `json:"awake,omitempty"` // takes cases now
	// Timeout is how long the network is asked; 0 for 15 s, less than 0 for not at all.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Updates also sends a person again when something about them changed.
	Updates bool `json:"updates,omitempty"`
}

// FindEvent is somebody found, or (once, last) how the search went.
type FindEvent struct {
	Found *Found      `json:"found,omitempty"`
	Done  *FindResult `json:"done,omitempty"`
	// Notice is said once in a home, before anything is asked: what a search shows to strangers.
	Notice string `json:"notice,omitempty"`
}

// FindResult is how a search went.
type FindResult struct {
	Asked   int    `json:"asked"` // peers that were asked
	Gone    int    `json:"gone"`  // of those, not reached
	Lied    int    `json:"lied"`
	Warning string `json:"warning,omitempty"`
}

// Found is somebody of the directory. All but trust and attestations is what they say of themselves.
type Found struct {
	Contact
	Languages []string  `json:"languages"`
	Species   []string  `json:"species"` // none: people
	Country   *string   `json:"country"`
	Vouched   bool      `json:"vouched"` // by an issuer that counts here
	IsContact bool      `json:"contact"`
	Source    string    `json:"source"` // cache, network
	Until     time.Time `json:"until"`  // of the listing
}

// Listing is what strangers are told about the acting person.
type Listing struct {
	Listed      bool       `json:"listed"`
	Name        string     `json:"name"`
	Kind        string     `json:"kind"`
	Specialties []string   `json:"specialties"`
	Languages   []string   `json:"languages"`
	Species     []string   `json:"species"`
	Country     *string    `json:"country"`
	Hours       *string    `json:"hours"`
	Accepting   bool       `json:"accepting"`
	Topics      int        `json:"topics"`
	Until       *time.Time `json:"until"`
	// Problem is why there is no listing although the setting asks for one.
	Problem *string `json:"problem"`
}

// LiveRequest names whom to compare words with: a contact, or somebody who waits to.
type LiveRequest struct {
	Contact string        `json:"contact"`
	Timeout time.Duration `json:"timeout,omitempty"` // 3 minutes if 0
}

// LiveEvent is how far it is: waiting for the other person, the words, the end.
type LiveEvent struct {
	State   string   `json:"state"` // waiting, words, done
	Session string   `json:"session,omitempty"`
	Name    string   `json:"name,omitempty"`
	Words   []string `json:"words,omitempty"`
	Contact *Contact `json:"contact,omitempty"`
}

// LiveAnswer says whether the words were the same: as the person decided, or by what was read out.
type LiveAnswer struct {
	Session string `json:"session,omitempty"` // the one of Contact if empty
	Contact string `json:"contact,omitempty"`
	Same    bool   `json:"same,omitempty"`
	Said    string `json:"said,omitempty"` // compared here, instead of Same
}

// LiveOffer is somebody who waits to compare words.
type LiveOffer struct {
	Person string    `json:"person"`
	Name   string    `json:"name"`
	Trust  string    `json:"trust"`
	Since  time.Time `json:"since"`
}

// PinRequest pins an issuer, or takes the pin away.
type PinRequest struct {
	Contact string `json:"contact"`
	Pinned  bool   `json:"pinned"`
}

// AttestRequest has the acting person vouch for a contact. Words are the 24 words of the acting
// person: the root signs, and is forgotten.
type AttestRequest struct {
	Contact      string     `json:"contact"`
	Role         string     `json:"role"` // clinician, technologist, coordinator, clinic, trainee
	Specialties  []string   `json:"specialties,omitempty"`
	Organisation string     `json:"organisation,omitempty"`
	Authority    string     `json:"authority,omitempty"` // of the licence
	Licence      string     `json:"licence,omitempty"`
	Until        *time.Time `json:"until,omitempty"` // a year if nil
	Words        string     `json:"words"`
}

// AttestRevokeRequest takes an attestation back.
type AttestRevokeRequest struct {
	Serial uint64 `json:"serial"` // 0 only signs a fresh list
	Words  string `json:"words"`
}

// Attestation is one that the acting person issued, or that was issued about them.
type Attestation struct {
	Serial      uint64    `json:"serial"`
	Person      string    `json:"person"`
	Name        string    `json:"name"`
	Issuer      string    `json:"issuer"`
	IssuerName  string    `json:"issuer_name"`
	Role        string    `json:"role"`
	Specialties []string  `json:"specialties"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`
	Standing    string    `json:"standing"` // valid, not yet valid, could not be checked lately, expired, withdrawn
	Revoked     bool      `json:"revoked"`
}
