package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"
)

func TestAccountsTakeTurns(t *testing.T) {
	t.Parallel()
	c := func(account string, order int64) candidate {
		return candidate{account: account, field: fmt.Sprintf("%s/%d", account, order), order: order}
	}
	lanes := []lane{
		{account: "c", interactive: []candidate{c("c", 50)}},
		{account: "a", interactive: []candidate{c("a", 20), c("a", 30), c("a", 40)}, backfill: []candidate{c("a", 5), c("a", 90)}},
		{account: "b", backfill: []candidate{c("b", 91)}},
	}
	for _, tc := range []struct {
		name string
		n    int
		turn string
		want []string
		last string
	}{
		{"all", 10, "", []string{"a/5", "a/20", "c/50", "a/30", "a/40", "a/90", "b/91"}, "b"},
		{"after a comes c", 3, "a", []string{"a/5", "c/50", "a/20"}, "a"},
		{"an account that is gone", 2, "zz", []string{"a/5", "a/20"}, "a"},
		{"nothing free", 0, "b", nil, "b"},
	} {
		got, last := pick(lanes, tc.n, span{0, 10}, tc.turn)
		var fields []string
		for _, g := range got {
			fields = append(fields, g.field)
		}
		if diff := cmp.Diff(tc.want, fields); diff != "" || last != tc.last {
			t.Errorf("%s: last %q, want %q (-want +got):\n%s", tc.name, last, tc.last, diff)
		}
	}
}

func TestPickNeverPrefersTheLessUrgent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		risk := span{20, 50}
		class := map[string]int{}
		var lanes []lane
		for a := range rapid.IntRange(0, 4).Draw(t, "accounts") {
			l := lane{account: fmt.Sprint(a)}
			for k, list := range []*[]candidate{&l.interactive, &l.backfill} {
				orders := rapid.SliceOfN(rapid.Int64Range(0, 100), 0, 6).Draw(t, "deadlines")
				slices.Sort(orders)
				for i, o := range orders {
					c := candidate{account: l.account, field: fmt.Sprintf("%d/%d/%d", a, k, i), order: o}
					*list = append(*list, c)
					class[c.field] = k + 1
					if risk.holds(o) {
						class[c.field] = 0
					}
				}
			}
			lanes = append(lanes, l)
		}
		n := rapid.IntRange(0, 30).Draw(t, "n")
		got, _ := pick(lanes, n, risk, rapid.StringMatching(`[0-5]?`).Draw(t, "turn"))
		if len(got) != min(n, len(class)) {
			t.Fatalf("picked %d of %d, asked for %d", len(got), len(class), n)
		}
		seen := map[string]bool{}
		last := map[string]int64{}
		for i, g := range got {
			if seen[g.field] {
				t.Fatalf("%s twice", g.field)
			}
			seen[g.field] = true
			if i > 0 && class[g.field] < class[got[i-1].field] {
				t.Fatalf("%s (class %d) after %s (class %d)", g.field, class[g.field], got[i-1].field, class[got[i-1].field])
			}
			key := fmt.Sprint(g.account, class[g.field])
			if g.order < last[key] {
				t.Fatalf("%s: a later deadline of the account went first", g.field)
			}
			last[key] = g.order
		}
	})
}

func TestSettledRecordIsSmall(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.SampledFrom([]rune("\x00\"<ä😀")), 0, 600, -1))
		e := &entry{ID: "v", Account: "default", State: StateFailed, Reason: text.Draw(t, "reason"), Title: text.Draw(t, "title"),
			Epoch: 1 << 50, Accepted: 1 << 52, Updated: 1 << 52, Sealed: 1 << 52, Deadline: 1 << 52, Bytes: 1 << 60, Attempts: 1 << 30,
			Error:    &ErrorInfo{Code: text.Draw(t, "code"), Message: text.Draw(t, "message"), Hint: text.Draw(t, "hint")},
			Metadata: map[string]string{"k": text.Draw(t, "meta")}, Priority: PriorityBackfill}
		for i := range rapid.IntRange(0, 8).Draw(t, "assets") {
			e.Assets = append(e.Assets, AssetStatus{Asset: fmt.Sprintf("captioned_video%d", i), State: AssetStored, Bytes: 1 << 60})
		}
		raw, err := recordOf(e).encode()
		if err != nil || len(raw) > maxRecord {
			t.Fatalf("%d bytes, %v: %s", len(raw), err, raw)
		}
		r, err := decodeRecord(e.field(), raw)
		if err != nil || r.State != StateFailed || r.Epoch != e.Epoch || r.Bytes != e.Bytes {
			t.Fatalf("came back as %+v, %v", r, err)
		}
	})
}

