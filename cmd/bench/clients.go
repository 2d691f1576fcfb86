//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// subject is what it is all about; names of its variants begin with it.
const subject = "reelkeep"

// client is one way of bringing a data set into the store.
type client struct {
	name      string
	limit     bool // the bare loop
	once      bool // measured in the first round only: its time is set by the source, and long
	manifests bool // it says in manifests what it stored
	// part is how much of the data set it is given, 0 for all: one process a file is too slow for more.
	part int
	run  func(ctx context.Context, j job) (time.Duration, usage, error)
}

// job is what a client is given to do.
type job struct {
	lab    *lab
	set    *dataset
	origin string // of the source's files
	bucket string
	dir    string // for the client's own files
	heygen *heygen
}

func (j job) url(f *file) string { return j.origin + "/" + f.path() }

// archive is reelkeep in the foreground, the way a person calls it for one or a few videos.
func archive(settings ...string) client {
	return client{name: subject + " archive", manifests: true, run: func(ctx context.Context, j job) (time.Duration, usage, error) {
		args := []string{"archive"}
		for _, v := range j.set.videos {
			args = append(args, v.id)
		}
		return measure(j.profiled(command(ctx, append(j.settings(), settings...), j.lab.program, args...)))
	}}
}

// twins are the same clients with another build of reelkeep.
func twins(clients []client, program string) []client {
	var out []client
	for _, c := range clients {
		if !strings.HasPrefix(c.name, subject) {
			continue
		}
		run := c.run
		c.name = strings.Replace(c.name, subject, "before:", 1)
		c.run = func(ctx context.Context, j job) (time.Duration, usage, error) {
			other := *j.lab
			other.program = program
			j.lab = &other
			return run(ctx, j)
		}
		out = append(out, c)
	}
	return out
}

// settings is the environment of every reelkeep process. All that makes it faster or slower is left at its default.
func (j job) settings() []string {
	return append(j.lab.store.env(), "HEYGEN_API_URL="+j.heygen.url, "HEYGEN_API_KEY="+j.heygen.sim.Key(), "REELKEEP_STORE=s3://"+j.bucket,
		"REELKEEP_PRIVATE_SOURCES=127.0.0.0/8,"+farNet, "HOME="+j.dir)
}

// profiled asks a process for a CPU profile, if they are wanted.
func (j job) profiled(cmd *exec.Cmd) *exec.Cmd {
	if j.lab.profile != "" {
		cmd.Env = append(cmd.Env, "REELKEEP_CPUPROFILE="+filepath.Join(j.lab.profile, cmd.Args[1]+"-"+j.bucket+".pprof"))
	}
	return cmd
}

// fleet is a service of one process that is up already, with a Redis of its own; the time runs from the start of
// `reelkeep enqueue` to the last manifest. The CPU is that of both, without Redis.
func fleet(settings ...string) client {
	return client{name: subject + " serve + enqueue", manifests: true, run: func(ctx context.Context, j job) (time.Duration, usage, error) {
		redis, err := startRedis(ctx, filepath.Join(j.dir, "redis"))
		if err != nil {
			return 0, usage{}, err
		}
		defer redis.stop()
		port, err := freePort(ctx)
		if err != nil {
			return 0, usage{}, err
		}
		env := append(append(j.settings(), settings...), "REELKEEP_REDIS="+redis.url, "REELKEEP_LISTEN=127.0.0.1:0", "REELKEEP_OPS_LISTEN=127.0.0.1:"+port,
			"REELKEEP_SWEEP_EVERY=0", "REELKEEP_SWEEP_FULL_EVERY=0") // or a sweep would hand in the videos, too
		serve, err := startServer(ctx, j.profiled(command(context.WithoutCancel(ctx), env, j.lab.program, "serve")), func(ctx context.Context) error {
			return answers(ctx, "http://127.0.0.1:"+port+"/readyz")
		})
		if err != nil {
			return 0, usage{}, err
		}
		defer serve.end()
		pid := serve.cmd.Process.Pid
		before, begun := cpuOf(pid), time.Now()
		enqueue := command(ctx, env, j.lab.program, "enqueue", "-")
		var ids strings.Builder
		for _, v := range j.set.videos {
			fmt.Fprintln(&ids, v.id)
		}
		enqueue.Stdin = strings.NewReader(ids.String())
		_, handed, err := measure(enqueue)
		if err != nil {
			return 0, usage{}, err
		}
		if err := awaitManifests(ctx, j, serve); err != nil {
			return 0, usage{}, fmt.Errorf("%w: %s", err, serve.said.text())
		}
		wall := time.Since(begun)
		return wall, handed.and(usage{CPU: cpuOf(pid) - before, RSS: highWater(pid)}), nil
	}}
}

// end stops a process in good order, so that it can write its profile.
func (s *server) end() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.ended:
	case <-time.After(15 * time.Second):
		s.stop()
	}
}

// awaitManifests waits until every video is sealed. It looks for one after the other, so that looking costs next to nothing.
func awaitManifests(ctx context.Context, j job, serve *server) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	every := time.NewTicker(2 * time.Millisecond)
	defer every.Stop()
	for _, v := range j.set.videos {
		for !j.lab.store.holds(j.bucket, v.id+"/manifest.json") {
			select {
			case <-every.C:
			case <-serve.ended:
				return fmt.Errorf("serve has ended before %s was sealed", v.id)
			case <-ctx.Done():
				return fmt.Errorf("wait for %s to be sealed: %w", v.id, ctx.Err())
			}
		}
	}
	return nil
}

