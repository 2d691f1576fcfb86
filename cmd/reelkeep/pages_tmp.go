package main

import (
	"context"
	"iter"

	"github.com/reelkeep/reelkeep/worker/heygen"
)

type pagesTmp struct{ *heygen.Client }

func (p pagesTmp) Pages(ctx context.Context, opt heygen.ListOptions) iter.Seq2[[]*heygen.Video, error] {
	return func(yield func([]*heygen.Video, error) bool) {
		var page []*heygen.Video
		for v, err := range p.Videos(ctx, opt) {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			if page = append(page, v); len(page) == 100 {
				if !yield(page, nil) {
					return
				}
				page = nil
			}
		}
		if len(page) > 0 {
			yield(page, nil)
		}
	}
}
