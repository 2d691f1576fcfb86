package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/config"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/worker/heygen"
	"github.com/reelkeep/reelkeep/worker/secret"
)

func webhookCommand(con *console) *cli.Command {
	return &cli.Command{
		Name: "webhook", Usage: "have HeyGen tell reelkeep of videos: register, list and remove addresses",
		Description: "HeyGen delivers events to addresses that are registered with its API. reelkeep takes them at /webhooks/heygen.\n\n" + exitCodes,
		Commands:    []*cli.Command{webhookRegister(con), webhookList(con), webhookRemove(con)},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usageErrorf("there is no command webhook %q; see reelkeep webhook --help", oneLine(c.Args().First()))
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

func webhookRegister(con *console) *cli.Command {
	return &cli.Command{
		Name: "register", Usage: "have HeyGen deliver events to an address, and print the secret that it signs them with", ArgsUsage: "URL",
		Description: "URL is that of reelkeep as HeyGen reaches it, such as https://videos.example.com/webhooks/heygen. HeyGen tries it out first,\n" +
			"by OPTIONS, and the secret is made only after that: so the service must already run there, with REELKEEP_WEBHOOK_TOKEN set\n" +
			"or with any REELKEEP_WEBHOOK_SECRETS. What is delivered before it knows the secret is refused, and v3 delivers it again.\n\n" +
			"This is the one command that prints a secret, and it goes to stdout alone: add the line to the file that\n" +
			"REELKEEP_WEBHOOK_SECRETS_FILE names (>> FILE), and start the service anew. v3 never shows it again.\n\n" + exitCodes,
		Flags: webhookFlags(
			&cli.StringFlag{Name: "events", Usage: "comma list of HeyGen's events, such as avatar_video.success,avatar_video_gif.success; all, unless said"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			api, account, err := webhookClient(c, con, checkHookURL(c))
			if err != nil {
				return err
			}
			r, err := registerHook(ctx, c, con, api)
			if err != nil {
				return err
			}
			if !c.Bool("json") {
				return con.dataf("%s", r.Secret.Reveal())
			}
			told := hookReportOf(account, r)
			told.Secret = report.OrNull(r.Secret.Reveal())
			return con.dataJSON(told)
		},
	}
}

func webhookList(con *console) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the addresses that HeyGen delivers events to",
		Description: "One line for each: id, status, events, address. The secrets are left out.\n\n" + exitCodes,
		Flags:       webhookFlags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			api, account, err := webhookClient(c, con, noArgs(c))
			if err != nil {
				return err
			}
			hooks, err := api.Endpoints(ctx)
			if err != nil {
				return err
			}
			for _, h := range hooks {
				if err := printHook(con, c.Bool("json"), hookReportOf(account, h)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func webhookRemove(con *console) *cli.Command {
	return &cli.Command{
		Name: "remove", Usage: "end HeyGen's deliveries to an address", ArgsUsage: "ID",
		Description: "ID is what list shows. The secret of the address may be taken out of REELKEEP_WEBHOOK_SECRETS then.\n\n" + exitCodes,
		Flags:       webhookFlags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			id := c.Args().First()
			var wrong error
			if c.NArg() != 1 || !heygen.ValidID(id) {
				wrong = errors.New("name the one webhook to remove by its id; reelkeep webhook list shows it")
			}
			api, account, err := webhookClient(c, con, wrong)
			if err != nil {
				return err
			}
			if err := api.RemoveEndpoint(ctx, id); err != nil {
				return err
			}
			if c.Bool("json") {
				return con.dataJSON(map[string]any{"endpoint_id": id, "account": account, "removed": true})
			}
			return con.dataf("removed %s", id)
		},
	}
}

// webhookFlags are those of all webhook commands, with the command's own in their place.
func webhookFlags(own ...cli.Flag) []cli.Flag {
	account := &cli.StringFlag{Name: "account", Usage: "`NAME` of the HeyGen account; may be left out if there is only one"}
	return slices.Concat([]cli.Flag{account}, own, []cli.Flag{jsonFlag()}, settingFlags(config.HeyGen, config.Logging))
}

// webhookClient checks the command line and builds the client of its account.
func webhookClient(c *cli.Command, con *console, wrong error) (*heygen.Client, string, error) {
	cfg, err := loadConfig(c)
	name := c.String("account")
	errs := []error{err, wrong, cfg.Need("HEYGEN_API_KEY")}
	switch {
	case name != "":
		errs = append(errs, knownAccount(cfg, name))
	case len(cfg.Accounts) > 1:
		if _, found := cfg.Account(defaultAccount); !found {
			errs = append(errs, errors.New("--account: there are several accounts ("+strings.Join(cfg.AccountNames(), ", ")+"): name one"))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, "", withCode(exitUsage, err)
	}
	if name == "" {
		name = unnamedAccount(cfg)
	}
	account, _ := cfg.Account(name)
	api, err := newHeyGen(cfg, account, makings{}, newLog(cfg, stderrOf{con}))
	return api, name, withCode(exitUsage, err)
}

func checkHookURL(c *cli.Command) error {
	u, err := url.Parse(c.Args().First())
	if c.NArg() != 1 || err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil {
		return errors.New("name the address at which HeyGen reaches reelkeep, such as https://videos.example.com/webhooks/heygen")
	}
	return nil
}

// secretPatience is how long HeyGen may take to show the secret of a new address.
const secretPatience = 30 * time.Second

// registerHook returns the endpoint with its secret.
func registerHook(ctx context.Context, c *cli.Command, con *console, api *heygen.Client) (heygen.Endpoint, error) {
	address := c.Args().First()
	var events []string
	for event := range strings.SplitSeq(c.String("events"), ",") {
		if event = strings.TrimSpace(event); event != "" {
			events = append(events, event)
		}
	}
	if !answersOptions(ctx, address) {
		con.sayf("%s does not answer OPTIONS from here. HeyGen registers only what answers it within a second: is the service running there,\nwith REELKEEP_WEBHOOK_TOKEN or REELKEEP_WEBHOOK_SECRETS set?", secret.New(address))
	}
	hook, err := api.AddEndpoint(ctx, address, events)
	if err != nil {
		return hook, err
	}
	if hook.Secret.IsZero() {
		con.sayf("registered as %s; waiting for HeyGen to show the secret", hook.ID)
		if hook.Secret, err = awaitSecret(ctx, api, hook); err != nil {
			return hook, fmt.Errorf("%s is registered, and its secret unknown: remove it (reelkeep webhook remove %s) and register it again: %w", hook.ID, hook.ID, err)
		}
	}
	con.sayf("registered as %s (%s). Add its secret to the file that REELKEEP_WEBHOOK_SECRETS_FILE names, or to webhook_secrets of the account,\nand start the service anew. It is not shown again.", hook.ID, hook.API)
	return hook, nil
}

// awaitSecret looks for the secret where v1 shows it, and in the end has v3 make another one, which nobody can miss: the
// first was never seen.
func awaitSecret(ctx context.Context, api *heygen.Client, hook heygen.Endpoint) (secret.String, error) {
	if hook.API == heygen.VersionV3 {
		if s, err := api.RotateEndpoint(ctx, hook.ID); err == nil {
			return s, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, secretPatience)
	defer cancel()
	for {
		hooks, err := api.Endpoints(ctx)
		for _, h := range hooks {
			if h.ID == hook.ID && !h.Secret.IsZero() {
				return h.Secret, nil
			}
		}
		if werr := wait(ctx, time.Second); werr != nil {
			return secret.String{}, errors.Join(err, werr)
		}
	}
}

func answersOptions(ctx context.Context, address string) bool {
	const limit = 3 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, address, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode/100 == 2
}

// hookReport is a webhook as --json tells it: a contract.
type hookReport struct {
	EndpointID string     `json:"endpoint_id"`
	Account    string     `json:"account"`
	URL        string     `json:"url"`
	Status     string     `json:"status"`
	Events     []string   `json:"events"` // null: all
	API        string     `json:"api"`
	CreatedAt  *time.Time `json:"created_at"`
	Secret     *string    `json:"secret"` // null but right after it was registered
}

func hookReportOf(account string, h heygen.Endpoint) hookReport {
	return hookReport{EndpointID: h.ID, Account: report.Account(account), URL: h.URL, Status: h.Status, Events: h.Events, API: h.API, CreatedAt: report.UTC(&h.CreatedAt)}
}

func printHook(con *console, asJSON bool, r hookReport) error {
	if asJSON {
		return con.dataJSON(r)
	}
	events := "all"
	if r.Events != nil {
		events = strings.Join(r.Events, ",")
	}
	return con.dataf("%s\t%s\t%s\t%s", r.EndpointID, oneLine(r.Status), oneLine(events), oneLine(r.URL))
}
