package fetch

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

const (
	privateHint = "if this address is meant, add it to REELKEEP_PRIVATE_SOURCES"
	hostsHint   = "if this host is meant, add it to REELKEEP_SOURCE_HOSTS"
)

// azureHost is the machine that every virtual machine of Azure's runs on. It is reached by a public address.
var azureHost = netip.MustParsePrefix("168.63.129.16/32")

// A guard decides which addresses may be dialled. It sees the address that a name has resolved to, after the last
// moment at which DNS could still change its mind; a check of the name alone would miss that.
type guard struct {
	public  *ssrf.Guardian // nil: no public address at all
	private []netip.Prefix
}

func newGuard(private []netip.Prefix, public bool) guard {
	g := guard{}
	for _, p := range private {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		g.private = append(g.private, p)
	}
	if public {
		g.public = ssrf.New(ssrf.WithPorts(443), ssrf.WithDeniedV4Prefixes(azureHost))
	}
	return g
}

// control is net.Dialer's hook.
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return blocked(privateHint, "%q is no address", address)
	}
	return g.check(target)
}

func (g guard) check(target netip.AddrPort) error {
	// A v4 address in v6 clothes reaches the same machine, and a zone hides an address from Prefix.Contains.
	addr := target.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(g.private, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	if g.public == nil {
		return blocked("use an https link, or add the address to REELKEEP_PRIVATE_SOURCES",
			"plain http to %s, which is not one of REELKEEP_PRIVATE_SOURCES", addr)
	}
	if err := g.public.SafeAddrPort(netip.AddrPortFrom(addr, target.Port())); err != nil {
		return blocked(privateHint, "%s is not a public address on port 443", netip.AddrPortFrom(addr, target.Port()))
	}
	return nil
}

// hostSuffix brings a host name or suffix into the one form that is compared.
func hostSuffix(host string) string {
	return strings.ToLower(strings.Trim(strings.TrimPrefix(strings.TrimSpace(host), "*."), "."))
}

// allowedHost says whether the host is one of the suffixes or lies below one. Nothing lies below an IP address.
func allowedHost(host string, suffixes []string) bool {
	if len(suffixes) == 0 {
		return true
	}
	host = hostSuffix(host)
	return slices.ContainsFunc(suffixes, func(suffix string) bool {
		return host == suffix || (!isIP(host) && !isIP(suffix) && strings.HasSuffix(host, "."+suffix))
	})
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
