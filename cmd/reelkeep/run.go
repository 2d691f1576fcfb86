package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
)

// run is the program: it executes one command line and returns its exit code.
func run(ctx context.Context, args []string, con *console) int {
	err := newRoot(con).Run(ctx, args)
	if err != nil {
		complain(stderrOf{con}, err)
	}
	return codeOf(ctx, err)
}

func newRoot(con *console) *cli.Command {
	root := &cli.Command{
		Name:  "reelkeep",
		Usage: "archives finished HeyGen videos before their links die",
		Description: "Try it without any set-up:  reelkeep demo\n" +
			"Archive an account:        HEYGEN_API_KEY=… reelkeep archive --all\n\n" + exitCodes,
		Writer: stdoutOf{con}, ErrWriter: stderrOf{con}, Reader: con.in,
		HideVersion:                     true,
		EnableShellCompletion:           true,
		ShellCompletionCommandName:      "completion",
		ConfigureShellCompletionCommand: func(c *cli.Command) { c.Hidden = false },
		ExitErrHandler:                  func(context.Context, *cli.Command, error) {},
		Action:                          noCommand,
		Commands: []*cli.Command{
			demoCommand(con), archiveCommand(con), serveCommand(con), enqueueCommand(con), statusCommand(con), listCommand(con),
			retryCommand(con), cancelCommand(con), sweepCommand(con), getCommand(con), urlCommand(con), webhookCommand(con), healthCommand(con),
			versionCommand(con), docsCommand(con),
		},
	}
	for _, c := range root.Commands {
		c.OnUsageError = usageFailed
	}
	root.OnUsageError = usageFailed
	return root
}

func noCommand(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usageErrorf("there is no command %q; see reelkeep --help", oneLine(c.Args().First()))
	}
	return cli.ShowRootCommandHelp(c)
}

func usageFailed(_ context.Context, c *cli.Command, err error, _ bool) error {
	return usageErrorf("%w; see %s --help", err, c.FullName())
}

// settingFlags makes a flag of every setting of the groups. The values are read as text, so that Load can name
// all bad ones at once.
func settingFlags(groups ...config.Group) []cli.Flag {
	var flags []cli.Flag
	for _, s := range config.Settings() {
		for _, g := range groups {
			if s.Group == g && !s.Secret {
				flags = append(flags, &cli.StringFlag{
					Name: s.Flag(), Category: string(s.Group), Usage: s.Usage, Value: s.Default,
					HideDefault: s.Default == "", Sources: cli.EnvVars(s.Env),
				})
			}
		}
	}
	return flags
}

// loadConfig reads all settings, those that have a flag on this command from there.
func loadConfig(c *cli.Command) (config.Config, error) {
	cfg, err := config.Load(func(s config.Setting) (string, bool) {
		if s.Flag() != "" && c.IsSet(s.Flag()) {
			return c.String(s.Flag()), true
		}
		return config.Environment(s)
	})
	return cfg, withCode(exitUsage, err)
}

func newLog(cfg config.Config, w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

func versionCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(_ context.Context, c *cli.Command) error {
			v := buildVersion()
			if c.Bool("json") {
				return con.dataJSON(map[string]string{"version": v.version, "commit": v.commit, "go": v.goVersion})
			}
			return con.dataf("reelkeep %s (%s, %s)", v.version, v.commit, v.goVersion)
		},
	}
}

type buildInfo struct{ version, commit, goVersion string }

func buildVersion() buildInfo {
	out := buildInfo{version: "devel", commit: "unknown", goVersion: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	out.goVersion = info.GoVersion
	if v := info.Main.Version; v != "" && v != "(devel)" {
		out.version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			out.commit = s.Value
		}
	}
	return out
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON document a line"}
}

func userAgent() string { return fmt.Sprintf("reelkeep/%s", buildVersion().version) }
