//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// runGoBenchmarks runs those of the hot loops, briefly. Their column allocs/op must not grow with the size of a part; tests
// of the same packages hold them to it.
func runGoBenchmarks(ctx context.Context, _ options) error {
	fmt.Printf("\nGo benchmarks of the hot loops\n")
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "HotLoop", "-benchmem", "-benchtime", "300ms", "./worker", "./worker/fetch", "./storage")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run the Go benchmarks: %w", err)
	}
	return nil
}
