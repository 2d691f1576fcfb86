#!/bin/sh
# Makes vectors.txt by openssl, so that our own code does not judge itself. A vector is three lines: the dialect, the
# signature of the body with the secret "whsec_vectors_only", the body.
cd "$(dirname "$0")" || exit 1
vector() { printf '%s\n%s\n%s\n' "$1" "$(printf %s "$2" | openssl dgst -sha256 -hmac whsec_vectors_only -r | cut -d' ' -f1)" "$2"; }
{
vector v1 '{"event_type":"avatar_video.success","event_data":{"video_id":"v1success","url":"https://files2.heygen.ai/x.mp4?Expires=1&Signature=s","gif_download_url":null,"video_share_page_url":null,"folder_id":"","callback_id":null}}'
vector v1 '{"event_type": "avatar_video.fail", "event_data": {"video_id": "v1fail", "msg": "Zu lang – ä", "callback_id": "x"}}'
vector v1 '{"event_type":"avatar_video_gif.success","event_data":{"video_id":"v1gif","url":"https://resource2.heygen.ai/video/gifs/v1gif.gif"}}'
vector v3 '{"event_id":"evt_1","event_type":"avatar_video.success","event_data":{"video_id":"v3success","url":null},"created_at":"2026-09-20T10:05:00Z"}'
vector v3 '{"event_id":"evt_2","event_type":"video_agent.success","event_data":{"session_id":"s","video_id":"v3agent","video_url":"https://x"},"callback_id":"c"}'
vector v3 '{"event_id":"evt_3","event_type":"video_translate.success","event_data":{"video_translation_id":"v3translate","callback_id":null}}'
vector v3 '{"event_id":"evt_4","event_type":"avatar_video_caption.success","event_data":{"video_id":"v3caption","subtitle_url":"https://x"}}'
} >vectors.txt
