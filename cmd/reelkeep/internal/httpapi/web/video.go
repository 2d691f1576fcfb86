package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/httpapi/auth"
	"github.com/reelkeep/reelkeep/cmd/reelkeep/internal/report"
	"github.com/reelkeep/reelkeep/queue"
	"github.com/reelkeep/reelkeep/storage"
)

type videoPage struct {
	page

	Video    item
	Known    bool
	Plays    *file // nil: nothing to play
	Track    string
	Files    []file
	Facts    []fact
	Metadata []fact
	CanShare bool
	Shared   *shared
}

// fact is a line of what is known of a video.
type fact struct {
	Name, Value string
	When        *moment
	Code        bool
}

type shared struct {
	Links  []fact
	Expiry string
}

// keyFrom is the video that the request is about. Whoever may not see its account hears what he would hear if there were
// no such video.
func keyFrom(r *http.Request) (storage.VideoKey, error) {
	access := auth.Of(r.Context())
	k := storage.VideoKey{Account: cmp.Or(r.URL.Query().Get("account"), report.Account(access.Account)), VideoID: r.PathValue("id")}
	if k.Validate() != nil || !access.Allows(k.Account) {
		return k, queue.ErrUnknown
	}
	return k, nil
}

func (h *Handler) video(w http.ResponseWriter, r *http.Request) { h.showVideo(w, r, nil, nil) }

// showVideo shows a video, and how it went what somebody has asked to be done with it.
func (h *Handler) showVideo(w http.ResponseWriter, r *http.Request, said *notice, links *shared) {
	p := videoPage{page: h.newPage(r, r.PathValue("id")), CanShare: h.Share, Shared: links}
	if h.inPlace(r) {
		p.Root = "../" // it is put into the video's page, wherever it was fetched
	}
	k, err := keyFrom(r)
	var away error
	var s queue.Status
	var m *storage.Manifest
	if err == nil {
		s, m, away, err = h.find(r.Context(), k)
	}
	status, moves := http.StatusOK, err == nil && !s.State.Settled()
	switch {
	case err != nil:
		p.Notice = h.trouble(r.Context(), err)
		status = p.Notice.status
		p.Video = item{ID: k.VideoID, Title: p.Title}
	case away != nil:
		p.Notice = h.trouble(r.Context(), away)
	}
	moves = moves || p.Notice != nil && p.Notice.status == http.StatusServiceUnavailable
	if err == nil {
		h.fillVideo(&p, s, m)
	}
	if moves && r.Method == http.MethodPost {
		r.URL.Path = "/videos/" + r.PathValue("id")
	}
	if moves && unchanged(r, &p.page, h.signature(s)) {
		status = http.StatusNoContent
		if bar := p.Video.Progress; bar != nil {
			status = http.StatusOK
			id := "[id='progress-" + bar.Key + "']" // nothing else has changed
			w.Header().Set("HX-Retarget", id)
			w.Header().Set("HX-Reselect", id)
		}
	}
	if said != nil { // not part of what is asked for again: it stays until something changes
		p.Notice, status = said, cmp.Or(said.status, http.StatusOK)
	}
	h.show(w, r, status, "video", p)
}

func (h *Handler) fillVideo(p *videoPage, s queue.Status, m *storage.Manifest) {
	p.Known, p.Video = true, h.item(s)
	p.Video.complete(m)
	p.Title = p.Video.Title
	p.Files = h.filesOf(s, m, p.Video.Query)
	for i, f := range p.Files {
		if f.Asset == "video" && f.Path != "" {
			p.Plays = &p.Files[i]
		}
		// Captions from another origin would need its leave, and other formats are none that a browser shows.
		if f.Asset == "captions" && f.Type == "text/vtt" && h.Origin == nil {
			p.Track = f.Path
		}
	}
	p.Facts = h.facts(s, m)
	for _, k := range slices.Sorted(maps.Keys(s.Metadata)) {
		p.Metadata = append(p.Metadata, fact{Name: k, Value: s.Metadata[k]})
	}
}

