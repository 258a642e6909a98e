#include <math.h>

#include "core/video/music_priv.h"

enum { STEPS = 16, REST = -128 };

static const int8_t major_scale[] = {0, 2, 4, 7, 9}; /* pentatonic: never wrong over the chords */
static const int8_t minor_scale[] = {0, 3, 5, 7, 10};

static double key_hz(double key)
{
    return 440.0 * exp2((key - 69) / 12);
}

/* Bars come out whole: the tempo gives way by a few percent, so that the last chord is the end of
   the film. */
void score_begin(struct music *m)
{
    const struct mood *mood = m->mood;
    m->tonic = 48 + rng_below(&m->rng, 12);
    double bpm = rng_range(&m->rng, mood->bpm_low, mood->bpm_high);
    double bar_seconds = 240 / bpm;
    double seconds = (double)m->total / MUSIC_RATE;
    m->bars = MAX(1, (int)lrint(seconds / bar_seconds));
    m->bpm = 240.0 * m->bars / MAX(seconds, 0.5);
    m->bpm = CLAMP(m->bpm, mood->bpm_low * 0.9, mood->bpm_high * 1.1);
    m->chords = mood->progressions[rng_below(&m->rng, (int)mood->progression_count)];
    /* A motif of a few notes that moves by steps; bars repeat and vary it. */
    int place = rng_below(&m->rng, 5);
    for (int i = 0; i < STEPS; i++) {
        bool sounds = i == 0 || (i % 2 == 0 && rng_unit(&m->rng) < (i % 4 == 0 ? 0.5 : 0.3));
        m->motif[i] = REST;
        if (!sounds || i > 12)
            continue;
        m->motif[i] = place;
        place = CLAMP(place + rng_below(&m->rng, 3) - 1 + (place < 1) - (place > 5), 0, 6);
    }
    double eighth = 60 / m->bpm / 2;
    m->delay.length = (size_t)CLAMP(eighth * 3 * MUSIC_RATE / 2, 4800, DELAY_MAX - 1);
}

int64_t score_bar_start(const struct music *m, int bar)
{
    return llrint(bar * 240.0 / m->bpm * MUSIC_RATE);
}

static void play(struct music *m, enum instrument inst, int64_t start, double length_s, double key,
                 double amp, double pan)
{
    if (m->note_count == NOTES_MAX)
        return;
    struct note *n = &m->notes[m->note_count++];
    *n = (struct note){
        .inst = inst,
        .start = MAX(start, m->at),
        .gate = llrint(length_s * MUSIC_RATE),
        .step = (float)(key_hz(key) / MUSIC_RATE),
        .amp = (float)amp,
        .pan = (float)pan,
        .noise = (uint32_t)rng_next(&m->rng) | 1,
    };
    for (size_t i = 0; i < COUNT(n->phase); i++)
        n->phase[i] = inst == INST_PAD ? (float)rng_unit(&m->rng) : 0;
}

/* A key of this pitch class in [low, low + 12). */
static int key_near(int key, int low)
{
    return low + (((key - low) % 12) + 12) % 12;
}

static const struct chord *bar_chord(const struct music *m, int bar)
{
    static const struct chord end_major =
                                  {
                                      0, 4, {0, 4, 7, 14}
    },
                              end_minor = {0, 4, {0, 3, 7, 14}};
    if (bar == m->bars - 1 && m->bars > 2)
        return m->mood->minor ? &end_minor : &end_major;
    return &m->chords[bar % 4];
}

struct bar {
    int index;
    int64_t start;
    double step_s; /* a sixteenth */
    const struct chord *chord;
    bool last;
    int build; /* 0 pad only .. 3 everything */
};

static int64_t step_time(struct music *m, const struct bar *b, int step)
{
    double swing = step % 2 ? m->mood->swing : 0;
    double human = rng_range(&m->rng, -0.004, 0.004);
    return b->start + llrint(((step + swing) * b->step_s + (step ? human : 0)) * MUSIC_RATE);
}

/* Every tone in the same window of keys: neighbouring chords move by small steps. */
static void write_pad(struct music *m, const struct bar *b)
{
    double length = STEPS * b->step_s * (b->last ? 1.0 : 1.02);
    for (int i = 0; i < b->chord->count; i++) {
        int key = key_near(m->tonic + b->chord->root + b->chord->tones[i], 55);
        double pan = (i - (b->chord->count - 1) / 2.0) * 0.35;
        play(m, INST_PAD, b->start, length, key, 0.046 * m->mood->pad, pan);
    }
    int root = key_near(m->tonic + b->chord->root, 43);
    play(m, INST_PAD, b->start, length, root, 0.030 * m->mood->pad, 0);
}

