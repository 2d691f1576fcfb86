package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

const (
	// demoLongBytes takes some parts, so that its bar is seen to move.
	demoLongBytes = 24 << 20
	demoRender    = 40 * time.Second
)

// show serves the folder as a service does, with some more videos that are under way, until somebody ends it.
func (d *demo) show(ctx context.Context, folder string) error {
	small := map[string]heygensim.Asset{"video": {}, "thumbnail": {}}
	more := []heygensim.Video{
		{ID: "1f2e3d4c5b6a47988776655443322110", Title: "A long one, on its way", Assets: map[string]heygensim.Asset{"video": {Size: demoLongBytes}, "thumbnail": {}}},
		{ID: "2a3b4c5d6e7f48099887766554433221", Title: "Rendered while you watch", RenderFor: demoRender, Assets: small},
		{ID: "3b4c5d6e7f8a491aa998877665544332", Title: "The render that fails", Fail: &heygensim.Failure{Code: "AUDIO_TOO_LONG", Message: "the audio is longer than the plan allows"}, Assets: small},
	}
	ids := make([]string, len(more))
	for i, v := range more {
		d.sim.Add(v)
		ids[i] = v.ID
	}
	cfg, err := d.config(folder, map[string]string{"REELKEEP_LISTEN": freeAddr(ctx), "REELKEEP_OPS_LISTEN": "127.0.0.1:0", "REELKEEP_LOG_LEVEL": "error", "REELKEEP_PART_SIZE": "5MiB"})
	if err != nil {
		return err
	}
	s := &service{cfg: cfg, embedded: true, roles: []string{roleWorker, roleSweeper, roleAPI}}
	s.equip(d.con)
	s.opened = func(addr string) {
		d.con.sayf("\nTheir page:  http://%s/\nThree more videos are on their way. Ctrl-C ends it; the folder stays.", addr)
		go func() {
			if err := d.handIn(ctx, addr, ids); err != nil && ctx.Err() == nil {
				s.log.Error("the other videos are not on their way", "err", err)
			}
		}()
	}
	return s.run(ctx)
}

// handIn hands videos in as an app would.
func (d *demo) handIn(ctx context.Context, addr string, ids []string) error {
	body, err := json.Marshal(map[string]any{"video_ids": ids})
	if err != nil {
		return fmt.Errorf("hand in videos: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/v1/videos", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("hand in videos: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("hand in videos: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("hand in videos: the service says %s", res.Status)
	}
	return nil
}

// freeAddr is the usual address, or any other one of this machine if that is taken.
func freeAddr(ctx context.Context) string {
	const usual = "127.0.0.1:8080"
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", usual)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close() // only to see whether it could be had
	return usual
}
