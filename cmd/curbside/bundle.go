package main

import (
	"context"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/curbside-p2p/curbside/node/control"
)

func (a *app) bundleCmd() *cobra.Command {
	return group("bundle", "cases in a file, for a stick: write, read",
		"  curbside bundle write --to \"Dr. Quispe\" --out /media/stick/consult.curbside\n  curbside bundle read /media/stick/consult.curbside",
		a.bundleWriteCmd(), a.bundleReadCmd())
}

func (a *app) bundleWriteCmd() *cobra.Command {
	var req control.BundleWriteRequest
	var split string
	cmd := &cobra.Command{
		Use:   "write --to PERSON... --out FILE",
		Short: "write what colleagues lack of the cases shared with them",
		Long: `write puts what the recipients lack of the cases they share with you into a file that only
they can open: discussion, marks, reports and studies, as the network would carry them.
Without --case it is every case that all of them are in. What they are known to have, by
what they wrote and signed, is left out; --all writes it again.

A bundle longer than one FAT32 file, or than --split, becomes FILE.1, FILE.2 and so on.
Each is checked by itself, and they may be read in any order.

Where there is no network at all, contacts are made by files first: contact add --out.`,
		Example: `  curbside bundle write --to "Dr. Quispe" --out /media/stick/consult.curbside
  curbside bundle write --to Quispe --to Mamani --case 81b4 --out board.curbside
  curbside bundle write --to Quispe --split 650M --out /tmp/discs.curbside`,
		Args: places(),
		RunE: a.work(func(cmd *cobra.Command, _ []string) error {
			if len(req.To) == 0 {
				return usage("--to is missing: whom is it for?")
			}
			if req.Out == "" {
				return usage("--out is missing: which file?")
			}
			var err error
			if req.Split, err = parseBytes(split); err != nil {
				return err
			}
			if req.Out, err = filepath.Abs(req.Out); err != nil {
				return err
			}
			return bundle(cmd.Context(), a, control.BundleWrite, req)
		}),
	}
	f := cmd.Flags()
	f.StringArrayVar(&req.To, "to", nil, "whom it is for: a `PERSON`, repeatable")
	f.StringArrayVar(&req.Cases, "case", nil, "only this `CASE`, repeatable")
	f.StringVar(&req.Out, "out", "", "write to this `FILE`")
	f.StringVar(&split, "split", "", "no file longer than `SIZE`, such as 650M or 2G")
	f.BoolVar(&req.NoStudies, "no-studies", false, "leave the images out")
	f.BoolVar(&req.All, "all", false, "write also what the recipients are known to have")
	a.complete(cmd, "to", a.contactIDs)
	a.complete(cmd, "case", a.caseIDs)
	_ = cmd.MarkFlagFilename("out")
	return cmd
}

func (a *app) bundleReadCmd() *cobra.Command {
	var req control.BundleReadRequest
	cmd := &cobra.Command{
		Use:   "read FILE...",
		Short: "take in what is new in a bundle",
		Long: `read checks every file whole before it takes anything: a file that is damaged, cut or for
somebody else is refused and changes nothing. What is here already is passed over, so
reading a bundle twice does no harm.

All parts of a bundle are named in one command. Where they come on one stick after the
other, --partial takes each by itself, in any order.`,
		Example: `  curbside bundle read /media/stick/consult.curbside
  curbside bundle read /tmp/discs.curbside.*
  curbside bundle read --partial /media/stick2/consult.curbside.2`,
		Args: places("FILE..."),
		RunE: a.work(func(cmd *cobra.Command, args []string) error {
			var err error
			if req.Files, err = absolute(args); err != nil {
				return err
			}
			return bundle(cmd.Context(), a, control.BundleRead, req)
		}),
	}
	cmd.Flags().BoolVar(&req.Partial, "partial", false, "take these parts although others are missing")
	return cmd
}

// bundle shows the progress of writing or reading, and prints what came of it.
func bundle[Req any](ctx context.Context, a *app, op control.Stream[Req, control.BundleEvent], req Req) error {
	res, err := tracked(ctx, a, op, req, func(b *bar, e control.BundleEvent) *control.BundleResult {
		if e.Result == nil {
			b.set(e.Done, e.Total, e.Phase+" "+size(e.Done))
		}
		return e.Result
	})
	if err != nil {
		return err
	}
	a.warnAll(res.Warnings)
	res.Warnings = nil
	return a.emit(*res, func(pg *page) {
		pg.field("cases", res.Cases)
		pg.field("entries", res.Entries)
		pg.field("blobs", res.Blobs)
		pg.field("size", size(res.Bytes))
		for _, f := range res.Files {
			pg.field("file", f)
		}
	})
}

// parseBytes reads a size such as 650M; the letters are powers of 1000, as in what is printed.
func parseBytes(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	digits := strings.TrimRight(strings.ToUpper(s), "BGMK")
	n, err := strconv.ParseInt(digits, 10, 64)
	scale, known := map[string]int64{"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[strings.TrimSuffix(strings.ToUpper(s)[len(digits):], "B")]
	if err != nil || !known || n < 1 || n > math.MaxInt64/scale {
		return 0, usage("%q is no size: a number of bytes, or one with K, M or G", s)
	}
	return n * scale, nil
}
