package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/curbside-p2p/curbside/node/desk"
	"github.com/curbside-p2p/curbside/node/gateway"
	"github.com/curbside-p2p/curbside/storage/durable"
)

// settingsBytesMax bounds config.toml: a page of settings, not a database.
const settingsBytesMax = 64 << 10

// lockAfter is when an idle node locks, FORMATS §9.
const lockAfter = 10 * time.Minute

// ErrSetting says that a setting is not known or its value not allowed. The text names what is;
// nothing was changed.
var ErrSetting = errors.New("no such setting")

// Settings are HOME/config.toml: settings by the names of the flags, all optional, none of them
// a secret. Flags win over them.
type Settings struct {
	Listen    []string `toml:"listen"`
	LANOnly   bool     `toml:"lan-only"`
	NoDHT     bool     `toml:"no-dht"`
	Bootstrap []string `toml:"bootstrap"`
	Relay     []string `toml:"relay"`
	// Mailbox are nodes that keep what comes while this one is away; none: the relays do.
	// MailboxStudies lets images wait there, too; MailboxForContacts keeps boxes here for contacts.
	Mailbox            []string `toml:"mailbox"`
	MailboxStudies     bool     `toml:"mailbox-studies"`
	MailboxForContacts bool     `toml:"mailbox-for-contacts"`
	// Consent is the basis of a request that does not say one; a clinic that clears it makes its users say.
	Consent string `toml:"consent"`
	// Trust is what a contact needs before anything is sent: invited or verified.
	Trust string `toml:"trust"`
	// Lock is how long a node may idle before it locks, as a Go duration; 0s is never.
	Lock string `toml:"lock"`
	// Graphics is how the interface draws images: auto, kitty, sixel, sextant, half or off.
	Graphics string `toml:"graphics"`
	// Availability is when the persons here take cases, for their cards: see desk.ParseHours.
	Availability string `toml:"availability"`
	// Listed puts the persons here into the directory, where strangers find them: by Specialties
	// (where a person said none of their own), Languages, Species, Country and Availability.
	Listed      bool     `toml:"listed"`
	Specialties []string `toml:"specialties"`
	Languages   []string `toml:"languages"`
	Species     []string `toml:"species"`
	Country     string   `toml:"country"`
	// Targets are turn-around targets that differ from the defaults, such as stat.accepted=10m.
	Targets []string `toml:"targets"`
	// Hook is a program with its arguments, run with the short id of a case and a verb. Webhook is
	// an address that gets the same. DesktopNotices shows them where there is a desktop.
	Hook           []string `toml:"hook"`
	Webhook        string   `toml:"webhook"`
	DesktopNotices bool     `toml:"desktop-notices"`
	// Views are filters of the worklist that a user keeps, such as night=stat overdue.
	Views []string `toml:"views"`
	// DICOM is where modalities and PACS send to, HOST:PORT; nothing is no listener. AETitle is what
	// it goes by, DICOMAllow who may store: AET or AET@HOST.
	DICOM          string   `toml:"dicom"`
	AETitle        string   `toml:"ae-title"`
	DICOMAllow     []string `toml:"dicom-allow"`
	DICOMCleartext bool     `toml:"dicom-cleartext"`
	// The listener's certificate and key, and the CA whose certificates callers must show: PEM files.
	DICOMCert string `toml:"dicom-tls-cert"`
	DICOMKey  string `toml:"dicom-tls-key"`
	DICOMCA   string `toml:"dicom-tls-ca"`
	// Settle is how long a study that comes from the hospital must be quiet to count as whole.
	Settle string `toml:"settle"`
	// Rules draft requests when such studies settle: see desk.ParseRules.
	Rules []string `toml:"rules"`
	// Destinations are where the hospital side sends and asks, by name: [destination.NAME].
	Destinations map[string]gateway.Settings `toml:"destination"`
	// Web is where DICOMweb is served, WebCert and WebKey its TLS, WebOrigin the web pages that may ask.
	Web       string   `toml:"web"`
	WebCert   string   `toml:"web-cert"`
	WebKey    string   `toml:"web-key"`
	WebOrigin []string `toml:"web-origin"`
	// Watch are folders whose files are taken in, WatchDone is where those go that were.
	Watch     []string `toml:"watch"`
	WatchDone string   `toml:"watch-done"`
	// Viewer is what curbside open starts.
	Viewer string `toml:"viewer"`
	// Unknown are keys of the file that this version does not know, for a warning.
	Unknown []string `toml:"-"`
}

