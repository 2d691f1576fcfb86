package fetch

import (
	"errors"
	"net/netip"
	"testing"
)

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	t.Parallel()
	g := newGuard(nil, true)
	for _, ok := range []string{"93.184.215.14:443", "[2600:1f18::1]:443", "[::ffff:93.184.215.14]:443"} {
		if err := g.control(t.Context(), "tcp", ok, nil); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"127.0.0.1:443", "127.255.1.1:443", "0.0.0.0:443", "10.0.0.1:443", "172.16.0.1:443", "192.168.1.1:443",
		"169.254.169.254:443", "168.63.129.16:443", "[::ffff:168.63.129.16]:443", "100.64.0.1:443", "192.0.0.8:443", "198.18.0.1:443", "224.0.0.1:443", "240.0.0.1:443",
		"255.255.255.255:443", "[::]:443", "[::1]:443", "[::ffff:127.0.0.1]:443", "[::ffff:169.254.169.254]:443",
		"[::127.0.0.1]:443", "[64:ff9b::7f00:1]:443", "[2002:7f00:1::]:443", "[2001:0:7f00:1::]:443", "[fe80::1%eth0]:443",
		"[fc00::1]:443", "[fd00:ec2::254]:443", "[ff02::1]:443", "[100::1]:443", "[2001:db8::1]:443",
		"93.184.215.14:80", "93.184.215.14:22", "nonsense", "", "93.184.215.14",
	} {
		if err := g.control(t.Context(), "tcp", bad, nil); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: got %v, want ErrBlocked", bad, err)
		}
	}
}

func TestPrivateSourcesAreReachedOnAnyPortAndNothingBesideThem(t *testing.T) {
	t.Parallel()
	private := []netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10"),
		netip.MustParsePrefix("::ffff:192.168.7.0/120"),
	}
	for _, g := range []guard{newGuard(private, true), newGuard(private, false)} {
		for _, ok := range []string{
			"10.1.2.3:80", "10.1.2.3:9000", "[::ffff:10.1.2.3]:1", "[fd00::1]:80", "[fe80::1%eth0]:80", "192.168.7.9:80",
		} {
			if err := g.control(t.Context(), "tcp", ok, nil); err != nil {
				t.Errorf("%s: %v", ok, err)
			}
		}
		for _, bad := range []string{"10.2.0.1:443", "192.168.8.1:443", "127.0.0.1:80", "[64:ff9b::a01:203]:443"} {
			if err := g.control(t.Context(), "tcp", bad, nil); !errors.Is(err, ErrBlocked) {
				t.Errorf("%s: got %v, want ErrBlocked", bad, err)
			}
		}
	}
	if err := newGuard(private, false).control(t.Context(), "tcp", "93.184.215.14:443", nil); !errors.Is(err, ErrBlocked) {
		t.Errorf("plain http to a public address: %v", err)
	}
}

func TestAHostSuffixEndsAtADot(t *testing.T) {
	t.Parallel()
	suffixes := []string{"heygen.ai", "127.0.0.1"}
	for host, want := range map[string]bool{
		"heygen.ai": true, "files2.heygen.ai": true, "FILES2.HeyGen.AI.": true, "127.0.0.1": true,
		"evilheygen.ai": false, "heygen.ai.evil.org": false, "ai": false, "": false, "1.127.0.0.1": false, "::1": false,
	} {
		if got := allowedHost(host, suffixes); got != want {
			t.Errorf("%q: got %v", host, got)
		}
	}
	if !allowedHost("anything", nil) {
		t.Error("an empty list stands for any host")
	}
}
