package queue

import (
	"slices"
	"sort"
)

// candidate is a video that is due.
type candidate struct {
	account string
	field   string
	order   int64 // deadline in Unix milliseconds
}

// lane is what is due of one account, each list by deadline.
type lane struct {
	account               string
	interactive, backfill []candidate
}

// span is a time from one moment to before another, in Unix milliseconds.
type span struct{ from, to int64 }

func (s span) holds(t int64) bool { return s.from <= t && t < s.to }

// pick chooses up to n videos: all that are at risk come first, then interactive ones, then backfill; within each, accounts
// take turns beginning after the one served last, and each account brings its earliest deadline. It returns the account
// served last.
//
// A deadline that has passed is no risk any more: there is nothing left to hurry for, and the first sweep of an old account
// finds thousands of such videos, which must not push aside what can still be late.
func pick(lanes []lane, n int, risk span, turn string) ([]candidate, string) {
	lanes = slices.Clone(lanes)
	slices.SortFunc(lanes, func(a, b lane) int { return compare(a.account, b.account) })
	start := sort.Search(len(lanes), func(i int) bool { return lanes[i].account > turn })
	lanes = append(lanes[start:], lanes[:start]...)

	var picked []candidate
	for _, class := range classes(lanes, risk) {
		for len(picked) < n {
			before := len(picked)
			for i := range class {
				if len(class[i]) == 0 || len(picked) == n {
					continue
				}
				picked = append(picked, class[i][0])
				turn = class[i][0].account
				class[i] = class[i][1:]
			}
			if len(picked) == before {
				break
			}
		}
	}
	return picked, turn
}

// classes sorts each lane into the three classes: [class][lane] → candidates by deadline.
func classes(lanes []lane, risk span) [3][][]candidate {
	var out [3][][]candidate
	for c := range out {
		out[c] = make([][]candidate, len(lanes))
	}
	for i, l := range lanes {
		for _, c := range l.interactive {
			k := 1
			if risk.holds(c.order) {
				k = 0
			}
			out[k][i] = append(out[k][i], c)
		}
		for _, c := range l.backfill {
			k := 2
			if risk.holds(c.order) {
				k = 0
			}
			out[k][i] = append(out[k][i], c)
		}
		slices.SortStableFunc(out[0][i], func(a, b candidate) int { return compare(a.order, b.order) })
	}
	return out
}

func compare[T int64 | string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