// bare is the limit; see bareMain.
func bare(streams int, part int64) client {
	name := fmt.Sprintf("bare loop, %d × %d MiB", streams, part>>20)
	return client{name: name, limit: true, run: func(ctx context.Context, j job) (time.Duration, usage, error) {
		self, err := os.Executable()
		if err != nil {
			return 0, usage{}, fmt.Errorf("find this program: %w", err)
		}
		cmd := command(ctx, j.lab.store.env(), self, bareCommand, "-endpoint", j.lab.store.s3.endpoint, "-streams", fmt.Sprint(streams), "-part", fmt.Sprint(part))
		var list strings.Builder
		for _, f := range j.set.files() {
			fmt.Fprintln(&list, j.url(f), "/"+j.bucket+"/"+f.key(), f.size)
		}
		cmd.Stdin = strings.NewReader(list.String())
		return measure(cmd)
	}}
}

// rclone is told everything by its environment.
func (j job) rclone(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, append(j.lab.store.env(), "RCLONE_CONFIG=/dev/null", "HOME="+j.dir, "RCLONE_S3_PROVIDER=Minio", "RCLONE_S3_ENV_AUTH=true",
		"RCLONE_S3_ENDPOINT="+j.lab.store.s3.endpoint, "RCLONE_HTTP_URL="+j.origin+"/"+j.set.name+"/"), "rclone", args...)
}

// copyURL is rclone copyurl of one file: one stream.
func copyURL() client {
	return client{name: "rclone copyurl", once: true, run: func(ctx context.Context, j job) (time.Duration, usage, error) {
		f := j.set.files()[0]
		return measure(j.rclone(ctx, "copyurl", j.url(f), ":s3:"+j.bucket+"/"+f.key()))
	}}
}

// copyURLs is rclone copyurl with a list of many files.
func copyURLs(name string, flags ...string) client {
	return client{name: "rclone copyurl --urls" + name, run: func(ctx context.Context, j job) (time.Duration, usage, error) {
		var list strings.Builder
		for _, f := range j.set.files() {
			fmt.Fprintf(&list, "%s,%s\n", j.url(f), f.key())
		}
		file := filepath.Join(j.dir, "urls.csv")
		if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
			return 0, usage{}, fmt.Errorf("write the list for rclone: %w", err)
		}
		return measure(j.rclone(ctx, append([]string{"copyurl", "--urls", file, ":s3:" + j.bucket}, flags...)...))
	}}
}

// copyTo is rclone copyto of one file, which reads ranges in parallel.
func copyTo(name string, flags ...string) client {
	return client{name: "rclone copyto" + name, run: func(ctx context.Context, j job) (time.Duration, usage, error) {
		f := j.set.files()[0]
		return measure(j.rclone(ctx, append([]string{"copyto", ":http:" + f.key(), ":s3:" + j.bucket + "/" + f.key()}, flags...)...))
	}}
}

// copyTree is rclone copy of all files, which it finds in nginx's listings.
func copyTree(name string, flags ...string) client {
	return client{name: "rclone copy" + name, run: func(ctx context.Context, j job) (time.Duration, usage, error) {
		return measure(j.rclone(ctx, append([]string{"copy", ":http:", ":s3:" + j.bucket}, flags...)...))
	}}
}

// curlPipe is what people write into a script: curl into mc pipe, so many at once.
func curlPipe(name string, atOnce int, flags ...string) client {
	return client{name: "curl into mc pipe" + name, run: func(ctx context.Context, j job) (time.Duration, usage, error) {
		env := []string{"HOME=" + j.dir, "MC_HOST_bench=" + strings.Replace(j.lab.store.s3.endpoint, "://", "://"+j.lab.store.s3.key+":"+j.lab.store.s3.secret+"@", 1)}
		begun := time.Now()
		used, err := inParallel(atOnce, j.set.files(), func(f *file) (usage, error) {
			mc := append(append([]string{"pipe", "--quiet"}, flags...), "bench/"+j.bucket+"/"+f.key())
			_, used, err := measure(command(ctx, env, "curl", "--fail", "--silent", "--show-error", j.url(f)), command(ctx, env, "mc", mc...))
			return used, err
		})
		return time.Since(begun), used, err
	}}
}

// inParallel does something with every file, so many at once. Those that run at the same time need their memory at the
// same time.
func inParallel(atOnce int, files []*file, do func(*file) (usage, error)) (usage, error) {
	type result struct {
		used usage
		err  error
	}
	work, results := make(chan *file, len(files)), make(chan result)
	for _, f := range files {
		work <- f
	}
	close(work)
	for range atOnce {
		go func() {
			var r result
			for f := range work {
				used, err := do(f)
				r.used = r.used.then(used)
				if err != nil {
					r.err = err
					break
				}
			}
			results <- r
		}()
	}
	var all usage
	var err error
	for range atOnce {
		r := <-results
		all = all.and(r.used)
		if r.err != nil {
			err = r.err
		}
	}
	return all, err
}
