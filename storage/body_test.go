package storage

import (
	"errors"
	"io"
	"testing"
)

// net/http may read a body for a while after the answer is there. Then the memory belongs to another part.
func TestABodyIsNotReadAfterItsMemoryWasTakenBack(t *testing.T) {
	t.Parallel()
	data := []byte("a part of a video")
	body := lend(data)
	if _, err := body.Seek(2, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); err != nil || string(got) != "part of a video" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	body.end()
	if n, err := body.Read(make([]byte, 4)); n != 0 || !errors.Is(err, errDetached) {
		t.Errorf("after its end: %d bytes, %v", n, err)
	}
	if _, err := body.Seek(0, io.SeekStart); !errors.Is(err, errDetached) {
		t.Errorf("after its end it can be rewound: %v", err)
	}
}

func TestOnlyAnAddressOfThisMachineIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.1": true, "::1": true, "::ffff:127.0.0.1": true,
		"10.0.0.1": false, "localhost": false, "minio": false, "0.0.0.0": false, "169.254.1.1": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %t", host, got)
		}
	}
}
