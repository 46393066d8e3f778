package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) pixelCmd() *cobra.Command {
	var req control.FrameRequest
	var raw string
	cmd := &cobra.Command{
		Use:   "pixel [STUDY] --instance SOPUID --raw FILE",
		Short: "write the samples of one frame to a file, as coded",
		Long: `pixel decodes one frame and writes its samples: little-endian, as wide as Bits Allocated,
interleaved, without modality or window transform. It prints what the bytes are. Frames
count from 0. Without a study all of them are searched.`,
		Example: `  curbside pixel --instance 1.2.840.113619.2.55.3 --raw frame.raw
  curbside pixel 81b4 --instance 1.2.840.113619.2.55.3 --frame 4 --raw frame.raw --json`,
		Args:              places("[STUDY]"),
		ValidArgsFunction: a.first(a.studyIDs),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			if req.Frame < 0 {
				return usage("--frame is less than 0")
			}
			if raw == "" || req.SOPUID == "" {
				return usage("--raw and --instance want a value")
			}
			req.Study = optional(args)
			p, err := call(cmd.Context(), a, control.PixelFrame, req)
			if err != nil {
				return err
			}
			if err := writeFile(raw, p.Data); err != nil {
				return fmt.Errorf("write %s: %w", raw, err)
			}
			p.Data = nil
			return a.emit(p, func(pg *page) {
				pg.field("rows", p.Rows)
				pg.field("cols", p.Cols)
				pg.field("samples", p.Samples)
				pg.field("bits allocated", p.BitsAllocated)
				pg.field("signed", p.Signed)
				pg.field("photometric", p.Photometric)
			})
		}),
	}
	cmd.Flags().StringVar(&req.SOPUID, "instance", "", "SOP Instance `UID` of the image")
	cmd.Flags().IntVar(&req.Frame, "frame", 0, "frame `N`, from 0")
	cmd.Flags().StringVar(&raw, "raw", "", "`FILE` to write the samples to")
	_ = cmd.MarkFlagRequired("instance")
	_ = cmd.MarkFlagRequired("raw")
	_ = cmd.MarkFlagFilename("raw")
	return cmd
}