static void write_bass(struct music *m, const struct bar *b)
{
    int root = key_near(m->tonic + b->chord->root, 33);
    for (int i = 0; i < STEPS; i++) {
        char c = m->mood->bass_rhythm[i];
        if (c == '.' || (b->last && i > 0))
            continue;
        int len = 1;
        while (i + len < STEPS && m->mood->bass_rhythm[i + len] == '.')
            len++;
        int key = root + (c == '5' ? 7 : c == '8' ? 12 : 0);
        double amp = (i == 0 ? 0.20 : 0.17) * m->mood->bass;
        play(m, INST_BASS, step_time(m, b, i), (b->last ? STEPS : len) * b->step_s * 0.92, key, amp,
             0);
    }
}

static void write_arp(struct music *m, const struct bar *b)
{
    int low = m->mood->arp == INST_BELL || m->mood->arp == INST_MALLET ? 69 : 63;
    bool thin = b->build < 2; /* on the way in and out only every other note */
    for (int i = 0; i < STEPS; i++) {
        char c = m->mood->arp_rhythm[i];
        double chance = rng_unit(&m->rng), velocity = rng_range(&m->rng, 0.8, 1.05);
        if (c == '.' || (thin && i % 4 != 0) || chance < 0.06 || (b->last && i > 4))
            continue;
        int tone = c - '0';
        int key = m->tonic + b->chord->root + b->chord->tones[tone % b->chord->count];
        key = key_near(key, low) + (tone >= b->chord->count ? 12 : 0);
        double accent = i % 4 == 0 ? 1.0 : 0.78;
        double pan = 0.45 * sin(i * 1.7 + b->index);
        play(m, m->mood->arp, step_time(m, b, i), b->step_s * 1.8, key,
             0.165 * m->mood->pluck * accent * velocity, pan);
    }
}

/* The motif: said, answered, said again, then left to rest. */
static void write_lead(struct music *m, const struct bar *b)
{
    if (b->build < 3 || b->last || b->index % 4 == 3)
        return;
    const int8_t *scale = m->mood->minor ? minor_scale : major_scale;
    for (int i = 0; i < STEPS; i++) {
        int place = m->motif[i];
        if (place == REST || (b->index % 4 == 1 && i > 8))
            continue;
        place += b->index % 4 == 2 && i >= 8; /* the answer ends a step higher */
        int key = m->tonic + scale[place % 5] + 12 * (place / 5) + 24;
        while (key > 86)
            key -= 12;
        play(m, m->mood->lead, step_time(m, b, i), b->step_s * 3, key,
             0.105 * m->mood->pluck * rng_range(&m->rng, 0.85, 1.0), 0.2);
    }
}

static double step_level(const char *rhythm, int step)
{
    return rhythm[step] == '.' ? 0 : (rhythm[step] - '0') / 9.0;
}

static void write_drums(struct music *m, const struct bar *b)
{
    const struct mood *mood = m->mood;
    bool breath = b->index % 8 == 7; /* no low drum before a new round */
    for (int i = 0; i < STEPS; i++) {
        double kick = step_level(mood->kick, i), snap = step_level(mood->snap, i);
        double shaker = step_level(mood->shaker, i);
        double human = rng_range(&m->rng, 0.85, 1.05);
        if (kick > 0 && b->build >= 2 && !(breath && i > 0))
            play(m, mood->drum, step_time(m, b, i), 0.1, 60, 0.32 * kick * mood->perc, 0);
        if (snap > 0 && b->build >= 3)
            play(m, i % 4 == 3 ? INST_RIM : INST_SNAP, step_time(m, b, i), 0.1, 60,
                 0.30 * snap * mood->perc * human, -0.15);
        if (shaker > 0 && b->build >= 2)
            play(m, INST_SHAKER, step_time(m, b, i), 0.1, 60, 0.26 * shaker * mood->perc * human,
                 0.3);
    }
}

void score_bar(struct music *m)
{
    int bar = m->next_bar++;
    if (bar >= m->bars)
        return;
    struct bar b = {
        .index = bar,
        .start = score_bar_start(m, bar),
        .step_s = 15 / m->bpm,
        .chord = bar_chord(m, bar),
        .last = bar == m->bars - 1 && m->bars > 2,
        .build = MIN(3, (bar + 2) / 2),
    };
    if (bar >= 8 && bar % 8 < 2 && bar + 4 < m->bars)
        b.build = 2; /* each round starts a little lighter */
    if (b.last)
        b.build = 1;
    write_pad(m, &b);
    write_bass(m, &b);
    write_arp(m, &b);
    write_lead(m, &b);
    if (!b.last)
        write_drums(m, &b);
}