// defaults are the settings of a home without a file.
func defaults() Settings {
	return Settings{
		Listen: []string{}, Bootstrap: []string{}, Relay: []string{}, Mailbox: []string{}, Targets: []string{}, Hook: []string{}, Views: []string{},
		WebOrigin: []string{}, Watch: []string{}, Rules: []string{},
		DICOMAllow: []string{}, AETitle: aeTitle, Settle: desk.SettleAfter.String(),
		Specialties: []string{}, Languages: []string{}, Species: []string{},
		Consent: "treatment", Trust: "invited", Lock: lockAfter.String(), Graphics: "auto",
	}
}

// setting says how one key is read from what a user typed, and where it is in Settings.
type setting struct {
	allowed []string // values; nil where parse alone decides
	parse   func(string) (any, error)
	get     func(Settings) any
}

var settings = map[string]setting{
	"listen":    {parse: parseList, get: func(s Settings) any { return s.Listen }},
	"lan-only":  {parse: parseBool, get: func(s Settings) any { return s.LANOnly }},
	"no-dht":    {parse: parseBool, get: func(s Settings) any { return s.NoDHT }},
	"bootstrap": {parse: parseList, get: func(s Settings) any { return s.Bootstrap }},
	"relay":     {parse: parseList, get: func(s Settings) any { return s.Relay }},
	"mailbox":   {parse: parseList, get: func(s Settings) any { return s.Mailbox }},

	"mailbox-studies":      {parse: parseBool, get: func(s Settings) any { return s.MailboxStudies }},
	"mailbox-for-contacts": {parse: parseBool, get: func(s Settings) any { return s.MailboxForContacts }},
	"consent": {
		allowed: []string{"treatment", "patient", "emergency", "law", "other", ""},
		get:     func(s Settings) any { return s.Consent },
	},
	"availability": {parse: parseAvailability, get: func(s Settings) any { return s.Availability }},
	"listed":       {parse: parseBool, get: func(s Settings) any { return s.Listed }},
	"specialties":  {parse: parseCodes, get: func(s Settings) any { return s.Specialties }},
	"languages":    {parse: parseCodes, get: func(s Settings) any { return s.Languages }},
	"species":      {parse: parseCodes, get: func(s Settings) any { return s.Species }},
	"country":      {parse: parseCountry, get: func(s Settings) any { return s.Country }},
	"targets":      {parse: parseTargets, get: func(s Settings) any { return s.Targets }},
	"hook":         {parse: parseList, get: func(s Settings) any { return s.Hook }},
	"webhook": {
		parse: func(s string) (any, error) { return s, desk.CheckWebhook(s) },
		get:   func(s Settings) any { return s.Webhook },
	},
	"dicom":           {parse: parseText, get: func(s Settings) any { return s.DICOM }},
	"ae-title":        {parse: parseAET, get: func(s Settings) any { return s.AETitle }},
	"dicom-allow":     {parse: parseList, get: func(s Settings) any { return s.DICOMAllow }},
	"dicom-cleartext": {parse: parseBool, get: func(s Settings) any { return s.DICOMCleartext }},
	"dicom-tls-cert":  {parse: parseText, get: func(s Settings) any { return s.DICOMCert }},
	"dicom-tls-key":   {parse: parseText, get: func(s Settings) any { return s.DICOMKey }},
	"dicom-tls-ca":    {parse: parseText, get: func(s Settings) any { return s.DICOMCA }},
	"settle":          {parse: parseDuration, get: func(s Settings) any { return s.Settle }},
	"rules":           {parse: parseRules, get: func(s Settings) any { return s.Rules }},
	"views":           {parse: parseList, get: func(s Settings) any { return s.Views }},
	"desktop-notices": {parse: parseBool, get: func(s Settings) any { return s.DesktopNotices }},
	"web":             {parse: parseWeb, get: func(s Settings) any { return s.Web }},
	"web-cert":        {parse: parseFolder, get: func(s Settings) any { return s.WebCert }},
	"web-key":         {parse: parseFolder, get: func(s Settings) any { return s.WebKey }},
	"web-origin":      {parse: parseOrigins, get: func(s Settings) any { return s.WebOrigin }},
	"watch":           {parse: parseFolders, get: func(s Settings) any { return s.Watch }},
	"watch-done":      {parse: parseFolder, get: func(s Settings) any { return s.WatchDone }},
	"viewer":          {parse: parseViewer, get: func(s Settings) any { return s.Viewer }},
	"trust":           {allowed: []string{"invited", "verified"}, get: func(s Settings) any { return s.Trust }},
	"lock":            {parse: parseDuration, get: func(s Settings) any { return s.Lock }},
	"graphics":        {allowed: []string{"auto", "kitty", "sixel", "sextant", "half", "off"}, get: func(s Settings) any { return s.Graphics }},
}

// SettingKeys returns the names of all settings.
func SettingKeys() []string { return slices.Sorted(maps.Keys(settings)) }

// Map returns all settings by name, as curbside config get shows them.
func (s Settings) Map() map[string]any {
	m := make(map[string]any, len(settings))
	for key, def := range settings {
		m[key] = def.get(s)
	}
	return m
}

