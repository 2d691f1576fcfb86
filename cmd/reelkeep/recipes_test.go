package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/reelkeep/reelkeep/worker/heygen/heygensim"
)

// The recipe for curl is run as the page has it: a video is handed in, and its file and a link for everybody come out. An
// id that HeyGen does not know ends it with an error instead of an hour's wait.
func TestTheCurlRecipeRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```bash\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/recipes.md has no block of bash")
	}
	const token = "token-of-the-recipe"
	f := newFleet(t, heygensim.Options{})
	f.env = append(f.env, "REELKEEP_API_TOKENS="+token, "REELKEEP_REDIS=", "REELKEEP_LINK_SECRETS=0123456789abcdef0123456789abcdef")
	v := launch(f)
	film := v.Assets["video"].Body
	p := f.open("--embedded")
	dir := t.TempDir()
	recipe := func(id string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(string(block[1]), "sleep 10", "sleep 0.1"), "keep.sh", id)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "API=http://"+p.api, "TOKEN="+token)
		var talk bytes.Buffer
		cmd.Stderr = &talk
		out, err := cmd.Output()
		if err != nil {
			return talk.String(), err
		}
		return strings.TrimSpace(string(out)), nil
	}
	link, err := recipe(v.ID)
	if err != nil {
		t.Fatalf("%v\n%s", err, link)
	}
	if got, err := os.ReadFile(filepath.Join(dir, v.ID+".mp4")); err != nil || !bytes.Equal(got, film) {
		t.Errorf("the permalink gives %d bytes (%v), want %d", len(got), err, len(film))
	}
	if got := follow(t, link); got.status != 200 || got.body != string(film) {
		t.Errorf("the share link gives %d and %d bytes", got.status, len(got.body))
	}
	if said, err := recipe("unknown"); err == nil || !strings.Contains(said, `"state":"gone"`) {
		t.Errorf("an id that HeyGen does not know: %v\n%s", err, said)
	}
}
