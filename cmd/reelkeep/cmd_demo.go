package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/storage"
	"github.com/reelkeep/reelkeep/worker"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
	"github.com/reelkeep/reelkeep/worker/secret"
)

// demoLinkLife is how long the simulated HeyGen's links live: long enough to be fetched, short enough to watch
// them die. The real ones live seven days at most.
const demoLinkLife = 6 * time.Second

// demoBandwidth is what the simulated HeyGen sends in a second on one connection, so that there is something to see.
const demoBandwidth = 120_000

func demoCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "see it work, without any set-up",
		Description: "Starts a simulated HeyGen whose links live seconds, archives its videos into a temporary folder, waits until\n" +
			"HeyGen's links are dead and shows that the archived ones still play. Nothing outside this machine is contacted.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "keep", Usage: "keep the folder with the videos, and show them in a web page until Ctrl-C"}},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.NArg() > 0 {
				return usageErrorf("demo takes no arguments")
			}
			d := &demo{con: con, keep: c.Bool("keep")}
			return d.do(ctx)
		},
	}
}

type demo struct {
	con  *console
	keep bool
	sim  *heygensim.Sim
	cfg  config.Config
}

// do archives, waits and compares.
func (d *demo) do(ctx context.Context) (err error) {
	if d.sim, err = heygensim.New(heygensim.Options{LinkLife: demoLinkLife, Bandwidth: demoBandwidth}); err != nil {
		return fmt.Errorf("start the simulated HeyGen: %w", err)
	}
	defer func() { err = errors.Join(err, d.sim.Close()) }()
	folder, err := os.MkdirTemp("", "reelkeep-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	if !d.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	if d.cfg, err = d.config(folder, nil); err != nil {
		return err
	}
	videos := heygensim.Sample()
	for _, v := range videos {
		d.sim.Add(v)
	}
	d.con.sayf("A simulated HeyGen with %s is running; its links live %s (the real ones: 7 days).\n", plural(len(videos), "video"), demoLinkLife)
	theirs, died, err := d.collectLinks(ctx)
	if err != nil {
		return err
	}
	d.con.sayf("$ reelkeep archive --all --wait")
	run := &archiveRun{con: d.con, cfg: d.cfg, account: defaultAccount, all: true, wait: true, hints: map[string]worker.Video{}}
	if err := run.do(ctx); err != nil {
		return err
	}
	if err := d.waitUntilDead(ctx, died); err != nil {
		return err
	}
	if err := d.compare(ctx, theirs); err != nil {
		return err
	}
	if d.keep {
		d.con.sayf("\nThe videos are in %s; they are ordinary files.", folder)
		if err := d.show(ctx, folder); err != nil {
			return err
		}
	} else {
		d.con.sayf("\nThe demo's folder is removed now; demo --keep keeps it, and shows it in a web page.")
	}
	d.con.sayf("\nNow with your own account:  HEYGEN_API_KEY=… reelkeep archive --all")
	return nil
}

// config is what a user would set, pointed at the simulation.
func (d *demo) config(folder string, more map[string]string) (config.Config, error) {
	values := map[string]string{
		"HEYGEN_API_URL": d.sim.APIURL(), "HEYGEN_API_KEY": d.sim.Key(),
		"REELKEEP_PRIVATE_SOURCES": "127.0.0.0/8", "REELKEEP_STORE": folder, "REELKEEP_LATE_ASSETS_WAIT": "8s",
	}
	maps.Copy(values, more)
	cfg, err := config.Load(func(s config.Setting) (string, bool) {
		value, ok := values[s.Env]
		return value, ok
	})
	return cfg, withCode(exitUsage, err)
}

// collectLinks asks HeyGen for its links, as an app that stores them in its database would, and says when the
// last of them dies.
func (d *demo) collectLinks(ctx context.Context) (map[string]secret.String, time.Time, error) {
	api, err := newHeyGen(d.cfg, d.cfg.Accounts[0], makings{}, newLog(d.cfg, stderrOf{d.con}))
	if err != nil {
		return nil, time.Time{}, err
	}
	links, died := map[string]secret.String{}, time.Time{}
	for v, err := range api.Videos(ctx, heygen.ListOptions{}) {
		if err != nil {
			return nil, died, err
		}
		if link, ok := v.Link(heygen.AssetVideo); ok {
			links[v.ID] = link.URL
			if link.Expires.After(died) {
				died = link.Expires
			}
		}
	}
	return links, died, nil
}

func (d *demo) waitUntilDead(ctx context.Context, died time.Time) error {
	left := time.Until(died) + time.Second
	if left <= 0 {
		return nil
	}
	d.con.sayf("\nWaiting %s until HeyGen's links are dead …", left.Round(time.Second))
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// compare shows each video's dead link beside the living copy.
func (d *demo) compare(ctx context.Context, theirs map[string]secret.String) (err error) {
	s, err := openShelf(ctx, d.cfg, newLog(d.cfg, stderrOf{d.con}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	compared := 0
	for m, err := range s.Manifests(ctx) {
		if err != nil {
			return err
		}
		link, had := theirs[m.VideoID]
		asset, stored := m.Asset(string(heygen.AssetVideo))
		if !had || !stored {
			continue
		}
		compared++
		if err := d.compareOne(ctx, s, m, asset, link); err != nil {
			return err
		}
	}
	if compared == 0 {
		return errors.New("the demo found nothing to compare: no archived video had a link")
	}
	return nil
}

func (d *demo) compareOne(ctx context.Context, s *shelf, m *storage.Manifest, asset storage.Asset, link secret.String) error {
	answer, err := answerOf(ctx, link.Reveal())
	if err != nil {
		return err
	}
	presigned, _, err := s.PresignGet(ctx, m.Key(), asset.Key, storage.PresignOptions{TTL: time.Hour, ContentType: asset.ContentType})
	if err != nil {
		return err
	}
	ours, err := answerOf(ctx, presigned)
	if err != nil {
		return err
	}
	if answer < 400 || ours != http.StatusOK {
		return fmt.Errorf("the demo expected a dead link of HeyGen and a living one of ours for %s, got %d and %d", m.VideoID, answer, ours)
	}
	d.con.sayf("\n%s", oneLine(m.Video.Title))
	if err := d.con.dataf("  HeyGen's link  %d %-9s  %s", answer, http.StatusText(answer), link); err != nil {
		return err
	}
	return d.con.dataf("  ours           %d %-9s  %s  (%s)", ours, http.StatusText(ours), s.file(m.Key(), asset.Key), config.FormatBytes(asset.Bytes))
}

// answerOf fetches a link on this machine and returns its HTTP status.
func answerOf(ctx context.Context, link string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return 0, fmt.Errorf("ask for %v: %w", secret.New(link), err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask for %v: %s", secret.New(link), secret.Scrub(err.Error()))
	}
	defer res.Body.Close()
	return res.StatusCode, nil
}
