package media

import "fmt"

// WrongTypeError says that the bytes of an asset are not of a kind that this asset can have.
type WrongTypeError struct {
	Asset string
	Got   string // in words: "an HTML page"
}

// Error says what was expected and what came.
func (e *WrongTypeError) Error() string {
	return fmt.Sprintf("%s is %s, not %s", e.Asset, e.Got, wanted(e.Asset))
}

// Hint says what a person can do.
func (e *WrongTypeError) Hint() string {
	return "the link leads to something else; a fresh link usually helps, so try again, and if it stays open the video in HeyGen and look whether it plays"
}

// DamagedError says that an asset is of the right kind but not whole.
type DamagedError struct {
	Asset  string
	Damage string // in words: "it ends at byte 4096 inside of box mdat"
}

// Error says what is wrong with the file.
func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %s", e.Asset, e.Damage) }

// Hint says what a person can do.
func (e *DamagedError) Hint() string {
	return "fetch it again; if it stays the same, HeyGen's own file is damaged: open the video in HeyGen, and render it again if it doesn't play there"
}

// DurationError says that a whole and sound video plays longer or shorter than HeyGen says. It may be HeyGen's number
// that is wrong, so the caller decides.
type DurationError struct {
	Asset       string
	Plays, Says float64 // seconds
}

// Error tells both.
func (e *DurationError) Error() string {
	return fmt.Sprintf("%s plays %.1f s where HeyGen says %.1f s", e.Asset, e.Plays, e.Says)
}

// Hint says what a person can do.
func (e *DurationError) Hint() string {
	return "watch it; if it is not the right video, compare it with the one in HeyGen"
}

func wanted(asset string) string {
	switch asset {
	case "video", "captioned_video":
		return "a video (MP4 or WebM)"
	case "thumbnail":
		return "a picture (JPEG, PNG, WebP or GIF)"
	case "gif":
		return "an animation (GIF or WebP)"
	}
	return "captions (ASS, SRT or VTT)"
}