func (h *Handler) facts(s queue.Status, m *storage.Manifest) []fact {
	now := h.Now()
	list := []fact{{Name: "Video id", Value: s.VideoID, Code: true}, {Name: "Account", Value: report.Account(s.Account)}}
	at := func(name string, t *time.Time) {
		if w := since(t, now); w != nil {
			list = append(list, fact{Name: name, When: w})
		}
	}
	if m != nil {
		at("Made at HeyGen", &m.Video.CreatedAt)
	}
	at("Handed in", &s.AcceptedAt)
	at("Sealed", s.SealedAt)
	if s.SealedAt == nil && !s.State.Settled() {
		at("First link dies", s.Deadline)
	}
	if s.Attempts > 0 {
		list = append(list, fact{Name: "Transfers begun", Value: strconv.Itoa(s.Attempts)})
	}
	if m == nil {
		return list
	}
	if m.Generation > 1 {
		list = append(list, fact{Name: "Generation", Value: strconv.Itoa(m.Generation)})
	}
	if m.Video.CallbackID != "" {
		list = append(list, fact{Name: "Callback id", Value: m.Video.CallbackID, Code: true})
	}
	return list
}

// inPlace says whether htmx puts the answer into the page that is open.
func (h *Handler) inPlace(r *http.Request) bool { return r.Header.Get("HX-Request") != "" }

func (h *Handler) retry(w http.ResponseWriter, r *http.Request) {
	k, err := keyFrom(r)
	if err == nil {
		_, err = h.Videos.Retry(r.Context(), k.Account, k.VideoID)
	}
	h.done(w, r, k, err)
}

func (h *Handler) cancel(w http.ResponseWriter, r *http.Request) {
	k, err := keyFrom(r)
	if err == nil {
		err = h.Videos.Cancel(r.Context(), k.Account, k.VideoID)
	}
	h.done(w, r, k, err)
}

// done answers a request that should have changed something: with the list where it came from one, else with the video's page.
func (h *Handler) done(w http.ResponseWriter, r *http.Request, k storage.VideoKey, err error) {
	list := formValue(r, "list")
	switch {
	case list != "" && h.inPlace(r):
		h.doneInList(w, r, list, err)
	case err != nil:
		h.showVideo(w, r, h.trouble(r.Context(), err), nil)
	case list != "":
		seeOther(w, "../../?"+url.Values{"show": {list}}.Encode())
	default:
		to := "../" + k.VideoID
		if k.Account != queue.DefaultAccount {
			to += "?account=" + k.Account
		}
		seeOther(w, to)
	}
}

// doneInList answers with the list that is open.
func (h *Handler) doneInList(w http.ResponseWriter, r *http.Request, list string, err error) {
	at := r.Clone(r.Context())
	at.URL = &url.URL{Path: "/", RawQuery: url.Values{"show": {list}}.Encode()}
	if shown, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && shown.RawQuery != "" {
		at.URL.RawQuery = shown.RawQuery
	}
	var said *notice
	if err != nil {
		said = h.trouble(r.Context(), err)
	}
	h.showHome(w, at, said)
}

// longestShare is the longest that can be asked for here, short of for ever.
const longestShare = 365 * 24 * time.Hour

func (h *Handler) share(w http.ResponseWriter, r *http.Request) {
	k, err := keyFrom(r)
	if err != nil {
		h.showVideo(w, r, nil, nil)
		return
	}
	days, err := strconv.Atoi(formValue(r, "days"))
	if err != nil || days < 0 {
		days = 7
	}
	life := min(time.Duration(min(days, 366))*24*time.Hour, longestShare)
	made, err := h.Links.Share(r.Context(), k.Account, k.VideoID, nil, life)
	if err != nil {
		h.showVideo(w, r, h.trouble(r.Context(), err), nil)
		return
	}
	out := &shared{Expiry: "for ever"}
	if life > 0 {
		out.Expiry = "until " + h.Now().Add(life).UTC().Format("2 January 2006, 15:04 UTC")
	}
	for _, asset := range []string{"video", "captioned_video", "gif", "thumbnail", "captions"} {
		if link, ok := made[asset]; ok {
			out.Links = append(out.Links, fact{Name: nameOf(asset), Value: link})
		}
	}
	h.showVideo(w, r, nil, out)
}
