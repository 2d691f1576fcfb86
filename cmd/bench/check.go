//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"
)

// checkers is how many objects are read back at once.
const checkers = 4

// checkStored reads back every object, and compares it and the manifests with the source.
func checkStored(ctx context.Context, j job, manifests bool) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(checkers)
	for _, v := range j.set.videos {
		if manifests {
			g.Go(func() error { return checkManifest(ctx, j, v) })
		}
		for _, f := range v.files {
			g.Go(func() error { return checkObject(ctx, j, f) })
		}
	}
	return g.Wait()
}

func checkObject(ctx context.Context, j job, f *file) error {
	res, err := j.lab.store.s3.do(ctx, http.MethodGet, "/"+j.bucket+"/"+f.key(), nil, nil, 0)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer res.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, res.Body)
	if err != nil {
		return fmt.Errorf("check %s: %w", f.key(), err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != f.size || got != f.sum {
		return fmt.Errorf("check %s: the store holds %d bytes with SHA-256 %s, the source %d with %s", f.key(), n, got, f.size, f.sum)
	}
	return nil
}

func checkManifest(ctx context.Context, j job, v video) error {
	key := v.id + "/manifest.json"
	res, err := j.lab.store.s3.do(ctx, http.MethodGet, "/"+j.bucket+"/"+key, nil, nil, 0)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer res.Body.Close()
	var m struct {
		State  string
		Assets []struct {
			Asset, Key, SHA256 string
			Bytes              int64
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		return fmt.Errorf("check %s: %w", key, err)
	}
	if m.State != "archived" || len(m.Assets) != len(v.files) {
		return fmt.Errorf("check %s: it is %s and has %d files, want archived and %d", key, m.State, len(m.Assets), len(v.files))
	}
	told := map[string]string{}
	for _, a := range m.Assets {
		told[v.id+"/"+a.Key] = fmt.Sprintf("%d bytes, SHA-256 %s", a.Bytes, a.SHA256)
	}
	for _, f := range v.files {
		if want := fmt.Sprintf("%d bytes, SHA-256 %s", f.size, f.sum); told[f.key()] != want {
			return fmt.Errorf("check %s: it says of %s: %q, want %q", key, f.key(), told[f.key()], want)
		}
	}
	return nil
}
