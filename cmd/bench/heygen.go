//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// heygen stands in for HeyGen's API: the simulator, whose links lead to nginx.
type heygen struct {
	sim    *heygensim.Sim
	server *http.Server
	url    string
}

// longAgo is when the videos were rendered: no asset of theirs can still be late.
const longAgo = 30 * 24 * time.Hour

// startHeyGen serves the videos of a data set with links to origin.
func startHeyGen(ctx context.Context, set *dataset, origin string) (*heygen, error) {
	sim, err := heygensim.New(heygensim.Options{CountOnly: true})
	if err != nil {
		return nil, fmt.Errorf("start HeyGen's stand-in: %w", err)
	}
	originURL, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("start HeyGen's stand-in: %w", err)
	}
	for _, v := range set.videos {
		assets := map[string]heygensim.Asset{}
		for _, f := range v.files {
			a := heygensim.Asset{Path: originURL.Path + "/" + f.path()}
			if f.asset == assetVideo {
				a.Size = f.size // from which the simulator knows how long it plays
			}
			assets[f.asset] = a
		}
		sim.Add(heygensim.Video{ID: v.id, Title: "A video of " + set.name, CreatedAt: time.Now().Add(-longAgo), Assets: assets})
	}
	api, err := url.Parse(sim.APIURL())
	if err != nil {
		return nil, fmt.Errorf("start HeyGen's stand-in: %w", err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(api) },
		ModifyResponse: func(res *http.Response) error { return relink(res, sim.AssetURL(), "http://"+originURL.Host) },
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start HeyGen's stand-in: %w", err)
	}
	h := &heygen{sim: sim, server: &http.Server{Handler: proxy, ReadHeaderTimeout: time.Minute}, url: "http://" + l.Addr().String()}
	go func() { _ = h.server.Serve(l) }() // ends with ErrServerClosed
	return h, nil
}

// relink puts another origin into the links of an answer.
func relink(res *http.Response, from, to string) error {
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return fmt.Errorf("read the stand-in's answer: %w", err)
	}
	b = bytes.ReplaceAll(b, []byte(from), []byte(to))
	res.Body = io.NopCloser(bytes.NewReader(b))
	res.ContentLength = int64(len(b))
	res.Header.Set("Content-Length", strconv.Itoa(len(b)))
	return nil
}

func (h *heygen) close() {
	_ = h.server.Close()
	_ = h.sim.Close()
}
