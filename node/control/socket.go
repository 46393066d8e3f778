package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	socketName = "curbside.sock"
	// socketPathMax is what fits sun_path everywhere (104 on BSD, 108 on Linux) with room to spare.
	socketPathMax = 100
	// answerTime bounds the look whether somebody answers at a socket: it is on this machine.
	answerTime = 2 * time.Second
)

// Listen opens the control socket of home, which the caller has locked: a socket file that is
// there is a dead process's. The folder is the user's alone, so who reaches the socket is the user.
// Where HOME/run is too long a path, the socket is in a folder elsewhere and HOME/run/socket says which.
func Listen(ctx context.Context, home string) (net.Listener, error) {
	run := filepath.Join(home, "run")
	if err := os.MkdirAll(run, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of the control socket: %w", err)
	}
	path, pointer := filepath.Join(run, socketName), filepath.Join(run, "socket")
	if old := elsewhere(pointer); old != "" {
		_ = os.Remove(filepath.Join(old, socketName)) // a dead process's; the folder may be gone
		_ = os.Remove(old)
	}
	_ = os.Remove(pointer)
	if len(path) > socketPathMax {
		dir, err := os.MkdirTemp("", "curbside-") // 0700
		if err != nil {
			return nil, fmt.Errorf("make folder of the control socket: %w", err)
		}
		if err := os.WriteFile(pointer, []byte(dir+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("say where the control socket is: %w", err)
		}
		path = filepath.Join(dir, socketName)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	return l, nil
}

// Socket returns where the control socket of home would be.
func Socket(home string) string {
	run := filepath.Join(home, "run")
	if dir := elsewhere(filepath.Join(run, "socket")); dir != "" {
		return filepath.Join(dir, socketName)
	}
	return filepath.Join(run, socketName)
}

// elsewhere reads a file that names the folder of the socket. The folder must be there and the
// user's alone: otherwise somebody else's program could answer in the node's name.
func elsewhere(pointer string) string {
	b, err := os.ReadFile(pointer)
	if err != nil {
		return ""
	}
	dir := strings.TrimSpace(string(b))
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || !private(info) {
		return ""
	}
	return dir
}

// Find returns a client of the node that runs on home; ok is false if none answers.
func Find(ctx context.Context, home string) (c *Client, ok bool) {
	socket := Socket(home)
	if len(socket) > socketPathMax {
		return nil, false
	}
	d := net.Dialer{Timeout: answerTime}
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, false
	}
	_ = conn.Close()
	return Dial(socket), true
}
