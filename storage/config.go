package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

const (
	mib = 1 << 20

	// MinPartSize is the smallest part S3 allows in the middle of a multipart upload. A store reports a smaller one
	// only at the very end, when everything has been sent.
	MinPartSize = 5 * mib

	// DefaultPartSize keeps memory small and still needs only 125 requests a gigabyte.
	DefaultPartSize = 8 * mib
)

// Values of Config.Checksum: how the store is made to prove what it holds.
const (
	ChecksumAuto      = "auto"
	ChecksumCRC64NVME = "crc64nvme"
	ChecksumMD5       = "md5"
	ChecksumReadback  = "readback"
)

// Config says where the shelf is. The zero value of every field but URL is a good default.
type Config struct {
	URL      string // s3://bucket/prefix
	PartSize int64  // default 8 MiB, at least 5 MiB; grows for objects over 10,000 parts
	Checksum string // auto (what the probe finds best), crc64nvme, md5 or readback
	// Flush, if set, makes the objects of these keys durable: Seal calls it for the assets before it writes the manifest
	// and for the manifest after. For stores whose answers do not promise that by themselves.
	Flush     func(keys []string) error
	PublicURL string // origin in presigned links, when browsers reach the store by another name

	// Endpoint, Region and Credentials are for a store that was started by us. Left empty, the SDK's own chain
	// decides: AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3 and the like.
	Endpoint    string
	Region      string
	Credentials Credentials

	Log *slog.Logger
	Now func() time.Time
}

// Credentials are keys given directly. Printing them shows nothing.
type Credentials struct{ AccessKey, SecretKey, SessionToken string }

// Format keeps every fmt verb away from the keys.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[credentials]")) }

// LogValue is what slog writes.
func (c Credentials) LogValue() slog.Value { return slog.StringValue("[credentials]") }

// withDefaults fills what is empty and reports everything that is wrong at once.
func (c Config) withDefaults() (Config, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	var bad []error
	if c.PartSize == 0 {
		c.PartSize = DefaultPartSize
	}
	if c.PartSize < MinPartSize || c.PartSize > maxPartSize {
		bad = append(bad, fmt.Errorf("REELKEEP_PART_SIZE: want 5 MiB to 5 GiB (S3 allows nothing else), got %d bytes", c.PartSize))
	}
	switch c.Checksum {
	case "":
		c.Checksum = ChecksumAuto
	case ChecksumAuto, ChecksumCRC64NVME, ChecksumMD5, ChecksumReadback:
	default:
		bad = append(bad, fmt.Errorf("REELKEEP_CHECKSUM: want auto, crc64nvme, md5 or readback, got %q", c.Checksum))
	}
	if c.PublicURL != "" {
		if err := checkOrigin(c.PublicURL); err != nil {
			bad = append(bad, fmt.Errorf("REELKEEP_S3_PUBLIC_URL: %w", err))
		}
	}
	if c.Endpoint != "" {
		if err := checkOrigin(c.Endpoint); err != nil {
			bad = append(bad, fmt.Errorf("AWS_ENDPOINT_URL_S3: %w", err))
		}
	}
	return c, errors.Join(bad...)
}

// checkOrigin accepts scheme://host[:port]. The message never repeats the value: it may hold a password.
func checkOrigin(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("want an origin such as https://s3.example.com")
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return errors.New("want only scheme, host and port, without path, query or password")
	}
	return nil
}
