package storage

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// opt is a value of the file that is null while unknown.
type opt[T comparable] struct{ v T }

func (o opt[T]) MarshalJSON() ([]byte, error) {
	var zero T
	if o.v == zero {
		return []byte("null"), nil
	}
	return marshalPlain(o.v)
}

func (o *opt[T]) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*o = opt[T]{}
		return nil
	}
	return json.Unmarshal(b, &o.v)
}

func utc(t time.Time) opt[time.Time] { return opt[time.Time]{t.UTC().Truncate(time.Millisecond)} }

type (
	manifestFile struct {
		Schema     string            `json:"schema"`
		VideoID    string            `json:"video_id"`
		Account    string            `json:"account"`
		Generation int               `json:"generation"`
		State      string            `json:"state"`
		SealedAt   opt[time.Time]    `json:"sealed_at"`
		Video      videoFile         `json:"video"`
		Metadata   map[string]string `json:"metadata"`
		Source     sourceFile        `json:"source"`
		Assets     []assetFile       `json:"assets"`
		Absent     []absentFile      `json:"absent"`
	}
	videoFile struct {
		Title           opt[string]    `json:"title"`
		Status          opt[string]    `json:"status"`
		DurationSeconds opt[float64]   `json:"duration_seconds"`
		CreatedAt       opt[time.Time] `json:"created_at"`
		CompletedAt     opt[time.Time] `json:"completed_at"`
		CallbackID      opt[string]    `json:"callback_id"`
	}
	sourceFile struct {
		API      opt[string]     `json:"api"`
		Response json.RawMessage `json:"response"`
	}
	assetFile struct {
		Asset       string          `json:"asset"`
		Key         string          `json:"key"`
		Bytes       int64           `json:"bytes"`
		SHA256      opt[string]     `json:"sha256"`
		CRC64NVME   opt[string]     `json:"crc64nvme"`
		ContentType opt[string]     `json:"content_type"`
		ETag        opt[string]     `json:"etag"`
		Source      assetSourceFile `json:"source"`
		StoredAt    opt[time.Time]  `json:"stored_at"`
	}
	assetSourceFile struct {
		Host         opt[string] `json:"host"`
		Path         opt[string] `json:"path"`
		ETag         opt[string] `json:"etag"`
		LastModified opt[string] `json:"last_modified"`
	}
	absentFile struct {
		Asset  string `json:"asset"`
		Reason string `json:"reason"`
	}
)

// MarshalJSON writes the file's form.
func (m *Manifest) MarshalJSON() ([]byte, error) {
	v := m.Video
	f := manifestFile{
		Schema: manifestSchema, VideoID: m.VideoID, Account: m.Key().account(), Generation: max(1, m.Generation), State: m.State,
		SealedAt: utc(m.SealedAt), Metadata: m.Metadata,
		Video: videoFile{
			opt[string]{v.Title}, opt[string]{v.Status}, opt[float64]{v.DurationSeconds}, utc(v.CreatedAt), utc(v.CompletedAt), opt[string]{v.CallbackID},
		},
		Source: sourceFile{opt[string]{m.Source.API}, m.Source.Response},
		Assets: []assetFile{}, Absent: []absentFile{},
	}
	if f.Metadata == nil {
		f.Metadata = map[string]string{}
	}
	for _, a := range m.Assets {
		src := assetSourceFile{opt[string]{a.Source.Host}, opt[string]{a.Source.Path}, opt[string]{a.Source.ETag}, opt[string]{a.Source.LastModified}}
		f.Assets = append(f.Assets, assetFile{
			a.Asset, a.Key, a.Bytes, opt[string]{a.SHA256}, opt[string]{a.CRC64NVME}, opt[string]{a.ContentType}, opt[string]{a.ETag}, src, utc(a.StoredAt),
		})
	}
	for _, a := range m.Absent {
		f.Absent = append(f.Absent, absentFile(a))
	}
	return marshalPlain(f)
}

