package main

import (
	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) show(*cobra.Command, string) error {
	return control.Errorf(control.Refused, "the interface is not built yet")
}

func (a *app) showOwn(*cobra.Command) error {
	return control.Errorf(control.Refused, "the interface is not built yet")
}
