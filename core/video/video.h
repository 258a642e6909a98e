/*
 * video - footage, voice and captions become an MP4.
 *
 * What:    the five steps a film is made of. Each writes one whole file (path.*.part, then
 *          fs_publish), so that the caller may cache it under the hash of everything it was made
 *          from; bump VIDEO_REVISION when the same input gives other bytes.
 * Owner:   specs are borrowed for the call. Every FFmpeg object is owned by the call and freed on
 *          every path.
 * Threads: all functions from any thread; one call uses one thread unless the spec says more.
 *          video_setup once at start.
 * Cancel:  spec.cancel stops any call within half a second (ERR_CANCELLED).
 * Source:  facts sheet "rendering".
 */
#ifndef NANOTIK_VIDEO_H
#define NANOTIK_VIDEO_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/port/footage.h"
#include "core/story/caption.h"
#include "core/story/storyboard.h"

enum { VIDEO_REVISION = 2, VIDEO_RATE = 48000, VIDEO_SAMPLES_PER_FRAME = VIDEO_RATE / STORY_FPS };

/* av_log into our log (thread's job id), network off. */
void video_setup(void);

/* --- probe: what is in a file that nobody vouches for --- */
struct media_info {
    enum footage_kind kind; /* FOOTAGE_CLIP, FOOTAGE_PHOTO, or FOOTAGE_NONE for sound only */
    int width, height;      /* as shown: after display matrix and sample aspect */
    double fps;             /* average; 0 for stills */
    int64_t duration_ms;    /* 0 for stills */
    bool has_video, has_audio;
    char video_codec[24], audio_codec[24], pixel_format[24], profile[32];
    bool moov_first; /* mp4: moov before mdat */
};
/* Sniffs the container by content, only file protocol, bounded probing (sheet section 6). ERR_INPUT
   "footage.broken" when it is not playable media; arg = file name. */
bool video_probe(const char *path, const struct cancel *cancel, struct media_info *ret,
                 struct err *e);

/* --- segment: one scene's pictures with captions burnt in, closed-GOP H.264 in MP4, no sound ---
 */
struct segment_spec {
    int width, height;
    enum story_tier tier;
    int frames; /* exactly this many at STORY_FPS */
    const struct footage *footage;
    const struct footage *second;         /* shown from second_frame on; NULL: footage to the end */
    int second_frame;                     /* more than 0, less than frames */
    const struct caption_track *captions; /* times from the start of the segment; NULL = none */
    const char *title;                    /* shown at the top for the first seconds; NULL = none */
    const char *style;
    int threads; /* for the encoder; 1 when scenes run in parallel */
    const struct cancel *cancel;
    void (*on_frame)(void *ctx, int done); /* may be NULL; cheap; on the calling thread */
    void *ctx;
};
bool segment_render(const struct segment_spec *spec, const char *path, struct err *e);

/* --- sound: voices, music and ducking for the whole timeline, -14 LUFS, true peak <= -1.5 dBTP,
 * AAC-LC in MP4 --- */
struct sound_voice {
    const char *wav;
    int64_t start_ms; /* of the WAV on the timeline */
    int duration_ms;
};
struct sound_spec {
    const struct sound_voice *voices; /* in time order */
    size_t voice_count;
    int frames;       /* length of the film: frames * VIDEO_SAMPLES_PER_FRAME samples */
    const char *mood; /* music; "off" = voice only */
    uint64_t seed;
    const struct cancel *cancel;
};
bool sound_render(const struct sound_spec *spec, const char *path, struct err *e);

/* --- a spoken WAV alone, cleaned and levelled, as the Ogg Opus file that chats play as a voice message --- */
bool sound_voice_note(const char *wav, int duration_ms, const char *path,
                      const struct cancel *cancel, struct err *e);

/* --- join: segments and sound become the film, moov first, title and credits inside --- */
struct join_spec {
    const char *const *segments;
    size_t segment_count;
    const char *sound;
    const char *title;
    const char *comment; /* credits */
    const char *lang;    /* BCP 47; the stream's ISO 639-2 code is derived */
    const struct cancel *cancel;
};
/* ERR_CONFLICT "make.render_failed": a part has to be made again. arg = index of the segment that
   cannot be read or whose encoder header differs; segment_count: the sound cannot be read. */
bool video_join(const struct join_spec *spec, const char *path, struct err *e);

/* --- check: the finished file is what was promised (streams, codecs, size, frame count, moov,
 * duration within 50 ms) --- */
bool video_check(const char *path, int width, int height, int frames, const struct cancel *cancel,
                 struct err *e);

/* --- poster: the frame at at_ms of a film as JPEG --- */
bool video_poster(const char *path, int64_t at_ms, const char *jpeg_path,
                  const struct cancel *cancel, struct err *e);

/* --- look: 64 bits of what the picture at at_ms looks like; 0 when it shows next to nothing --- */
bool video_look(const char *path, int64_t at_ms, const struct cancel *cancel, uint64_t *ret,
                struct err *e);
bool video_looks_alike(uint64_t a, uint64_t b);

/* A poster (or a film's first frame) made smaller: longest side max_side. */
bool video_thumb(const char *picture, int max_side, const char *jpeg_path,
                 const struct cancel *cancel, struct err *e);

/* Names every font and what it lacks: for doctor. Missing fonts for a language: ERR_CONFIG
 * "doctor.font", arg = package. */
bool video_font_check(const char *lang, struct err *e);

#endif
