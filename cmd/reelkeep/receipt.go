package main

import (
	"fmt"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
)

// receiptReport is the answer about one video as `enqueue --json`, `retry --json` and `cancel --json` print it, and as a
// line for people.
type receiptReport struct{ report.Receipt }

func reportOfReceipt(r queue.Receipt, err error) receiptReport {
	return receiptReport{report.OfReceipt(r, err)}
}

// print writes the answer as a line: for people word, id and a note or what went wrong, else as JSON.
func (r receiptReport) print(con *console, asJSON bool, word, note string) error {
	if asJSON {
		return con.dataJSON(r.Receipt)
	}
	line := fmt.Sprintf("%-9s  %s", word, oneLine(r.VideoID))
	if note != "" {
		line += "  " + note
	}
	if r.Error != nil {
		line += "  — " + oneLine(r.Error.Message)
	}
	return con.dataf("%s", line)
}
