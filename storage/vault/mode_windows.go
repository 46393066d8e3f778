package vault

import "io/fs"

// exposed cannot be told from the mode on Windows, where the profile folder's
// access list protects the file.
func exposed(fs.FileInfo) bool { return false }