func TestEverydayRecordKeepsEverything(t *testing.T) {
	t.Parallel()
	size, small := int64(31457280), int64(812345)
	e := &entry{ID: "v", Account: "acme", State: StateArchived, Title: "Welcome to our spring collection 2026", Epoch: 2,
		Accepted: 1763892000000, Updated: 1763892100000, Sealed: 1763892099000, Deadline: 1764892000000, Bytes: size + small, Attempts: 1,
		Priority: PriorityInteractive, Metadata: map[string]string{"order": "A-4711"},
		Assets: []AssetStatus{{Asset: "video", State: AssetStored, Bytes: size, Total: &size}, {Asset: "thumbnail", State: AssetStored, Bytes: small, Total: &small}, {Asset: "gif", State: AssetAbsent}}}
	raw, err := recordOf(e).encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeRecord(e.field(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e.status(nil), r.status(e.field())); diff != "" {
		t.Errorf("%d bytes; -entry +record:\n%s", len(raw), diff)
	}
}

func TestRecordOfAnOlderVersionIsRead(t *testing.T) {
	t.Parallel()
	old := `{"s":"archived","e":3,"a":1795570659427,"u":1795570664104,"z":1795570664000,"d":1796110664032,"t":"Spring","b":31538514,"n":1,` +
		`"f":"video:31457280,thumbnail:81234,gif:-","x":{"order":"A-5"}}`
	r, err := decodeRecord("default/v", old)
	if err != nil {
		t.Fatal(err)
	}
	size, small := int64(31457280), int64(81234)
	want := &entry{ID: "v", Account: "default", State: StateArchived, Title: "Spring", Epoch: 3, Accepted: 1795570659427, Updated: 1795570664104,
		Sealed: 1795570664000, Deadline: 1796110664032, Bytes: 31538514, Attempts: 1, Priority: PriorityInteractive, Metadata: map[string]string{"order": "A-5"},
		Assets: []AssetStatus{{Asset: "video", State: AssetStored, Bytes: size, Total: &size}, {Asset: "thumbnail", State: AssetStored, Bytes: small, Total: &small}, {Asset: "gif", State: AssetAbsent}}}
	if diff := cmp.Diff(want.status(nil), r.status("default/v")); diff != "" || r.Epoch != 3 {
		t.Errorf("epoch %d; -want +got:\n%s", r.Epoch, diff)
	}
	raw, err := r.encode() // and written by us it says the same
	if err != nil {
		t.Fatal(err)
	}
	again, err := decodeRecord("default/v", raw)
	if err != nil || len(raw) > len(old)*3/4 {
		t.Fatalf("%d bytes instead of %d, %v: %s", len(raw), len(old), err, raw)
	}
	if diff := cmp.Diff(r.status("default/v"), again.status("default/v")); diff != "" {
		t.Errorf("-old +new:\n%s", diff)
	}
}

func FuzzUnpackTimes(f *testing.F) {
	f.Add("mwv4m3jc.4k.0.8b1x3")
	f.Add("0...")
	f.Add("-1.-zz.zzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, packed string) {
		var a, b, c, d int64
		if unpackTimes(packed, &a, &b, &c, &d) != nil {
			return
		}
		once := packTimes(a, b, c, d)
		var e, g, h, i int64
		if err := unpackTimes(once, &e, &g, &h, &i); err != nil || a != e || b != g || c != h || d != i {
			t.Fatalf("%q became %q (%v)", packed, once, err)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add("default/v", `{"id":"v","acc":"default","prio":"backfill","state":"accepted","step":"status","epoch":3,"fly":true}`)
	f.Add("default/v", `{"id":"other"}`)
	f.Add("", `null`)
	f.Fuzz(func(t *testing.T, field, raw string) {
		h := newHeld(field, raw, raw, raw)
		if h.entry != nil && h.entry.field() != field {
			t.Fatalf("an entry of %q was taken for %q", h.entry.field(), field)
		}
		_, _ = h.status()
		_ = h.afresh(1)
	})
}

func FuzzFlightMember(f *testing.F) {
	f.Add("default/v/3")
	f.Add("/")
	f.Add("a/b/99999999999999999999")
	f.Fuzz(func(t *testing.T, member string) {
		field, epoch, ok := splitFlight(member)
		if ok && fmt.Sprintf("%s/%d", field, epoch) != member && !strings.ContainsAny(member, "+") && !strings.Contains(member, "/0") && !strings.Contains(member, "/-0") {
			t.Fatalf("%q became %q and %d", member, field, epoch)
		}
	})
}

func FuzzUnpackFiles(f *testing.F) {
	f.Add("video:31457280,gif:-")
	f.Add(":,:,x")
	f.Fuzz(func(t *testing.T, s string) {
		once := packFiles(unpackFiles(s))
		if twice := packFiles(unpackFiles(once)); twice != once {
			t.Fatalf("%q became %q", once, twice)
		}
	})
}

func TestPausesGrowAndAreCapped(t *testing.T) {
	t.Parallel()
	cfg := ServerConfig{}.withDefaults()
	for n, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		if d := backoff(cfg, n); d > want || d < want*4/5 {
			t.Errorf("pause after failure %d is %s; want %s less up to a fifth", n+1, d, want)
		}
	}
	if d := backoff(cfg, 1<<30); d > cfg.BackoffCap {
		t.Errorf("pause %s is over the cap", d)
	}
}

func TestUnknownStateIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_000_000)
	e := &entry{State: StateTransferring, Step: StepTransfer}
	e.follow(Outcome{State: "dancing"}, now)
	if e.State != StateAccepted || e.Step != StepStatus || e.Due <= now.UnixMilli() {
		t.Errorf("an outcome nobody understands led to %+v", e)
	}
}

func TestServerConfigNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	ok := HandlerFunc(func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	for want, cfg := range map[string]ServerConfig{
		"REELKEEP_CONCURRENCY": {Concurrency: -1},
		"negative":             {Poll: -1},
		"DeadAfter":            {BeatEvery: time.Minute},
	} {
		if _, err := NewServer(nil, cfg, ok); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want an error about %s", cfg, err, want)
		}
	}
	if _, err := NewServer(nil, ServerConfig{}, nil); err == nil {
		t.Error("a server without a handler was accepted")
	}
}

// insider is a server whose motors do not run: the test plays asynq.
func insider(t *testing.T, cfg ServerConfig, h HandlerFunc) (*Server, *miniredis.Miniredis) {
	t.Helper()
	mr := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: mr.Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { rdb.Close() })
	s, err := NewServer(rdb, cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.present(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, mr
}

func TestWorkOutlivesAsynqsLease(t *testing.T) {
	t.Parallel()
	started, release, settled := make(chan struct{}), make(chan struct{}), make(chan Status, 1)
	cfg := ServerConfig{OnChange: func(c Change) { settled <- c.Status }}
	s, _ := insider(t, cfg, func(ctx context.Context, w Work, p Progress) (Outcome, error) {
		close(started)
		select {
		case <-ctx.Done():
			return Outcome{}, ctx.Err()
		case <-release:
			return Outcome{State: StateGone}, nil
		}
	})
	enqueueAndDispatch(t, s, "v")
	leased, lose := context.WithCancel(t.Context())
	back := make(chan error, 1)
	task := asynq.NewTask("status", []byte(`{"a":"default","i":"v","s":"status","e":1}`))
	go func() { back <- s.motorHandler(StepStatus).ProcessTask(leased, task) }()
	<-started
	lose() // Redis was away for half a minute
	if err := <-back; err != nil {
		t.Errorf("asynq was told %v", err)
	}
	// asynq brings the task again, here or at another server: the first run must be left alone.
	if err := s.motorHandler(StepStatus).ProcessTask(t.Context(), task); err != nil {
		t.Errorf("the second delivery ended in %v", err)
	}
	close(release)
	if st := <-settled; st.State != StateGone || st.Failures != 0 {
		t.Errorf("outcome %+v; want what the first run said", st)
	}
}

func TestStepThatHangsIsAFailure(t *testing.T) {
	t.Parallel()
	changed := make(chan Status, 1)
	s, _ := insider(t, ServerConfig{OnChange: func(c Change) { changed <- c.Status }}, func(ctx context.Context, w Work, p Progress) (Outcome, error) {
		<-ctx.Done()
		return Outcome{}, context.Cause(ctx)
	})
	enqueueAndDispatch(t, s, "v")
	limited, cancel := context.WithTimeout(t.Context(), time.Second) // time enough to begin
	defer cancel()
	_ = s.motorHandler(StepStatus).ProcessTask(limited, asynq.NewTask("status", []byte(`{"a":"default","i":"v","s":"status","e":1}`)))
	if st := <-changed; st.Failures != 1 || st.Error == nil {
		t.Errorf("after the time limit: %+v", st)
	}
}

func TestStaleAndForeignTasksDoNothing(t *testing.T) {
	t.Parallel()
	s, _ := insider(t, ServerConfig{}, func(context.Context, Work, Progress) (Outcome, error) {
		t.Error("the handler was called")
		return Outcome{}, nil
	})
	enqueueAndDispatch(t, s, "v")
	for _, raw := range []string{`{"a":"default","i":"v","s":"status","e":7}`, `{"a":"default","i":"nobody","s":"status","e":1}`,
		`{"a":"default","i":"v","s":"transfer","e":1}`, `garbage`, ``} {
		if err := s.motorHandler(StepStatus).ProcessTask(t.Context(), asynq.NewTask("status", []byte(raw))); err != nil {
			t.Errorf("%s: %v; a task that can't be worked on must go away", raw, err)
		}
	}
}

func enqueueAndDispatch(t *testing.T, s *Server, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := s.Client().Enqueue(t.Context(), Job{VideoID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSilenceWhileRedisWasAwayIsNotDeath(t *testing.T) {
	t.Parallel()
	s, _ := insider(t, ServerConfig{BeatEvery: time.Hour, DeadAfter: 2 * time.Hour}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	s.mu.Lock()
	s.trouble = time.Now().Add(-3 * time.Hour)
	s.mu.Unlock()
	if !s.trusts() {
		t.Error("after hours without trouble, silence means death")
	}
	s.distrust()
	if s.trusts() {
		t.Error("right after trouble, silence means nothing: every worker was cut off")
	}
}

func TestWaitingTaskIsNotTakenForDead(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, mr := insider(t, ServerConfig{Now: func() time.Time { return now }}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	enqueueAndDispatch(t, s, "v")
	now = now.Add(time.Hour)
	mr.SetTime(now)
	if err := s.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Client().Status(t.Context(), "v"); err != nil || !st.Working || st.Failures != 0 {
		t.Errorf("a task that waits for a slot was driven again: %+v, %v", st, err)
	}
	if _, err := s.inspector.DeleteAllPendingTasks("status"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	mr.SetTime(now)
	if err := s.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Client().Status(t.Context(), "v"); err != nil || st.Working || st.Failures != 0 {
		t.Errorf("a task that asynq lost was not freed: %+v, %v", st, err)
	}
}

// TestVideoHandedInAgainInTheSameMomentKeepsItsPlace: between looking and tidying up, a person cancels and enqueues.
func TestVideoHandedInAgainInTheSameMomentKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s, _ := insider(t, ServerConfig{}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	ctx := t.Context()
	seen, err := s.ledger.read(ctx, "default/v") // as it was: cancelled a moment ago
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client().Enqueue(ctx, Job{VideoID: "v"}); err != nil {
		t.Fatal(err)
	}
	if err := s.unlist(ctx, StepStatus, candidate{account: "default", field: "default/v"}, seen[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.dispatch(ctx); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Client().Status(ctx, "v"); err != nil || !st.Working {
		t.Errorf("the video waits for ever: %+v, %v", st, err)
	}
	gone := &held{field: "default/w"}
	if err := s.rdb.ZAdd(ctx, keyLater(StepStatus), redis.Z{Member: "default/w"}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.ledger.unlist(ctx, gone, keyLater(StepStatus), "default/w"); err != nil || s.rdb.Exists(ctx, keyLater(StepStatus)).Val() != 0 {
		t.Errorf("a name without a video stays (%v)", err)
	}
}

func TestOneServerInAFleetLooksEachPeriod(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	s, _ := insider(t, ServerConfig{Now: func() time.Time { return now }}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	claim := func(want bool, why string) {
		t.Helper()
		if got, err := s.claimTick(t.Context(), "x", time.Second); err != nil || got != want {
			t.Errorf("%s: %v, %v", why, got, err)
		}
	}
	claim(true, "the first to ask")
	claim(false, "the second to ask")
	now = now.Add(time.Second)
	claim(true, "the next period")
	now = now.Add(-time.Hour)
	claim(true, "a clock that was set back must not stop the fleet for an hour")
}

func TestDeadServersSlotsAreNotCounted(t *testing.T) {
	t.Parallel()
	slots, dead := fleetSlots(map[string]string{
		"alive": `{"status":4,"transfer":8,"until":200}`, "too": `{"status":1,"transfer":2,"until":100}`,
		"dead": `{"status":4,"transfer":8,"until":99}`, "odd": `???`,
	}, 100)
	slices.Sort(dead)
	if diff := cmp.Diff(map[Step]int{StepStatus: 5, StepTransfer: 10}, slots); diff != "" || !slices.Equal(dead, []string{"dead", "odd"}) {
		t.Errorf("dead %v; slots:\n%s", dead, diff)
	}
}

func TestDamagedEntryIsLeftAloneUntilHandedInAgain(t *testing.T) {
	t.Parallel()
	s, mr := insider(t, ServerConfig{}, func(context.Context, Work, Progress) (Outcome, error) { return Outcome{}, nil })
	enqueueAndDispatch(t, s)
	if _, err := s.Client().Enqueue(t.Context(), Job{VideoID: "v"}); err != nil {
		t.Fatal(err)
	}
	mr.HSet(keyLedger, "default/v", "{broken")
	if err := s.dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client().Status(t.Context(), "v"); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("status of a damaged entry: %v", err)
	}
	if r, err := s.Client().Enqueue(t.Context(), Job{VideoID: "v"}); err != nil || r.State != StateAccepted {
		t.Errorf("handed in again: %+v, %v", r, err)
	}
	if st, err := s.Client().Status(t.Context(), "v"); err != nil || st.State != StateAccepted {
		t.Errorf("then: %+v, %v", st, err)
	}
}
