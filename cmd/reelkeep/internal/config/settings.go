package config

import "strings"

// Group says which part of the program a setting belongs to; a command takes the groups it uses.
type Group string

// The groups, in the order in which the documentation shows them.
const (
	HeyGen   Group = "HeyGen"
	Redis    Group = "Redis"
	Store    Group = "Store"
	Transfer Group = "Transfers"
	Safety   Group = "What may be fetched"
	Waiting  Group = "Waiting"
	Service  Group = "The service"
	API      Group = "The API and its links"
	Webhooks Group = "Webhooks from HeyGen"
	Notify   Group = "Notifications"
	Logging  Group = "Logging"
)

// Groups returns all groups in order.
func Groups() []Group {
	return []Group{HeyGen, Redis, Store, Transfer, Safety, Waiting, Service, API, Webhooks, Notify, Logging}
}

// Setting describes one setting.
type Setting struct {
	Env     string // environment variable
	Group   Group
	Default string
	Usage   string // one sentence; what it is, its unit and its limits
	Secret  bool   // by environment or NAME_FILE only: it has no flag
}

// Flag is the name of the setting's flag without dashes, or "" if it has none.
func (s Setting) Flag() string {
	if s.Secret {
		return ""
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(s.Env, "REELKEEP_")), "_", "-")
}

