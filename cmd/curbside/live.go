package main

import (
	"context"
	"strings"

	"github.com/curbside-p2p/curbside/node/control"
)

// verifyLive compares four words with a colleague who does the same now. On a terminal it asks;
// elsewhere the words go to stderr, and another call with --live --said says what was read out.
func (a *app) verifyLive(ctx context.Context, who, said string) (control.Contact, error) {
	var out control.Contact
	if err := a.connectRunning(ctx); err != nil {
		return out, err
	}
	if said != "" {
		return call(ctx, a, control.ContactLiveAnswer, control.LiveAnswer{Contact: who, Said: said})
	}
	err := stream(ctx, a, control.ContactLive, control.LiveRequest{Contact: who}, func(e control.LiveEvent) error {
		switch e.State {
		case "waiting":
			a.say("waiting for the other person: they do the same now, with a running node")
		case "words":
			return a.liveWords(ctx, e)
		case "done":
			out = *e.Contact
		}
		return nil
	})
	return out, err
}

func (a *app) liveWords(ctx context.Context, e control.LiveEvent) error {
	a.say("words: %s", strings.Join(e.Words, " "))
	if !a.inTTY {
		a.say("say what %s reads out with: curbside contact verify %q --live --said \"…\"", e.Name, e.Name)
		return nil
	}
	a.say("Read them to %s on the phone; both must see the same four words.", e.Name)
	same, err := a.yes("Are they the same?")
	if err != nil {
		return err
	}
	_, err = call(ctx, a, control.ContactLiveAnswer, control.LiveAnswer{Session: e.Session, Same: same})
	return err
}
