// Package config is the list of reelkeep's settings: their names, defaults, meaning and limits.
//
// One table (Settings) feeds the flags, the environment, the help texts and docs/configuration.md. Load reads
// all of it before anything is contacted and names every bad value at once. Only this package reads the
// environment; secrets come from there or from the file that NAME_FILE points to, never from a flag, where
// every process list would show them.
package config
