package fetch

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/reelkeep/reelkeep/worker/secret"
)

// insiders are spellings of addresses inside a network or of this machine.
func insiders() []string {
	return []string{
		"127.0.0.1", "127.1", "127.255.255.254", "0x7f000001", "0x7f.0.0.1", "2130706433", "017700000001", "0177.0.0.1", "0", "0.0.0.0", "localhost",
		"LOCALHOST.", "a.localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
		"[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.0.1",
		"169.254.169.254", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "①②⑦.⓪.⓪.①", "%31%32%37.0.0.1",
	}
}

// trap listens on every address of this machine and counts who comes.
func trap(t *testing.T) (port string, count func() int) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 1000)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came <- struct{}{}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, func() int { return len(came) }
}

func TestALinkIntoTheNetworkIsNotDialledHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	port, came := trap(t)
	c, err := New(Config{PrivateSources: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, host := range insiders() {
		for _, scheme := range []string{"https", "http"} {
			link := Link{URL: secret.New(scheme + "://" + host + ":" + port + "/video.mp4")}
			if _, err := c.ask(t.Context(), question{link: link, off: 0, end: 1, turn: newTurn()}); err == nil {
				t.Errorf("%s://%s was fetched", scheme, host)
			}
		}
	}
	if n := came(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestARedirectIntoTheNetworkIsNotDialledHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	port, came := trap(t)
	var to string
	// The source has an address of its own that may be fetched; nothing else may.
	l, err := net.Listen("tcp", "127.0.0.9:0")
	if err != nil {
		t.Fatal(err)
	}
	source := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}))
	source.Listener.Close()
	source.Listener = l
	source.Start()
	t.Cleanup(source.Close)
	c, err := New(Config{PrivateSources: []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, host := range insiders() {
		for _, scheme := range []string{"https", "http"} {
			to = scheme + "://" + host + ":" + port + "/video.mp4"
			if _, err := c.ask(t.Context(), question{link: Link{URL: secret.New(source.URL)}, off: 0, end: 1, turn: newTurn()}); err == nil {
				t.Errorf("a redirect to %s://%s was followed", scheme, host)
			}
		}
	}
	if n := came(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}

// A name that resolves to a public address when it is looked at, and to 127.0.0.1 when it is dialled: the check is of
// what is dialled.
func TestANameIsJudgedByTheAddressThatIsDialled(t *testing.T) {
	t.Parallel()
	port, came := trap(t)
	dialer := &net.Dialer{ControlContext: newGuard(nil, true).control}
	for _, rebound := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1"} {
		if conn, err := dialer.DialContext(t.Context(), "tcp", net.JoinHostPort(rebound, port)); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v, want ErrBlocked", rebound, err)
			if conn != nil {
				conn.Close()
			}
		}
	}
	if n := came(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}
