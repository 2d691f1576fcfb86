package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

var update = flag.Bool("update", false, "rewrite the golden files of the contract")

// golden compares the public surface with the file that documents it. A change here is a change of the contract:
// say why in CHANGELOG.md.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s has changed (go test ./cmd/reelkeep -run Golden -update rewrites it):\n%s", file, diff)
	}
}

func TestGoldenHelp(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, args := range [][]string{nil, {"demo"}, {"archive"}, {"serve"}, {"enqueue"}, {"status"}, {"list"}, {"retry"}, {"cancel"}, {"sweep"}, {"get"}, {"url"}, {"webhook"}, {"webhook", "register"}, {"webhook", "list"}, {"webhook", "remove"}, {"health"}, {"version"}, {"completion"}} {
		var out, talk bytes.Buffer
		line := append(append([]string{"reelkeep"}, args...), "--help")
		if code := run(t.Context(), line, newConsole(strings.NewReader(""), &out, &talk)); code != exitOK || talk.Len() > 0 {
			t.Errorf("%v ended with %d and said %q", line, code, talk.String())
		}
		all.WriteString("$ " + strings.Join(line, " ") + "\n" + out.String() + "\n")
	}
	golden(t, "help.txt", all.String())
}

func TestTheHelpNamesEveryExitCode(t *testing.T) {
	t.Parallel()
	for code, word := range map[string]string{
		"0 ": "done", "1 ": "could not be done", "2 ": "usage", "3 ": "not archived yet", "4 ": "damage", "5 ": "dependency", "130 ": "interrupted",
	} {
		found := false
		for line := range strings.SplitSeq(exitCodes, "\n") {
			found = found || (strings.HasPrefix(strings.TrimSpace(line), code) && strings.Contains(line, word))
		}
		if !found {
			t.Errorf("exit code %s(%s) is missing in the help text", code, word)
		}
	}
}

func TestGoldenStatusJSON(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time {
		return time.Date(2026, 11, 23, hour, 0, 0, 0, time.FixedZone("elsewhere", 3600))
	}
	deadline, total := at(12), int64(31457280)
	waiting := queue.Status{
		VideoID: "0a1b2c3d4e5f40718293a4b5c6d7e8f9", State: queue.StateTransferring, Title: "Launch", Deadline: &deadline, Attempts: 2,
		AcceptedAt: at(10), UpdatedAt: at(11), Bytes: 8 << 20, Metadata: map[string]string{"order": "17"},
		Error:  &queue.ErrorInfo{Code: "outage", Message: "the store is out of reach", Hint: "check the network"},
		Assets: []queue.AssetStatus{{Asset: "video", State: queue.AssetTransferring, Bytes: 8 << 20, Total: &total}, {Asset: "gif", State: queue.AssetWaiting}},
	}
	sealed := &storage.Manifest{
		VideoID: "1b2c3d4e5f604172839405b6c7d8e9fa", State: storage.StateArchived, SealedAt: at(10),
		Assets: []storage.Asset{{Asset: "video", Key: "video.mp4", Bytes: total}},
		Absent: []storage.Absent{{Asset: "gif", Reason: storage.AbsentNotOffered}},
	}
	var out bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &out)
	for _, r := range []videoReport{reportOfStatus(waiting), reportOfManifest(sealed)} {
		r.AtRisk = false // depends on the day this test runs
		if err := r.print(con, true); err != nil {
			t.Fatal(err)
		}
		if err := r.print(con, false); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "status.txt", out.String())
}

func TestGoldenReceiptJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &out)
	const id = "0a1b2c3d4e5f40718293a4b5c6d7e8f9"
	show := func(title string, r receiptReport, word, note string) {
		out.WriteString("# " + title + "\n")
		for _, asJSON := range []bool{true, false} {
			if err := r.print(con, asJSON, word, note); err != nil {
				t.Fatal(err)
			}
		}
	}
	show("enqueue: a new video", reportOfReceipt(queue.Receipt{VideoID: id, State: queue.StateAccepted}, nil), "accepted", "")
	show("enqueue: one that is under way", reportOfReceipt(queue.Receipt{VideoID: id, State: queue.StateTransferring, Duplicate: true}, nil), "duplicate", "transferring")
	show("enqueue: one that is archived", reportOfReceipt(queue.Receipt{VideoID: id, State: queue.StateArchived, Duplicate: true}, nil), "duplicate", "archived")
	show("enqueue, retry, cancel: not an id", reportOfReceipt(queue.Receipt{VideoID: "../etc/passwd"}, fmt.Errorf("…: %w", queue.ErrInvalidJob)), "refused", "")
	show("retry, cancel: nobody knows it", reportOfReceipt(queue.Receipt{VideoID: id}, fmt.Errorf("…: %w", queue.ErrUnknown)), "refused", "")
	show("cancel: it is archived", reportOfReceipt(queue.Receipt{VideoID: id}, fmt.Errorf("…: %w", queue.ErrSettled)), "refused", "")
	show("retry, cancel: what Redis holds is damaged", reportOfReceipt(queue.Receipt{VideoID: id}, &queue.EntryError{VideoID: id, Account: "default", Err: errors.New("unexpected end of JSON input")}), "refused", "")
	golden(t, "receipt.txt", out.String())
}
