package config

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseBytes reads a size: a whole number with an optional unit B, KiB, MiB, GiB, TiB (powers of 1024) or
// KB, MB, GB, TB (powers of 1000). It refuses what does not fit an int64.
func ParseBytes(text string) (int64, error) {
	text = strings.TrimSpace(text)
	i := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if i < 0 {
		i = len(text)
	}
	n, err := strconv.ParseInt(text[:i], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read size %q: want a number with a unit such as 8MiB", text)
	}
	unit, known := units()[strings.ToLower(strings.TrimSpace(text[i:]))]
	if !known || (n > 0 && n*unit/unit != n) {
		return 0, fmt.Errorf("read size %q: want a number with a unit such as 8MiB", text)
	}
	return n * unit, nil
}

func units() map[string]int64 {
	return map[string]int64{
		"": 1, "b": 1,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
		"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	}
}

// FormatBytes writes a size for people, with one digit behind the point where it helps: 512 B, 1.5 MiB, 3 GiB.
func FormatBytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB"} {
		value /= 1 << 10
		if value < 1<<10 {
			break
		}
	}
	return strings.Replace(fmt.Sprintf("%.1f %s", value, unit), ".0 ", " ", 1)
}
