//go:build profile

package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// startProfile writes a CPU profile of the whole run into the file that REELKEEP_CPUPROFILE names. It is for those who work on
// reelkeep, so it exists only in a program built for them, with -tags profile.
func startProfile() (stop func()) {
	name := os.Getenv("REELKEEP_CPUPROFILE")
	if name == "" {
		return func() {}
	}
	f, err := os.Create(name)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "REELKEEP_CPUPROFILE:", err)
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // whoever reads the profile sees that it is cut off
	}
}
