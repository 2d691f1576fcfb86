#!/bin/sh
# Makes the sample media of the simulator with ffmpeg, out of ffmpeg's own test sources: nothing in here was
# recorded or drawn by anyone. captions.ass and captions.srt are written by hand. The results are committed,
# because tests must not need ffmpeg; run this only to change them (another ffmpeg gives other bytes).
set -eu
cd "$(dirname "$0")"

encode() { # out, then ffmpeg's inputs and filters
  out=$1
  shift
  ffmpeg -v error -y "$@" -c:v libx264 -preset veryslow -crf 30 -pix_fmt yuv420p -r 25 \
    -c:a aac -b:a 48k -ac 1 -movflags +faststart -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact "$out"
}

launch="testsrc2=size=640x360:rate=25:duration=5"
tone="sine=frequency=440:sample_rate=44100:duration=5"
encode launch.mp4 -f lavfi -i "$launch" -f lavfi -i "$tone"
encode launch_captioned.mp4 -f lavfi -i "$launch" -f lavfi -i "$tone" -vf "subtitles=captions.ass"
encode tour.mp4 -f lavfi -i "mandelbrot=size=640x360:rate=25:end_scale=0.2" -f lavfi -i "sine=frequency=330:sample_rate=44100" -t 3

still() { ffmpeg -v error -y -ss "$3" -i "$1" -frames:v 1 -q:v 6 -map_metadata -1 -fflags +bitexact -flags:v +bitexact "$2"; }
still launch.mp4 launch.jpeg 2
still tour.mp4 tour.jpeg 1

moving() { ffmpeg -v error -y -t 1.6 -i "$1" -vf "fps=5,scale=160:-1,split[a][b];[a]palettegen=max_colors=32[p];[b][p]paletteuse=dither=none" -map_metadata -1 "$2"; }
moving launch.mp4 launch.gif
moving tour.mp4 tour.gif
