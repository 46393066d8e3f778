package study

import "io"

func (in *Instance) readNested(o *Outline, r io.ReaderAt) {}
