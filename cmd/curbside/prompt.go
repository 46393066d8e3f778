package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"golang.org/x/term"

	"github.com/curbside-p2p/curbside/node/control"
)

// wordsAsked is how many of the 24 words are asked back: enough to show that they were written down.
const wordsAsked = 3

// askPassphrase asks on the terminal, without echo.
func (a *app) askPassphrase(prompt string) ([]byte, error) {
	fmt.Fprint(a.err, prompt)
	b, err := term.ReadPassword(int(a.in.Fd()))
	fmt.Fprintln(a.err)
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	if len(b) == 0 {
		return nil, errors.New("no passphrase given")
	}
	return b, nil
}

// newPassphrase is the passphrase of a new person: from the file, or asked for twice.
func (a *app) newPassphrase() ([]byte, error) {
	if a.pass != nil {
		return a.pass, nil
	}
	if !a.inTTY {
		return nil, control.Errorf(control.Refused, "a new person needs a passphrase").
			WithHint("--passphrase-file FILE, or --no-passphrase for tests and kiosks")
	}
	for {
		b, err := a.askPassphrase("passphrase for the new keys: ")
		if err != nil {
			return nil, err
		}
		again, err := a.askPassphrase("once more: ")
		if err != nil {
			return nil, err
		}
		if bytes.Equal(b, again) {
			return b, nil
		}
		a.say("these differ; try again")
	}
}

// showWords shows the recovery words on the terminal and asks some of them back.
func (a *app) showWords(words []string) error {
	a.say("These %d words are the only way to restore this person. Write them down, on paper:\n", len(words))
	for i := 0; i < len(words); i += 4 {
		for j := i; j < min(i+4, len(words)); j++ {
			fmt.Fprintf(a.err, "  %2d %-10s", j+1, words[j])
		}
		fmt.Fprintln(a.err)
	}
	a.say("")
	in := bufio.NewReader(a.in)
	for _, i := range rand.Perm(len(words))[:min(wordsAsked, len(words))] { //nolint:gosec // which words are asked back is no secret
		for {
			fmt.Fprintf(a.err, "word %d: ", i+1)
			line, err := in.ReadString('\n')
			if err != nil {
				return fmt.Errorf("read the word: %w", err)
			}
			if strings.EqualFold(strings.TrimSpace(line), words[i]) {
				break
			}
			a.say("that is not word %d", i+1)
		}
	}
	return nil
}

// yes asks a question on the terminal; anything but y or yes is no.
func (a *app) yes(question string) (bool, error) {
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
