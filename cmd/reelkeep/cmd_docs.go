package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
)

// docsCommand writes docs/configuration.md from the same table that makes the flags (make docs).
func docsCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "docs", Usage: "print the settings as Markdown", Hidden: true,
		Action: func(context.Context, *cli.Command) error {
			_, err := fmt.Fprint(stdoutOf{con}, settingsMarkdown())
			return err
		},
	}
}

func settingsMarkdown() string {
	var b strings.Builder
	b.WriteString("# Settings\n\nEvery setting is an environment variable and, unless it is a secret (★), a flag of the commands that use it; the flag wins.\n" +
		"A secret comes from its variable or from the file that `NAME_FILE` points to. All bad settings are named at once, before\n" +
		"anything is contacted (exit code 2). This page is made by `make docs`.\n")
	for _, g := range config.Groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| variable | flag | default | |\n|---|---|---|---|\n", g)
		for _, s := range config.Settings() {
			if s.Group == g {
				fmt.Fprintf(&b, "| `%s`%s | %s | %s | %s |\n", s.Env, star(s), code(s.Flag(), "--"), code(s.Default, ""), s.Usage)
			}
		}
	}
	b.WriteString("\nThe store's credentials, region and endpoint are the AWS SDK's own: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,\n" +
		"`AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL_S3`, roles and all the rest of its chain.\n")
	return b.String()
}

func star(s config.Setting) string {
	if s.Secret {
		return "★"
	}
	return ""
}

func code(text, prefix string) string {
	if text == "" {
		return "–"
	}
	return "`" + prefix + text + "`"
}
