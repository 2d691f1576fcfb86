package storage

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// idlePerHost is above any number of parts in flight. With the SDK's 10, every part beyond the tenth opens a
// connection of its own: 640 parts, 64 at once, took 550 connections and twice the time.
const idlePerHost = 128

// connect builds the two SDK clients: one for requests, one that only signs links for browsers.
func (s *Store) connect(ctx context.Context) error {
	cfg, err := s.loadAWS(ctx)
	if err != nil {
		return err
	}
	s.client = s3.NewFromConfig(cfg, s.tune)
	o := s.client.Options()
	s.creds = o.Credentials
	if o.Region == "" {
		return errors.New("AWS_REGION: the store is on AWS and no region is set; set AWS_REGION to the bucket's region")
	}
	public := s.cfg.PublicURL
	s.signer = s3.NewPresignClient(s3.NewFromConfig(cfg, s.tune, func(o *s3.Options) {
		o.APIOptions = nil // nothing is sent, so there is no attempt to limit
		if public != "" {
			o.BaseEndpoint = &public
			o.UsePathStyle = true
		}
	}))
	return nil
}

func (s *Store) loadAWS(ctx context.Context) (aws.Config, error) {
	httpClient := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost, t.MaxIdleConns = idlePerHost, 2*idlePerHost
		// One HTTP/2 connection would carry all parts and share one TCP window between them.
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
		t.ForceAttemptHTTP2 = false
		// The SDK's transport has been set up for HTTP/2 by now. Left as it is, a server would be offered "h2" and
		// answer in a protocol that nobody here reads.
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	})
	var cfg aws.Config
	if c := s.cfg.Credentials; c.AccessKey != "" {
		cfg = aws.Config{
			Credentials: credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.SessionToken),
			HTTPClient:  httpClient,
		}
	} else {
		var err error
		// The SDK wants its own client type here, or it cannot honour AWS_CA_BUNDLE.
		if cfg, err = config.LoadDefaultConfig(ctx, config.WithHTTPClient(httpClient)); err != nil {
			return aws.Config{}, fmt.Errorf("read AWS settings (AWS_PROFILE, AWS_CONFIG_FILE and the like): %s", plain(err.Error()))
		}
	}
	if s.cfg.Region != "" {
		cfg.Region = s.cfg.Region
	}
	if s.cfg.Endpoint != "" {
		cfg.BaseEndpoint = &s.cfg.Endpoint
	}
	if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		frozen := b.Freeze()
		cfg.HTTPClient = frozen
		if c, ok := frozen.(*http.Client); ok {
			s.closeIdle = c.CloseIdleConnections
		}
	}
	return cfg, nil
}

// tune sets what must not depend on the environment.
func (s *Store) tune(o *s3.Options) {
	// The SDK's default sends CRC32 trailers, which B2, older Ceph and GCS refuse and some stores wrote into the
	// object. Checksums are our own job here.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.Retryer = newRetryer()
	o.DisableLogOutputChecksumValidationSkipped = true
	o.APIOptions = append(o.APIOptions, addAttemptDeadline)
	if o.BaseEndpoint == nil {
		return
	}
	o.UsePathStyle = true
	u, err := url.Parse(*o.BaseEndpoint)
	if err != nil {
		return
	}
	s.plainHTTP = u.Scheme == "http"
	host := u.Hostname()
	s.loopback = isLoopback(host)
	if o.Region == "" {
		o.Region = "us-east-1"
		if strings.HasSuffix(host, ".r2.cloudflarestorage.com") {
			o.Region = "auto"
		}
	}
	if host == "googleapis.com" || strings.HasSuffix(host, ".googleapis.com") {
		o.APIOptions = append(o.APIOptions, keepEncodingUnsigned)
	}
}

// isLoopback takes addresses only: whom a name leads to is not ours to say, not even for localhost in a container.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
