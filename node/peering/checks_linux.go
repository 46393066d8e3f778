package peering

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// udpBuffer is what quic-go asks for, NETWORK §2.
const udpBuffer = 7_500_000

// sysctl reads a kernel setting; empty if there is none.
func sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func systemChecks() []Finding {
	allowed := strings.Fields(sysctl("net.ipv4.tcp_allowed_congestion_control"))
	current := sysctl("net.ipv4.tcp_congestion_control")
	cc := Finding{Name: "congestion control", OK: true, Detail: current}
	switch {
	case slices.Contains(allowed, "bbr"):
		cc.Detail = "bbr, per connection"
	case current != "bbr":
		cc.Hint = "on lossy links bbr is many times faster; as root: modprobe tcp_bbr; sysctl net.ipv4.tcp_allowed_congestion_control=\"reno cubic bbr\""
	}
	buf := Finding{Name: "udp buffers", OK: true, Detail: "net.core.rmem_max " + sysctl("net.core.rmem_max") + ", wmem_max " + sysctl("net.core.wmem_max")}
	for _, s := range []string{"net.core.rmem_max", "net.core.wmem_max"} {
		if n, err := strconv.Atoi(sysctl(s)); err == nil && n < udpBuffer {
			buf.Hint = "QUIC is faster with larger ones; as root: sysctl net.core.rmem_max=7500000 net.core.wmem_max=7500000"
		}
	}
	return []Finding{cc, buf}
}
