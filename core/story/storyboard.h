/*
 * storyboard - the one document that becomes a video.
 *
 * What:    settings and scenes; each stage (write, speak, find, cut) adds its part; saved as JSON
 *          with the job.
 * Owner:   the storyboard owns all it points to; storyboard_free; AUTO(storyboard_free) works on a
 *          struct.
 * Threads: none; the pipeline guards it.
 * Bounds:  the limits below hold in every loaded document (storyboard_from_json checks them).
 */
#ifndef NANOTIK_STORYBOARD_H
#define NANOTIK_STORYBOARD_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/port/footage.h"
#include "core/port/speech.h"
#include "core/port/writer.h"

enum {
    STORY_VERSION = 1,
    STORY_SPEED_MIN = 80, /* percent; outside of it voices sound wrong */
    STORY_SPEED_MAX = 130,
    STORY_SCENES_MAX = 600,
    STORY_NARRATION_MAX = 2000, /* bytes of one scene */
    STORY_TERMS_MAX = 8,
    STORY_CAPTION_MAX = 900, /* bytes */
    STORY_WISH_MAX = 240,    /* bytes */
    STORY_PACE_LOW = 90,     /* per cent: a listener does not mind */
    STORY_PACE_HIGH = 110,
    STORY_FPS = 30,
    STORY_HEAD_MS = 200, /* silence before the first word of a scene */
    STORY_TAIL_MS = 350, /* after its last word, then up to a whole frame more */
    STORY_END_MS = 900,  /* more after the last scene, while the music fades */
    STORY_JSON_MAX = 4 << 20,
};

enum story_aspect { ASPECT_9_16, ASPECT_16_9, ASPECT_1_1 };
enum story_tier { TIER_BASIC, TIER_HD, TIER_PREMIUM };

struct story_settings {
    char lang[16];  /* BCP 47 of the narration */
    char voice[64]; /* engine's voice name, "" = the language's first */
    enum story_aspect aspect;
    enum story_tier tier;
    int seconds;     /* wanted; 0 = as long as the words take */
    int speed;       /* of the voice, percent of its own; 0 = 100 */
    char style[32];  /* look of captions and backdrops; "" = "clean" */
    char script[16]; /* how a writer tells it, one of story_scripts; "" = as it likes */
    char wish[STORY_WISH_MAX + 1]; /* the person's own words about how; "" = none */
    char music[16];                /* mood, "off", or "" = the script's mood */
    uint64_t seed;
    int64_t byte_limit; /* of the finished file; 0 = none */
};

struct scene {
    char id[16];     /* stable: "s1", "s2"... */
    char *narration; /* what is spoken and captioned */
    char *title;     /* on screen; may be NULL */
    char *terms[STORY_TERMS_MAX];
    size_t term_count;
    int pace; /* per cent of the settings' speed, so that the film gets its length; 0: as it is */
    /* SPEAK */
    struct {
        char *file; /* WAV, or NULL: not yet spoken */
        char engine[24];
        int duration_ms;
        struct speech_word *words; /* positions in narration; times from the start of the WAV */
        size_t word_count;
    } speech;
    /* FIND */
    struct footage footage; /* kind FOOTAGE_NONE: not yet found */
    struct footage second;  /* a long scene's, from its middle on; FOOTAGE_NONE: none */
    /* CUT: set by storyboard_cut once all scenes up to this one are spoken */
    struct {
        int first_frame, frames; /* frames 0: not yet cut */
        int start_ms; /* = start of the scene on the timeline; speech starts STORY_HEAD_MS later */
    } cut;
};

struct storyboard {
    struct story_settings settings;
    char *title;
    char *caption; /* of the post: a sentence, then hashtags; may be NULL */
    char mood[16];
    int own_lost; /* of the person's own files, how many could not be used */
    bool
        dub; /* the scenes are of a film in another language: WRITE says them in that of the settings
                 and keeps their pictures */
    bool fell_back; /* the topic is narrated as it is, because no writer was to be had */
    struct scene *scenes;
    size_t scene_count;
};

/* The styles and moods that settings may name, NULL-terminated. */
extern const char *const story_styles[];  /* clean, bold, neon, paper */
extern const char *const story_scripts[]; /* explainer, story, news, ... */
extern const char *const story_moods[]; /* calm, upbeat, dramatic, inspiring, mysterious, playful */

const char *story_aspect_name(enum story_aspect a); /* "9:16" */
bool story_aspect_parse(const char *text, enum story_aspect *ret);
const char *story_tier_name(enum story_tier t); /* "basic" */
bool story_tier_parse(const char *text, enum story_tier *ret);
/* Percent of the voice's own speed, never 0. */
int story_speed(const struct story_settings *s);
void story_size(enum story_aspect a, enum story_tier t, int *ret_width, int *ret_height);

/* Takes the writer's script over: scenes with ids, terms, title, mood. Blank scenes are dropped,
   too long ones split at sentences. ERR_INPUT "make.nothing_to_say" when nothing is left. */
bool storyboard_from_script(struct storyboard *s, const struct script *script,
                            const struct story_settings *settings, struct err *e);
/* (Re)computes cut for the leading scenes that are spoken: whole frames per scene, so that a scene's
   length never depends on the others. Returns how many scenes are cut. */
size_t storyboard_cut(struct storyboard *s);
/* Length of the film in frames once every scene is cut; 0 before. */
int storyboard_frames(const struct storyboard *s);

/* *ret_json is the caller's, to free(). */
bool storyboard_to_json(const struct storyboard *s, char **ret_json, struct err *e);
/* Refuses (ERR_INPUT, arg = field path such as "scenes[2].narration") what is missing, of a wrong
   type or out of bounds; unknown keys are ignored. len bytes, need not be NUL-terminated. */
bool storyboard_from_json(const char *json, size_t len, struct storyboard *ret, struct err *e);
void storyboard_free(struct storyboard *s);

#endif
