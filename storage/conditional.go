package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// smallLimit bounds manifests and upload records; both are far smaller.
const smallLimit = 16 * mib

// create writes a small object that must not be there yet. It returns ErrExists when other bytes are there. The same
// bytes count as ours: a lost reply makes the second try of our own write fail.
func (s *Store) create(ctx context.Context, key string, data []byte) (string, error) {
	caps, err := s.Check(ctx)
	if err != nil {
		return "", err
	}
	// Always looked at first: versitygw overwrites a file that was copied into its folder by hand, whatever the
	// condition says, and on a store without conditions this look is all there is.
	etag, err := s.settle(ctx, key, data)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return etag, err
	}
	return s.createUnseen(ctx, key, data, caps)
}

// createUnseen is create after a look.
func (s *Store) createUnseen(ctx context.Context, key string, data []byte, caps Capabilities) (string, error) {
	etag, err := s.put(ctx, key, data, putOptions{contentType: "application/json", ifAbsent: caps.PutIfAbsent})
	if err == nil && caps.PutIfAbsent {
		return etag, nil
	}
	found, look := s.settle(ctx, key, data)
	if look == nil || errors.Is(look, ErrExists) {
		return found, look
	}
	if err != nil {
		return "", s.fail(ctx, "create", key, err)
	}
	return "", look
}

// settle reads an object and says whether it holds exactly these bytes (nil), others (ErrExists) or nothing
// (ErrNotFound).
func (s *Store) settle(ctx context.Context, key string, data []byte) (string, error) {
	there, etag, err := s.read(ctx, key, smallLimit)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(there, data) {
		return etag, fmt.Errorf("create %s: %w", key, ErrExists)
	}
	return etag, nil
}

// replace writes a small object over the one with that ETag. It returns ErrConflict when another one is there by now.
func (s *Store) replace(ctx context.Context, key string, data []byte, old string) (string, error) {
	caps, err := s.Check(ctx)
	if err != nil {
		return "", err
	}
	conflict := fmt.Errorf("replace %s: %w", key, ErrConflict)
	o := putOptions{contentType: "application/json", ifMatch: old}
	if !caps.PutIfMatch {
		o.ifMatch = ""
		_, etag, err := s.read(ctx, key, smallLimit)
		if errors.Is(err, ErrNotFound) || (err == nil && etag != old) {
			return "", conflict
		}
		if err != nil {
			return "", err
		}
	}
	etag, err := s.put(ctx, key, data, o)
	if err == nil && caps.PutIfMatch {
		return etag, nil
	}
	there, look := s.settle(ctx, key, data)
	switch {
	case look == nil:
		return there, nil
	case errors.Is(look, ErrNotFound), errors.Is(look, ErrExists) && there != old:
		return "", conflict
	case err != nil:
		return "", s.fail(ctx, "replace", key, err)
	}
	return "", look
}
