package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/reelkeep/reelkeep/storage"
)

func answered(status int, code string) error {
	var inner error = &smithy.GenericAPIError{Code: code, Message: "see https://h/p?X-Amz-Signature=TOPSECRET"}
	if code == "" {
		inner = errors.New("no body")
	}
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: inner,
	}}
}

func TestAnswersOfStoresAreSorted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   any
	}{
		{404, "NoSuchKey", storage.KindNotFound},
		{404, "", storage.KindNotFound},
		{404, "NoSuchUpload", storage.KindNoUpload},
		{404, "NoSuchBucket", storage.KindRefused},
		{412, "PreconditionFailed", storage.KindCondition},
		{412, "", storage.KindCondition},
		{409, "ConditionalRequestConflict", storage.KindRace},
		{403, "AccessDenied", storage.KindRefused},
		{403, "", storage.KindRefused},
		{403, "RequestTimeTooSkewed", storage.KindUnreach},
		{400, "ExpiredToken", storage.KindRefused},
		{301, "PermanentRedirect", storage.KindRefused},
		{501, "NotImplemented", storage.KindRefused},
		{507, "", storage.KindFull},
		{403, "QuotaExceeded", storage.KindFull},
		{429, "TooManyRequests", storage.KindUnreach},
		{503, "SlowDown", storage.KindUnreach},
		{522, "", storage.KindUnreach},
		{400, "InvalidPart", storage.KindOther},
		{400, "EntityTooSmall", storage.KindOther},
	} {
		if got := storage.FaultKind(storage.SortFault(answered(c.status, c.code))); any(got) != c.want {
			t.Errorf("%d %s: %v, want %v", c.status, c.code, got, c.want)
		}
	}
	dial := &url.Error{Op: "Put", URL: "https://h/p?X-Amz-Signature=TOPSECRET", Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}
	if got := storage.FaultKind(storage.SortFault(dial)); got != storage.KindUnreach {
		t.Errorf("network: %v", got)
	}
}

func TestForeignTextLosesItsSecrets(t *testing.T) {
	t.Parallel()
	in := "Get \"https://h/p?X-Amz-Signature=TOPSECRET\": proxy http://u:TOPSECRET@h:1 failed\n" + strings.Repeat("x", 1000)
	got := storage.Plain(in)
	if strings.Contains(got, "TOPSECRET") || strings.Contains(got, "\n") || len(got) > 300 {
		t.Errorf("%q", got)
	}
	c := storage.Config{Credentials: storage.Credentials{AccessKey: "a", SecretKey: "TOPSECRET"}}
	if s := fmt.Sprintf("%v %+v %#v %s", c, c, c, c.Credentials); strings.Contains(s, "TOPSECRET") {
		t.Errorf("printing a Config shows %s", s)
	}
}

func TestAnOutageDoesNotUseUpTheTriesOfOthers(t *testing.T) {
	t.Parallel()
	r := storage.NewRetryer()
	for range 2000 { // the SDK's own stops after 100
		if _, err := r.GetRetryToken(t.Context(), errors.New("503")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		status int
		code   string
		again  bool
	}{{429, "", true}, {522, "", true}, {503, "", true}, {409, "ConditionalRequestConflict", true}, {403, "RequestTimeTooSkewed", true}, {403, "AccessDenied", false}, {412, "PreconditionFailed", false}} {
		if got := r.IsErrorRetryable(answered(c.status, c.code)); got != c.again {
			t.Errorf("%d %s: tried again %t, want %t", c.status, c.code, got, c.again)
		}
	}
}

func TestAnAttemptWithoutAnAnswerEndsAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stack := middleware.NewStack("PutObject", smithyhttp.NewStackRequest)
		tries := 0
		mustAdd(t, stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Retry", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			for {
				out, meta, err := next.HandleFinalize(ctx, in)
				if tries++; !storage.NewRetryer().IsErrorRetryable(err) || tries == 2 {
					return out, meta, err
				}
			}
		}), middleware.After))
		mustAdd(t, storage.AddAttemptDeadline(stack))
		start := time.Now()
		h := middleware.DecorateHandler(middleware.HandlerFunc(func(ctx context.Context, _ any) (any, middleware.Metadata, error) {
			<-ctx.Done()
			return nil, middleware.Metadata{}, ctx.Err()
		}), stack)
		_, _, err := h.Handle(t.Context(), struct{}{})
		if err == nil || !strings.Contains(err.Error(), "no answer within 1m0s") || tries != 2 || time.Since(start) != 2*time.Minute {
			t.Errorf("%d tries, %s, %v", tries, time.Since(start), err)
		}
	})
}

func mustAdd(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A worker lives for weeks under one context. What a request leaves behind in it would pile up.
func TestARequestLeavesNothingInTheCallersContext(t *testing.T) {
	t.Parallel()
	for operation, open := range map[string]bool{"PutObject": false, "GetObject": true} {
		stack := middleware.NewStack(operation, smithyhttp.NewStackRequest)
		mustAdd(t, stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Retry", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			return next.HandleFinalize(ctx, in)
		}), middleware.After))
		mustAdd(t, storage.AddAttemptDeadline(stack))
		var attempt context.Context
		h := middleware.DecorateHandler(middleware.HandlerFunc(func(ctx context.Context, _ any) (any, middleware.Metadata, error) {
			attempt = ctx
			return nil, middleware.Metadata{}, nil
		}), stack)
		if _, _, err := h.Handle(middleware.WithOperationName(t.Context(), operation), struct{}{}); err != nil {
			t.Fatal(err)
		}
		if (attempt.Err() == nil) != open {
			t.Errorf("%s: context of the attempt is %v afterwards", operation, attempt.Err())
		}
	}
}