// UnmarshalJSON reads the file's form. Fields it does not know are left aside; a schema or a key it does not know is an
// error, because acting on half of it could overwrite or serve the wrong thing.
func (m *Manifest) UnmarshalJSON(b []byte) error {
	var f manifestFile
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	if f.Schema != manifestSchema {
		return fmt.Errorf("read manifest: schema %q is not %s; a newer reelkeep may have written it, so update this one", cut(f.Schema, 60), manifestSchema)
	}
	*m = Manifest{
		VideoID: f.VideoID, Account: f.Account, Generation: f.Generation, State: f.State, SealedAt: f.SealedAt.v.UTC(), Metadata: f.Metadata,
		Video: Video{
			f.Video.Title.v, f.Video.Status.v, f.Video.DurationSeconds.v, f.Video.CreatedAt.v.UTC(), f.Video.CompletedAt.v.UTC(), f.Video.CallbackID.v,
		},
		Source: Source{API: f.Source.API.v},
	}
	if r := f.Source.Response; len(r) > 0 && !bytes.Equal(r, []byte("null")) {
		m.Source.Response = r
	}
	for _, a := range f.Assets {
		src := AssetSource{a.Source.Host.v, a.Source.Path.v, a.Source.ETag.v, a.Source.LastModified.v}
		m.Assets = append(m.Assets, Asset{
			a.Asset, a.Key, a.Bytes, a.SHA256.v, a.CRC64NVME.v, a.ContentType.v, a.ETag.v, src, a.StoredAt.v.UTC(),
		})
	}
	for _, a := range f.Absent {
		m.Absent = append(m.Absent, Absent(a))
	}
	return m.validate()
}

// UnmarshalManifest reads manifest.json.
func UnmarshalManifest(b []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := m.UnmarshalJSON(b); err != nil {
		return nil, err
	}
	return m, nil
}

// validate holds for what is read and for what is written.
func (m *Manifest) validate() error {
	if err := m.Key().Validate(); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if m.Generation < 1 {
		return fmt.Errorf("manifest of %s: generation %d; want 1 or more", m.Key(), m.Generation)
	}
	if m.State != StateArchived && m.State != StatePartial {
		return fmt.Errorf("manifest of %s: state %q; want archived or partial", m.Key(), cut(m.State, 40))
	}
	names, keys := map[string]bool{}, map[string]bool{}
	for _, a := range m.Assets {
		if err := a.validate(); err != nil {
			return fmt.Errorf("manifest of %s: %w", m.Key(), err)
		}
		if names[a.Asset] || keys[a.Key] {
			return fmt.Errorf("manifest of %s: asset %s or its key %s is there twice", m.Key(), a.Asset, a.Key)
		}
		names[a.Asset], keys[a.Key] = true, true
	}
	for _, a := range m.Absent {
		if !validName(a.Asset, 40) || names[a.Asset] {
			return fmt.Errorf("manifest of %s: asset %q is both there and absent, or has no proper name", m.Key(), cut(a.Asset, 40))
		}
	}
	return nil
}

func (a Asset) validate() error {
	if !validName(a.Asset, 40) {
		return fmt.Errorf("asset %q: want letters, digits, _ or -", cut(a.Asset, 40))
	}
	if err := validAssetKey(a.Key); err != nil {
		return fmt.Errorf("asset %s: %w", a.Asset, err)
	}
	if a.Bytes < 0 {
		return fmt.Errorf("asset %s: %d bytes", a.Asset, a.Bytes)
	}
	if sum, err := hex.DecodeString(a.SHA256); err != nil || len(sum) != 32 {
		return fmt.Errorf("asset %s: sha256 is not 64 hex digits", a.Asset)
	}
	if a.CRC64NVME == "" {
		return nil
	}
	_, err := decodeCRC(a.CRC64NVME)
	return err
}

// sealable holds only for what is written: a word we do not know may be read, not made.
func (m *Manifest) sealable() error {
	if len(m.Assets) == 0 {
		return fmt.Errorf("manifest of %s: no assets; nothing would be archived", m.Key())
	}
	for _, a := range m.Absent {
		if !slices.Contains([]string{AbsentNotOffered, AbsentLate, AbsentGone}, a.Reason) {
			return fmt.Errorf("manifest of %s: asset %s is absent for reason %q; want not_offered, late or gone", m.Key(), a.Asset, a.Reason)
		}
		if a.Reason == AbsentLate && m.State != StatePartial {
			return fmt.Errorf("manifest of %s: asset %s is late, so the state must be partial", m.Key(), a.Asset)
		}
	}
	if len(m.Source.Response) > 0 && !json.Valid(m.Source.Response) {
		return errors.New("manifest of " + m.Key().String() + ": source.response is not JSON")
	}
	return nil
}

// marshalPlain keeps < > & as they are: titles are read by people.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// encode is the file as it is stored: indented, because people open it.
func (m *Manifest) encode() ([]byte, error) {
	raw, err := m.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("write manifest of %s: %w", m.Key(), err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