// Get returns one setting.
func (s Settings) Get(key string) (any, error) {
	def, ok := settings[key]
	if !ok {
		return nil, unknownSetting(key)
	}
	return def.get(s), nil
}

// LockAfter is Lock as a duration; 0 is never.
func (s Settings) LockAfter() time.Duration {
	d, err := time.ParseDuration(s.Lock)
	if err != nil {
		return lockAfter // LoadConfig refuses it before
	}
	return d
}

// LoadConfig reads HOME/config.toml over the defaults. No file is no failure.
func LoadConfig(home string) (Settings, error) {
	s := defaults()
	b, err := readSettings(home)
	if err != nil {
		return s, err
	}
	meta, err := toml.Decode(string(b), &s)
	if err != nil {
		return s, fmt.Errorf("read config.toml: %w", err)
	}
	for _, k := range meta.Undecoded() {
		s.Unknown = append(s.Unknown, k.String())
	}
	for _, key := range SettingKeys() {
		def := settings[key]
		if text, ok := def.get(s).(string); ok {
			if _, err := def.value(key, text); err != nil {
				return s, fmt.Errorf("read config.toml: %w", err)
			}
		}
	}
	return s, nil
}

// SaveSetting sets one key of HOME/config.toml to what a user typed: lists are separated by
// commas. The file is replaced whole; an unknown key or value changes nothing.
func SaveSetting(home, key, value string) error {
	def, ok := settings[key]
	if !ok {
		return unknownSetting(key)
	}
	v, err := def.value(key, value)
	if err != nil {
		return err
	}
	return changeSettings(home, func(file map[string]any) { file[key] = v })
}

// changeSettings replaces the file as a whole, with what change made of it.
func changeSettings(home string, change func(file map[string]any)) error {
	b, err := readSettings(home)
	if err != nil {
		return err
	}
	file := map[string]any{}
	if _, err := toml.Decode(string(b), &file); err != nil {
		return fmt.Errorf("read config.toml: %w", err)
	}
	change(file)
	var out bytes.Buffer
	if err := toml.NewEncoder(&out).Encode(file); err != nil {
		return fmt.Errorf("write config.toml: %w", err)
	}
	var disk *durable.Disk // the real one
	if err := disk.Replace(filepath.Join(home, "config.toml"), out.Bytes()); err != nil {
		return fmt.Errorf("write config.toml: %w", err)
	}
	return nil
}

func (d setting) value(key, text string) (any, error) {
	if d.parse != nil {
		v, err := d.parse(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %s = %q: %w", ErrSetting, key, text, err)
		}
		return v, nil
	}
	if !slices.Contains(d.allowed, text) {
		return nil, fmt.Errorf("%w: %s is one of %s", ErrSetting, key, strings.TrimSuffix(strings.Join(d.allowed, ", "), ", "))
	}
	return text, nil
}

func unknownSetting(key string) error {
	return fmt.Errorf("%w: %q; there are %s", ErrSetting, key, strings.Join(SettingKeys(), ", "))
}

func readSettings(home string) ([]byte, error) {
	path := filepath.Join(home, "config.toml")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	b, err := durable.ReadLimited(path, settingsBytesMax)
	if err != nil {
		return nil, fmt.Errorf("read config.toml: %w", err)
	}
	return b, nil
}

func parseText(s string) (any, error) { return s, nil }

func parseAET(s string) (any, error) { return s, gateway.CheckAET(s) }

func parseBool(s string) (any, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil, errors.New("want true or false")
	}
	return b, nil
}

func parseList(s string) (any, error) {
	list := []string{}
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list, nil
}

// parseCodes reads codes as the directory has them: "Thoracic radiology" is thoracic-radiology.
func parseCodes(s string) (any, error) {
	list, _ := parseList(s)
	out := []string{}
	for _, item := range list.([]string) {
		code, ok := desk.Code(item)
		if !ok {
			return nil, errors.New("want codes of letters, digits, dots and dashes, such as neuroradiology,thoracic")
		}
		out = append(out, code)
	}
	return out, nil
}

func parseCountry(s string) (any, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if s != "" && (len(s) != 2 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		return nil, errors.New("want two letters such as PE, or nothing")
	}
	return s, nil
}

func parseAvailability(s string) (any, error) {
	_, err := desk.ParseHours(s)
	return s, err
}

func parseTargets(s string) (any, error) {
	list, _ := parseList(s)
	_, err := desk.ParseTargets(list.([]string))
	return list, err
}

func parseRules(s string) (any, error) { return desk.ParseRules(s) }

func parseDuration(s string) (any, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return nil, errors.New("want a duration such as 10m, or 0s for never")
	}
	return s, nil
}
