package main

import (
	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) demoCmd() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "a whole second opinion on this machine", Example: "  curbside demo --headless", Args: places(),
		RunE: a.work(func(*cobra.Command, []string) error {
			return control.Errorf(control.Refused, "the demo is not built yet")
		}),
	}
}
