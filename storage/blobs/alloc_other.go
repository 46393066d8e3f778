//go:build !unix

package blobs

import "io/fs"

func allocated(info fs.FileInfo) int64 { return info.Size() }
