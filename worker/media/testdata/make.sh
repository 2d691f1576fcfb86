#!/bin/sh
# Makes the small files that Verify is tried on, with ffmpeg from its own test source. The results are committed,
# because tests must not need ffmpeg; run this only to change them.
set -eu
cd "$(dirname "$0")"
ff() { ffmpeg -v error -y "$@"; }
src="testsrc2=size=64x64:rate=10:duration=2"
exact="-map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact"
x264="-c:v libx264 -preset veryslow -crf 40 -pix_fmt yuv420p -g 5"
tone="sine=frequency=440:sample_rate=8000:duration=2"

# shellcheck disable=SC2086 # the settings are words to be split
{
  ff -f lavfi -i "$src" -f lavfi -i "$tone" $x264 -c:a aac -b:a 8k $exact index_last.mp4
  ff -f lavfi -i "$src" -f lavfi -i "$tone" $x264 -c:a aac -b:a 8k $exact -movflags +faststart index_first.mp4
  ff -f lavfi -i "$src" $x264 $exact -movflags +frag_keyframe+empty_moov fragmented.mp4
  ff -f lavfi -i "$src" $x264 $exact -f mov quicktime.mov
  ff -f lavfi -i "$tone" -c:a aac -b:a 8k $exact sound_only.mp4
  ff -f lavfi -i "$src" -c:v libvpx-vp9 -crf 60 -b:v 0 $exact video.webm
  ff -f lavfi -i "$src" -c:v libvpx-vp9 -crf 60 -b:v 0 $exact -live 1 -f webm - >live.webm
  ff -f lavfi -i "$src" -c:v libx264 -crf 40 $exact matroska.mkv
  for ext in jpeg png webp; do ff -f lavfi -i "$src" -frames:v 1 $exact picture.$ext; done
  ff -f lavfi -i "$src" -t 0.5 $exact animation.gif
}
