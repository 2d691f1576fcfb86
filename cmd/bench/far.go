//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// farSource is an nginx in a network of its own. The only way there is through two TUN devices and a relay that holds every
// packet for half a round trip: TCP behaves as it does over a long line, its windows and slow start included. A proxy that
// delays bytes would not show that: both its ends would be near.
type farSource struct {
	*nginx
	relay *relay
	leave chan struct{} // closed: the thread that lives in the other network may end
}

const (
	roundTrip = 40 * time.Millisecond
	// The block of RFC 2544 is for benchmarks, so nothing else should be there.
	farNet   = "198.18.0.0/15"
	nearAddr = "198.18.77.1"
	farAddr  = "198.18.77.2"
)

// startFarSource needs root, and a kernel with TUN.
func startFarSource(ctx context.Context, dir, files string) (*farSource, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("a network of its own takes root")
	}
	here, err := openTUN("rkbench0", nearAddr)
	if err != nil {
		return nil, err
	}
	f := &farSource{leave: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// Never unlocked: the thread has left our network for good, and ends with this goroutine. What it starts ends, too.
		runtime.LockOSThread()
		started <- f.settle(ctx, here, dir, files)
		<-f.leave
	}()
	if err := <-started; err != nil {
		close(f.leave)
		return nil, errors.Join(err, here.Close())
	}
	if err := f.check(ctx); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// settle moves this thread into a new network, and brings up the relay and nginx there.
func (f *farSource) settle(ctx context.Context, here *os.File, dir, files string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network: %w", err)
	}
	if err := setUp("lo"); err != nil {
		return err
	}
	there, err := openTUN("rkbench1", farAddr)
	if err != nil {
		return err
	}
	f.relay = startRelay(here, there, roundTrip/2)
	if f.nginx, err = startNginx(ctx, dir, files, farAddr); err != nil {
		f.relay.close()
	}
	return err
}

// check measures the round trip: a delay that is not what it should be makes every figure a lie.
func (f *farSource) check(ctx context.Context) error {
	addr := f.origin[len("http://"):]
	var took time.Duration
	for range 3 { // the first may wait for a route
		begun := time.Now()
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("reach the far source: %w", err)
		}
		took = time.Since(begun)
		_ = conn.Close()
	}
	if took < roundTrip || took > roundTrip*3/2 {
		return fmt.Errorf("the round trip to the far source takes %s, want %s", took, roundTrip)
	}
	return nil
}

func (f *farSource) close() {
	f.stop()
	f.relay.close()
	close(f.leave)
}

// openTUN makes a network device whose packets are read from and written to the file, in the network of this thread.
// Packets come as large as TCP has made them, with what the other side needs to cut them: a relay of single packets of
// 1,500 bytes would be what is measured.
func openTUN(name, addr string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	err = func() error {
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
			return err
		}
		if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6); err != nil {
			return err
		}
		return setAddr(name, addr)
	}()
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("make the network device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// onDevice asks the kernel to change a device, with each of the changes.
func onDevice(name string, changes ...func(ifr *unix.Ifreq) uint) error {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("set up the network device %s: %w", name, err)
	}
	defer unix.Close(sock)
	for _, change := range changes {
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return fmt.Errorf("set up the network device %s: %w", name, err)
		}
		request := change(ifr)
		if err := unix.IoctlIfreq(sock, request, ifr); err != nil {
			return fmt.Errorf("set up the network device %s: %w", name, err)
		}
	}
	return nil
}

func up(ifr *unix.Ifreq) uint {
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.SIOCSIFFLAGS
}

func setUp(name string) error { return onDevice(name, up) }

func setAddr(name, addr string) error {
	inet := func(request uint, ip string) func(*unix.Ifreq) uint {
		return func(ifr *unix.Ifreq) uint {
			_ = ifr.SetInet4Addr(net.ParseIP(ip).To4()) // fails only for what isn't four bytes
			return request
		}
	}
	queue := func(ifr *unix.Ifreq) uint {
		ifr.SetUint32(10_000)
		return unix.SIOCSIFTXQLEN
	}
	return onDevice(name, inet(unix.SIOCSIFADDR, addr), inet(unix.SIOCSIFNETMASK, "255.255.255.0"), queue, up)
}

// relay carries packets between two devices and holds each for a while.
type relay struct {
	ends [2]*os.File
	done chan struct{}
}

// packet is one on its way.
type packet struct {
	data []byte
	due  time.Time
}

const (
	packetMost = 64<<10 + 64 // the largest that TCP hands over, with its headers
	// lineBytes is what the line holds each way; what comes above that is lost, as in a router.
	lineBytes   = 64 << 20
	linePackets = 64 << 10
)

func startRelay(a, b *os.File, delay time.Duration) *relay {
	r := &relay{ends: [2]*os.File{a, b}, done: make(chan struct{}, 4)}
	for _, way := range [2][2]*os.File{{a, b}, {b, a}} {
		line := make(chan packet, linePackets)
		var held atomic.Int64
		go func() {
			defer func() { close(line); r.done <- struct{}{} }()
			take(way[0], line, &held, delay)
		}()
		go func() {
			defer func() { r.done <- struct{}{} }()
			deliver(way[1], line, &held)
		}()
	}
	return r
}

// take reads packets until the device is closed.
func take(from *os.File, line chan<- packet, held *atomic.Int64, delay time.Duration) {
	buf := make([]byte, packetMost)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if held.Load() > lineBytes {
			continue
		}
		select {
		case line <- packet{append([]byte(nil), buf[:n]...), time.Now().Add(delay)}:
			held.Add(int64(n))
		default:
		}
	}
}

// deliver hands out packets when their time has come.
func deliver(to *os.File, line <-chan packet, held *atomic.Int64) {
	for p := range line {
		if wait := time.Until(p.due); wait > 0 {
			time.Sleep(wait)
		}
		_, _ = to.Write(p.data) // a packet that is refused is a packet lost
		held.Add(-int64(len(p.data)))
	}
}

func (r *relay) close() {
	for _, end := range r.ends {
		_ = end.Close()
	}
	for range cap(r.done) {
		<-r.done
	}
}
