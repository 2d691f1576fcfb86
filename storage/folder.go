package storage

import (
	"context"
	"fmt"
	"strings"
)

// A Folder is what the store held of a video at one moment: all that one request can tell, however many files there are.
type Folder struct {
	video VideoKey
	there map[string]listed // by name below the video's folder
}

// Folder lists a video's folder.
func (s *Store) Folder(ctx context.Context, k VideoKey) (*Folder, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	f, dir := &Folder{video: k, there: map[string]listed{}}, s.dir(k)
	for o, err := range s.objects(ctx, dir) {
		if err != nil {
			return nil, fmt.Errorf("look at what is stored of video %s: %w", k, err)
		}
		f.there[strings.TrimPrefix(o.key, dir)] = o
	}
	return f, nil
}

// Sealed says whether there was a manifest.
func (f *Folder) Sealed() bool {
	_, sealed := f.there[manifestName]
	return sealed
}

// recorded are the assets of which there was an upload record.
func (f *Folder) recorded() []string {
	var assets []string
	for name := range f.there {
		record, isRecord := strings.CutPrefix(name, uploadDir)
		if asset, ok := strings.CutSuffix(record, ".json"); isRecord && ok && validName(asset, 40) {
			assets = append(assets, asset)
		}
	}
	return assets
}

// shows says whether an asset was there as the manifest has it.
func (f *Folder) shows(a Asset) bool {
	o, ok := f.there[a.Key]
	return ok && a.is(o.size, o.etag)
}
