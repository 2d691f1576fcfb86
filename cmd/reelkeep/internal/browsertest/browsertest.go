// Package browsertest drives a real Chromium, for tests of what people see.
//
//	tab := browsertest.Open(t)
//	tab.Do(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("#gallery")))
//	title := browsertest.Run(tab, chromedp.Title())
//	tab.Shot("gallery.png")
//
// Each test has a browser of its own, headless, with a profile that ends with the test. What a page throws, and what it
// or the browser writes to the console as an error, is kept: Problems.
package browsertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a test may keep its browser.
const patience = 2 * time.Minute

// Tab is one tab of a browser.
type Tab struct {
	t   testing.TB
	ctx func() context.Context

	mu       sync.Mutex
	problems []string
}

// Open starts a browser. It is closed at the end of the test.
func Open(t testing.TB) *Tab {
	t.Helper()
	program, err := find()
	if err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // root, and most containers, can't have one
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("no-proxy-server", true), // everything is on this machine
		chromedp.WindowSize(1280, 900),
	)
	// Not the test's own context: that ends before the browser is asked to close.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, _ = chromedp.NewContext(ctx)
	tab := &Tab{t: t, ctx: func() context.Context { return ctx }}
	var listening sync.WaitGroup
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("close the browser: %v", err)
		}
		stop()
		cancel()
		listening.Wait()
	})
	tab.Do() // starts it
	messages := chromedp.Console(ctx)
	listening.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			tab.hear(m)
		}
	})
	return tab
}

// Do does steps and fails the test if one of them can't be done.
func (tab *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx(), steps...); err != nil {
		tab.fail(err)
	}
}

// Run does one action and returns what it brings.
func Run[T any](tab *Tab, action chromedp.Action[T]) T {
	tab.t.Helper()
	value, err := chromedp.Run(tab.ctx(), action)
	if err != nil {
		tab.fail(err)
	}
	return value
}

// Eval runs JavaScript in the page and returns its value, or that of the promise it gives.
func Eval[T any](tab *Tab, script string) T {
	tab.t.Helper()
	return Run(tab, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

func (tab *Tab) fail(err error) {
	tab.t.Helper()
	tab.t.Fatalf("in the browser: %v\n%s", err, strings.Join(tab.Problems(), "\n"))
}

// Shot takes a picture of the whole page. It is kept if REELKEEP_TEST_SHOTS names a folder, for people to look at.
func (tab *Tab) Shot(name string) {
	tab.t.Helper()
	const quality = 100 // a PNG
	picture := Run(tab, chromedp.FullScreenshot(quality))
	dir := os.Getenv("REELKEEP_TEST_SHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), picture, 0o600); err != nil {
		tab.t.Error(err)
	}
}

// Problems are what went wrong in the page by now.
func (tab *Tab) Problems() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.problems)
}

func (tab *Tab) hear(m chromedp.ConsoleMessage) {
	if !m.IsException() && m.Type != "error" {
		return
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.problems = append(tab.problems, m.String()+" "+m.URL)
}

// find looks for the browser where systems put it.
func find() (string, error) {
	if program := os.Getenv("REELKEEP_TEST_CHROMIUM"); program != "" {
		return program, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", errors.New("there is no Chromium in PATH: run .ci/tools test, or set REELKEEP_TEST_CHROMIUM to a browser's program")
}
