package study

import (
	"bytes"
	"errors"
	"path"
	"strings"
)

const (
	tagDirRecords Tag = 0x00041220
	tagFileID     Tag = 0x00041500
)

// IsDICOMDIR reports whether a file is a media directory by its meta header.
func IsDICOMDIR(file []byte) bool {
	g := newGuard(int64(len(file)))
	err := g.meta(newFileCursor(bytes.NewReader(file), int64(len(file))))
	return err == nil && g.out.MetaClass == mediaDirectory
}

// ReadDICOMDIR lists the file IDs of a media directory (PS3.10 §8.6) as slash
// separated paths below its folder, as written. The caller matches them
// case-blind, also without ";1" and trailing dots, which are gone here. Offsets
// between records are ignored. A path that leaves the folder is a refusal; of a
// directory that is cut short the files so far are listed, as it is a hint.
func ReadDICOMDIR(file []byte) ([]string, error) {
	g := newGuard(int64(len(file)))
	err := g.run(bytes.NewReader(file), int64(len(file)))
	if r, ok := errors.AsType[*Refusal](err); err != nil && (!ok || r.Reason != Truncated) {
		return nil, err
	}
	o := g.out
	if o.MetaClass != mediaDirectory {
		return nil, refuse(Directory, 0, "not a media directory")
	}
	var out []string
	seen := map[string]bool{}
	for _, e := range o.Elements {
		if e.Tag != tagFileID || e.Depth != 1 || o.Syntax.Deflated {
			continue
		}
		if len(out) == DirectoryMax {
			return nil, refuse(OverLimit, e.Start, "files of a media directory")
		}
		id, ok := filePath(file[e.Value : e.Value+e.Length])
		if !ok {
			return nil, refuse(Damaged, e.Start, "file id leaves its folder")
		}
		if id != "" && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out, nil
}

// filePath turns a file ID into a path (PS3.10 §8.2: components of A-Z, 0-9, _;
// real media have more).
func filePath(b []byte) (string, bool) {
	if len(b) > 4096 {
		return "", false
	}
	id := strings.Trim(string(b), " \x00")
	if id == "" {
		return "", true
	}
	parts := strings.Split(id, "\\")
	for i, p := range parts {
		p = strings.TrimRight(strings.TrimSuffix(strings.TrimSpace(p), ";1"), ".")
		if p == "" || strings.ContainsAny(p, "/:\x00") || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' }) {
			return "", false
		}
		parts[i] = p
	}
	return path.Join(parts...), true
}
