package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/consult/digitize"
	"github.com/curbside-p2p/curbside/node/control"
)

// captureFlags are what is said of pictures and documents.
type captureFlags struct{ control.Capture }

func (c *captureFlags) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&c.PatientName, "patient-name", "", "`NAME` of the patient of pictures and documents, as FAMILY^GIVEN")
	fs.StringVar(&c.PatientID, "patient-id", "", "the patient's `ID`")
	fs.StringVar(&c.Issuer, "issuer", "", "`WHO` gave the patient's id")
	fs.StringVar(&c.BirthDate, "birth-date", "", "`DATE` of birth, 1970-01-31")
	fs.StringVar(&c.Sex, "sex", "", "`SEX`: F, M or O")
	fs.StringVar(&c.Species, "species", "", "`SPECIES` of an animal, such as Canine")
	fs.StringVar(&c.Breed, "breed", "", "`BREED` of an animal")
	fs.StringVar(&c.Owner, "owner", "", "`NAME` of an animal's owner")
	fs.StringVar(&c.Study, "study", "", "the `STUDY` that they join; patient and study are then its")
	fs.StringVar(&c.Date, "date", "", "`DATE` when it was taken, 2026-03-02 or 2026-03-02T08:15")
	fs.StringVar(&c.Description, "description", "", "`TEXT`: what it shows")
	fs.StringVar(&c.Accession, "accession", "", "`NUMBER` of the hospital's order")
	fs.StringVar(&c.Referrer, "referrer", "", "`NAME` of who referred the patient")
	fs.StringVar(&c.Conversion, "conversion", "", "`HOW` it came to be a file: "+conversionNames())
	fs.StringVar(&c.Modality, "modality", "", "`MODALITY`: XC for a photo unless said; of a film what made it, such as DX or CT")
	fs.StringVar(&c.BodyPart, "body-part", "", "`PART`, such as FOOT")
	fs.StringVar(&c.Laterality, "laterality", "", "`SIDE`: left, right, both or unpaired")
	fs.StringVar(&c.Orientation, "orientation", "", "where rows and columns go to, `R/C`, such as L/F")
	fs.Float64Var(&c.DPI, "dpi", 0, "resolution of a film scanner, in `DOTS` an inch")
	fs.StringVar(&c.PixelSpacing, "pixel-spacing", "", "size of a pixel, `MM` or ROWS,COLUMNS")
	fs.StringVar(&c.KnownLength, "known-length", "", "a known length in the upright picture, `X1,Y1;X2,Y2=MM`")
	completeWords(cmd, "conversion", strings.Split(conversionNames(), ", ")...)
	completeWords(cmd, "laterality", "left", "right", "both", "unpaired")
	completeWords(cmd, "sex", "F", "M", "O")
	cmd.MarkFlagsMutuallyExclusive("dpi", "pixel-spacing", "known-length")
}

func conversionNames() string {
	var names []string
	for _, c := range digitize.Conversions() {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// capture is what goes with an import: nil where there is no picture and nothing is said of any.
// What is needed is asked for where somebody can answer.
func (a *app) capture(cmd *cobra.Command, c *captureFlags, paths []string) (*control.Capture, error) {
	said := false
	for _, name := range []string{"patient-name", "patient-id", "study"} {
		said = said || cmd.Flags().Changed(name)
	}
	pictures := 0
	for _, p := range paths {
		if sniffs(p) {
			pictures++
		}
	}
	missing := c.Study == "" && (blank(c.PatientName) || blank(c.PatientID))
	switch {
	case !said && pictures == 0:
		return nil, nil //nolint:nilnil // nothing to say
	case missing && a.inTTY:
		if err := a.askCapture(cmd, c); err != nil {
			return nil, err
		}
	case missing && !said && pictures < len(paths):
		return nil, nil //nolint:nilnil // the others are taken in, these are refused with their reason
	case missing:
		return nil, control.Errorf(control.Refused, "a picture says nothing of its patient: name and identifier are needed").
			WithHint("--patient-name NAME --patient-id ID, or --study STUDY to join one; see: curbside import --help")
	}
	return &c.Capture, nil
}

// sniffs reports whether a file is a picture or a document that becomes an instance.
func sniffs(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false // the import says why
	}
	defer f.Close()
	begin := make([]byte, 1024)
	n, _ := io.ReadFull(f, begin) // a short file has no more
	return digitize.Sniff(begin[:n]).Reads()
}

// askCapture asks for what was not said. What may stay open is left so with an empty line.
func (a *app) askCapture(cmd *cobra.Command, c *captureFlags) error {
	a.say("A picture says nothing of its patient. An empty line leaves a question open.")
	in := bufio.NewReader(a.in)
	for _, q := range []struct {
		flag, question string
		to             *string
		must           bool
	}{
		{"patient-name", "patient's name (FAMILY^GIVEN)", &c.PatientName, true},
		{"patient-id", "patient's id", &c.PatientID, true},
		{"birth-date", "date of birth (1970-01-31)", &c.BirthDate, false},
		{"sex", "sex (F, M, O)", &c.Sex, false},
		{"date", "when it was taken (2026-03-02)", &c.Date, false},
		{"conversion", "how it came to be a file (" + conversionNames() + ")", &c.Conversion, false},
		{"modality", "modality (XC for a photo, of a film what made it)", &c.Modality, false},
		{"body-part", "body part (FOOT)", &c.BodyPart, false},
		{"laterality", "side (left, right, both, unpaired)", &c.Laterality, false},
		{"orientation", "where rows and columns go to (L/F)", &c.Orientation, false},
	} {
		for !cmd.Flags().Changed(q.flag) {
			fmt.Fprintf(a.err, "%s: ", q.question)
			line, err := in.ReadString('\n')
			if err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			if *q.to = strings.TrimSpace(line); *q.to != "" || !q.must {
				break
			}
			a.say("this one is needed")
		}
	}
	return nil
}
