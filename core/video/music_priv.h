/*
 * music_priv - what the music files share: mood tables, score, instruments, effects.
 */
#ifndef NANOTIK_VIDEO_MUSIC_PRIV_H
#define NANOTIK_VIDEO_MUSIC_PRIV_H

#include "core/base/base.h"
#include "core/base/rng.h"
#include "core/video/music.h"

enum {
    MUSIC_RATE = 48000,
    MUSIC_BLOCK = 480, /* samples rendered at a time */
    NOTES_MAX = 192,
    CHORD_TONES = 5,
    WAVE_SIZE = 2048,
};

/* --- moods --- */

struct chord {
    int8_t root; /* semitones above the tonic */
    int8_t count;
    int8_t tones[CHORD_TONES]; /* above the root */
};

enum instrument {
    INST_PAD,
    INST_BASS,
    INST_KEYS,  /* soft electric piano */
    INST_PLUCK, /* muted string */
    INST_MALLET,
    INST_BELL,
    INST_KICK,
    INST_SHAKER,
    INST_SNAP,
    INST_RIM,
    INST_BOOM, /* low drum */
    INST_COUNT,
};

struct mood {
    const char *name;
    double bpm_low, bpm_high;
    double swing; /* 0 straight .. 0.33 triplet */
    bool minor;
    const struct chord (*progressions)[4];
    size_t progression_count;
    enum instrument arp, lead;
    const char *arp_rhythm;                /* 16 steps: digit = chord tone, '.' = rest */
    const char *bass_rhythm;               /* 16 steps: 1 root, 5 fifth, 8 octave */
    const char *kick, *snap, *shaker;      /* 16 steps: 1-9 loudness */
    enum instrument drum;                  /* the low drum used for `kick` */
    double bright;                         /* of pad and plucks, 0..1 */
    double pad, pluck, bass, perc, reverb; /* levels */
};

const struct mood *mood_find(const char *name);

/* --- notes --- */

struct note {
    enum instrument inst;
    int64_t start; /* sample on the timeline */
    int64_t gate;  /* samples until release */
    int64_t age;   /* samples rendered */
    float step;    /* cycles per sample */
    float amp, pan;
    float phase[4];
    float filter[4];
    uint32_t noise;
};

struct waves {
    float sine[WAVE_SIZE + 1];
    float soft[WAVE_SIZE + 1];   /* few harmonics */
    float bright[WAVE_SIZE + 1]; /* more of them */
};

void waves_make(struct waves *w, double bright);
/* Adds up to MUSIC_BLOCK samples of the note to left and right; false once it has died away. */
bool note_render(struct note *n, const struct waves *w, float *left, float *right, size_t count);
/* Share of an instrument that goes to reverb and delay. */
float inst_reverb(enum instrument inst);
float inst_delay(enum instrument inst);

/* --- effects --- */

enum { VERB_LINES = 8, VERB_MAX = 4096, DELAY_MAX = 48000, DIFFUSE_MAX = 1024 };

struct reverb {
    float line[VERB_LINES][VERB_MAX];
    float diffuse[2][2][DIFFUSE_MAX];
    float damp[VERB_LINES];
    size_t at;
};
void reverb_run(struct reverb *r, const float *in_left, const float *in_right, float *left,
                float *right, size_t count, float level);

struct delay {
    float left[DELAY_MAX], right[DELAY_MAX];
    size_t at, length;
    float damp[2];
};
void delay_run(struct delay *d, const float *in_left, const float *in_right, float *left,
               float *right, size_t count);

struct biquad {
    double b0, b1, b2, a1, a2;
    double z[2][2]; /* per channel */
};
struct biquad biquad_high_pass(double rate, double hz, double q);
struct biquad biquad_peak(double rate, double hz, double q, double db);
struct biquad biquad_high_shelf(double rate, double hz, double db);
double biquad_step(struct biquad *b, int channel, double x);

/* --- score --- */

struct music {
    const struct mood *mood;
    struct rng rng;
    struct waves waves;
    int tonic; /* MIDI key, 48..59 */
    double bpm;
    int bars;
    int64_t total, at;
    int next_bar; /* to be written */
    const struct chord *chords;
    int motif[16]; /* scale steps, -128 = rest */
    struct note notes[NOTES_MAX];
    size_t note_count;
    struct reverb reverb;
    struct delay delay;
    struct biquad low_cut, voice_room, air;
    float ready[2 * MUSIC_BLOCK]; /* rendered; handed out from ready_at */
    size_t ready_at;
};

void score_begin(struct music *m);
int64_t score_bar_start(const struct music *m, int bar);
/* Writes the notes of m->next_bar. */
void score_bar(struct music *m);

#endif
