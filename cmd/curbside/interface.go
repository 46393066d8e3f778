package main

import (
	"github.com/spf13/cobra"
)

var graphics = []string{"auto", "kitty", "sixel", "sextant", "half", "off"}

func (a *app) tuiCmd() *cobra.Command {
	var how string
	cmd := &cobra.Command{
		Use:   "tui",
		Short: "the terminal interface of the running node",
		Long: `tui opens the interface: inbox, case page with images and discussion, report editor. It needs
a running node (curbside serve); curbside without a command brings its own.`,
		Example: `  curbside tui
  curbside tui --graphics sextant       if the terminal's own graphics disappoint`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("graphics") {
				if err := oneOf("graphics", how, graphics...); err != nil {
					return err
				}
			}
			if err := a.connectRunning(cmd.Context()); err != nil {
				return err
			}
			return a.show(cmd, how)
		}),
	}
	cmd.Flags().StringVar(&how, "graphics", "", "`HOW`: auto, kitty, sixel, sextant, half or off (default: the setting graphics)")
	completeWords(cmd, "graphics", graphics...)
	return cmd
}

// bare is curbside without a command.
func (a *app) bare(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	if !a.inTTY || !a.outTTY {
		return &usageError{msg: "no command given, and no terminal for the interface", hint: "see: curbside --help"}
	}
	return a.showOwn(cmd)
}