func TestALargePartHasMoreTime(t *testing.T) {
	t.Parallel()
	req, _ := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	req.ContentLength = 8 << 20
	if got := storage.AttemptLimit("UploadPart", req); got != time.Minute+128*time.Second {
		t.Errorf("8 MiB: %s", got)
	}
	if got := storage.AttemptLimit("CompleteMultipartUpload", req); got != 5*time.Minute {
		t.Errorf("complete: %s", got)
	}
}

func TestASilentBodyIsCutAndASlowReaderIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		context.AfterFunc(ctx, func() { r.CloseWithError(errors.New("cut")) })
		dog := storage.NewWatchdog(cancel, r)
		go func() { _, _ = w.Write([]byte("ab")) }()
		buf := make([]byte, 1)
		if _, err := dog.Read(buf); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour) // the consumer takes its time
		if _, err := dog.Read(buf); err != nil {
			t.Fatalf("a slow consumer was cut: %v", err)
		}
		start := time.Now()
		if _, err := dog.Read(buf); err == nil || time.Since(start) != storage.ReadStall {
			t.Errorf("a silent body ended after %s with %v", time.Since(start), err)
		}
	})
}

func TestGoogleGetsAcceptEncodingUnsigned(t *testing.T) {
	t.Parallel()
	stack := middleware.NewStack("GetObject", smithyhttp.NewStackRequest)
	var signed, sent string
	mustAdd(t, stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Signing", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		signed = in.Request.(*smithyhttp.Request).Header.Get("Accept-Encoding")
		return next.HandleFinalize(ctx, in)
	}), middleware.After))
	mustAdd(t, stack.Build.Add(middleware.BuildMiddlewareFunc("set", func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
		in.Request.(*smithyhttp.Request).Header.Set("Accept-Encoding", "identity")
		return next.HandleBuild(ctx, in)
	}), middleware.After))
	mustAdd(t, storage.KeepEncodingUnsigned(stack))
	h := middleware.DecorateHandler(middleware.HandlerFunc(func(_ context.Context, in any) (any, middleware.Metadata, error) {
		sent = in.(*smithyhttp.Request).Header.Get("Accept-Encoding")
		return nil, middleware.Metadata{}, nil
	}), stack)
	if _, _, err := h.Handle(t.Context(), struct{}{}); err != nil {
		t.Fatal(err)
	}
	if signed != "" || sent != "identity" {
		t.Errorf("signed %q, sent %q; want it sent and not signed", signed, sent)
	}
}

func TestEndpointsAreSetUpAsTheyNeed(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]struct {
		region string
		google bool
	}{
		"http://127.0.0.1:9000":                     {"us-east-1", false},
		"https://abc.r2.cloudflarestorage.com":      {"auto", false},
		"https://storage.googleapis.com":            {"us-east-1", true},
		"https://storage.googleapis.com.evil.local": {"us-east-1", false},
	} {
		s := open(t, storage.Config{URL: "s3://bucket/p", Endpoint: endpoint, Credentials: storage.Credentials{AccessKey: "a", SecretKey: "b"}})
		if s.Region() != want.region || !s.PathStyle() || s.StripsEncoding() != want.google {
			t.Errorf("%s: region %s, path style %t, Google %t", endpoint, s.Region(), s.PathStyle(), s.StripsEncoding())
		}
	}
	_, err := storage.Open(t.Context(), storage.Config{URL: "s3://bucket/p", Credentials: storage.Credentials{AccessKey: "a", SecretKey: "b"}})
	if err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
}

func TestLinksCarryThePublicName(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	s := open(t, storage.Config{
		URL: "s3://bucket/p", Endpoint: "http://10.0.0.1:9000", PublicURL: "https://media.example.com", Now: func() time.Time { return now },
		Credentials: storage.Credentials{AccessKey: "a", SecretKey: "TOPSECRET"},
	})
	link, expires, err := s.PresignGet(t.Context(), video, "video.mp4", storage.PresignOptions{TTL: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if u.Host != "media.example.com" || u.Path != "/bucket/p/vid_1/video.mp4" || u.Query().Get("X-Amz-Expires") != "86400" {
		t.Errorf("link %s", u.Redacted())
	}
	if strings.Contains(link, "Checksum-Mode") || strings.Contains(link, "TOPSECRET") {
		t.Errorf("link %s", link)
	}
	if want := now.Add(24 * time.Hour); !expires.Equal(want) {
		t.Errorf("expires %s, want %s", expires, want)
	}
	if _, _, err := s.PresignGet(t.Context(), video, "video.mp4", storage.PresignOptions{TTL: time.Millisecond}); err == nil {
		t.Error("a link of a millisecond was made")
	}
	if s.Fingerprint() != "s3://bucket/p" {
		t.Errorf("fingerprint %s", s.Fingerprint())
	}
}