// Settings returns the table.
func Settings() []Setting {
	return []Setting{
		{Env: "HEYGEN_API_KEY", Group: HeyGen, Secret: true, Usage: "the key of your HeyGen account"},
		{Env: "HEYGEN_API_URL", Group: HeyGen, Default: "https://api.heygen.com", Usage: "where HeyGen's API is"},
		{Env: "HEYGEN_API_VERSION", Group: HeyGen, Default: "auto", Usage: "auto (v3, falling back to v1), v3 or v1"},
		{Env: "REELKEEP_ACCOUNTS_FILE", Group: HeyGen, Usage: `several accounts: a JSON file [{"name": "…", "api_key_file": "…"}, …] ("api_key" instead holds the key itself); HEYGEN_API_KEY is the account "default"`},

		{Env: "REELKEEP_REDIS", Group: Redis, Secret: true, Usage: "Redis of the fleet: redis://[user:pass@]host:6379/0, rediss://…, redis-sentinel://h1:26379,h2:26379/0?master=NAME, redis-cluster://h1,h2; only commands that talk to a fleet use it"},

		{Env: "REELKEEP_STORE", Group: Store, Usage: "where the archive is: s3://bucket/prefix (keys, region and AWS_ENDPOINT_URL_S3 as the AWS SDK knows them) or a folder"},
		{Env: "REELKEEP_S3_PUBLIC_URL", Group: Store, Usage: "origin in presigned links when browsers reach the store by another name than reelkeep does, such as https://files.example.com"},
		{Env: "REELKEEP_CHECKSUM", Group: Store, Default: "auto", Usage: "how stored bytes are proven: auto (the best that the store offers), crc64nvme, md5 or readback"},

		{Env: "REELKEEP_CONCURRENCY", Group: Transfer, Default: "8", Usage: "videos at once, 1 to 1024"},
		{Env: "REELKEEP_PART_SIZE", Group: Transfer, Default: "8MiB", Usage: "size of a part, 5MiB to 5GiB; it grows for files of more than 10,000 parts"},
		{Env: "REELKEEP_MEMORY", Group: Transfer, Default: "128MiB", Usage: "ceiling on all part buffers of the process; at least one part"},
		{Env: "REELKEEP_STREAMS", Group: Transfer, Default: "32", Usage: "most ranges of one file read at once, 1 to 256; how many are used adapts to what they bring"},
		{Env: "REELKEEP_BANDWIDTH", Group: Transfer, Usage: "most bytes a second that all transfers read together, from 64KiB, such as 20MiB; empty = no limit"},
		{Env: "REELKEEP_HOST_STREAMS", Group: Transfer, Default: "64", Usage: "connections to one source host, 1 to 1024"},
		{Env: "REELKEEP_STALL_TIMEOUT", Group: Transfer, Default: "30s", Usage: "a read with no byte for this long is cut and resumed, 1s to 1h; there is no total time-out"},

		{Env: "REELKEEP_SOURCE_HOSTS", Group: Safety, Usage: "comma list of host suffixes that links may point to, such as .heygen.ai,.heygen.com; empty = any public host"},
		{Env: "REELKEEP_PRIVATE_SOURCES", Group: Safety, Usage: "comma list of CIDRs that may be fetched from although they are private, and over plain http"},

		{Env: "REELKEEP_RENDER_WAIT", Group: Waiting, Default: "72h", Usage: "how long a render may take"},
		{Env: "REELKEEP_LATE_ASSETS_WAIT", Group: Waiting, Default: "10m", Usage: "how long after completion an optional asset may turn up; 0 = not at all"},

		{Env: "REELKEEP_OPS_LISTEN", Group: Service, Default: "127.0.0.1:9464", Usage: "where /livez, /readyz and /metrics are served, without a token; port 0 = any free one, which is logged"},
		{Env: "REELKEEP_SWEEP_EVERY", Group: Service, Default: "1h", Usage: "how often a sweep looks for new videos in HeyGen's list, newest first; 0 = off"},
		{Env: "REELKEEP_SWEEP_FULL_EVERY", Group: Service, Default: "24h", Usage: "how often a sweep reads the whole list; 0 = off"},

		{Env: "REELKEEP_LISTEN", Group: API, Default: "127.0.0.1:8080", Usage: "where the API and the page are served (role api); another address than loopback needs REELKEEP_API_TOKENS; port 0 = any free one, which is logged"},
		{Env: "REELKEEP_API_TOKENS", Group: API, Secret: true, Usage: "comma list of token (everything) or account:token (that account only), sent as Authorization: Bearer TOKEN (without the account); at least 8 characters each (`openssl rand -hex 32` makes a good one); several may be live at once, for rotation; without one only loopback is listened on"},
		{Env: "REELKEEP_PUBLIC_URL", Group: API, Usage: "our own address as others see it, for permalinks, such as https://videos.example.com; a path in it may or may not be taken away by what stands before us; unset and listening on loopback: that address"},
		{Env: "REELKEEP_LINK_SECRETS", Group: API, Secret: true, Usage: "comma list of secrets, at least 16 characters each, that sign share links: the first signs, all are believed; the same on all replicas"},
		{Env: "REELKEEP_PERMALINK_MODE", Group: API, Default: "auto", Usage: "how permalinks answer: redirect (to a presigned link), proxy (through us) or auto (redirect; a folder is always proxied)"},
		{Env: "REELKEEP_PUBLIC_PERMALINKS", Group: API, Default: "false", Usage: "true: permalinks need neither token nor signature, and whoever knows a video's id can watch it"},
		{Env: "REELKEEP_DROPIN", Group: API, Default: "status", Usage: "HeyGen's own routes: off, status (the two status routes) or full (every other route is passed through to HeyGen as well)"},

		{Env: "REELKEEP_WEBHOOK_SECRETS", Group: Webhooks, Secret: true, Usage: "comma list of the secrets that HeyGen signs deliveries with; several may be live at once; those of other accounts stand in REELKEEP_ACCOUNTS_FILE"},
		{Env: "REELKEEP_WEBHOOK_TOKEN", Group: Webhooks, Secret: true, Usage: "last part of the path for deliveries to a callback_url, which HeyGen does not sign; at least 8 letters, digits, - or _"},

		{Env: "REELKEEP_NOTIFY_URL", Group: Notify, Usage: "where to tell what has become of a video (Standard Webhooks), such as https://app.example.com/hooks/reelkeep"},
		{Env: "REELKEEP_NOTIFY_SECRET", Group: Notify, Secret: true, Usage: "signs notifications: whsec_ and the base64 of 16 to 64 random bytes"},

		{Env: "REELKEEP_LOG_FORMAT", Group: Logging, Default: "text", Usage: "text or json"},
		{Env: "REELKEEP_LOG_LEVEL", Group: Logging, Default: "info", Usage: "debug, info, warn or error"},
	}
}
