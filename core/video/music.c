#include "core/video/music.h"

#include <math.h>

#include "core/video/music_priv.h"

bool music_create(const char *mood, uint64_t seed, int64_t total, struct music **ret, struct err *e)
{
    struct music *m = calloc(1, sizeof(*m));
    if (!m)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "music: out of memory");
    m->mood = mood_find(mood);
    m->rng = rng_make(seed, 0x6D75736963); /* a stream of its own */
    m->total = total;
    waves_make(&m->waves, m->mood->bright);
    m->low_cut = biquad_high_pass(MUSIC_RATE, 34, 0.707);
    m->voice_room = biquad_peak(MUSIC_RATE, 2200, 0.7, -3);
    m->air = biquad_high_shelf(MUSIC_RATE, 5000, 5);
    score_begin(m);
    *ret = m;
    return true;
}

void music_destroy(struct music *m)
{
    free(m);
}

/* The sum of one block before effects, and what goes into them. */
struct bus {
    float dry[2][MUSIC_BLOCK], verb[2][MUSIC_BLOCK], delay[2][MUSIC_BLOCK];
};

static void add_to_bus(struct bus *bus, const struct note *n, const float *left, const float *right,
                       size_t offset, size_t count)
{
    float verb = inst_reverb(n->inst), delay = inst_delay(n->inst);
    for (size_t i = 0; i < count; i++) {
        bus->dry[0][offset + i] += left[i];
        bus->dry[1][offset + i] += right[i];
        bus->verb[0][offset + i] += verb * left[i];
        bus->verb[1][offset + i] += verb * right[i];
        bus->delay[0][offset + i] += delay * left[i];
        bus->delay[1][offset + i] += delay * right[i];
    }
}

static void play_notes(struct music *m, struct bus *bus, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->note_count; i++) {
        struct note *n = &m->notes[i];
        bool lives = true;
        if (n->start < m->at + (int64_t)count) {
            size_t offset = n->start > m->at ? (size_t)(n->start - m->at) : 0;
            float left[MUSIC_BLOCK] = {0}, right[MUSIC_BLOCK] = {0};
            lives = note_render(n, &m->waves, left, right, count - offset);
            add_to_bus(bus, n, left, right, offset, count - offset);
        }
        if (lives)
            m->notes[kept++] = *n;
    }
    m->note_count = kept;
}

/* Straight up to about half, then bent: what is left of peaks never passes 1. */
static float soft_limit(double x)
{
    double a = fabs(x);
    if (a <= 0.5)
        return (float)x;
    return (float)copysign(0.5 + 0.45 * tanh((a - 0.5) / 0.45), x);
}

/* Always whole blocks: where a faint note is let go must not depend on how the caller asks. */
static void render_block(struct music *m, float *lr)
{
    const size_t count = MUSIC_BLOCK;
    while (m->next_bar < m->bars &&
           score_bar_start(m, m->next_bar) <= m->at + (int64_t)count + MUSIC_RATE / 50)
        score_bar(m);
    struct bus bus = {0};
    play_notes(m, &bus, count);
    float echo[2][MUSIC_BLOCK] = {0};
    delay_run(&m->delay, bus.delay[0], bus.delay[1], echo[0], echo[1], count);
    for (int c = 0; c < 2; c++)
        for (size_t i = 0; i < count; i++) {
            bus.dry[c][i] += echo[c][i];
            bus.verb[c][i] += 0.3f * echo[c][i];
        }
    reverb_run(&m->reverb, bus.verb[0], bus.verb[1], bus.dry[0], bus.dry[1], count,
               (float)m->mood->reverb);
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < 2; c++) {
            double x = biquad_step(&m->low_cut, c, bus.dry[c][i]);
            x = biquad_step(&m->air, c, biquad_step(&m->voice_room, c, x));
            lr[2 * i + (size_t)c] = soft_limit(x);
        }
    m->at += (int64_t)count;
}

void music_render(struct music *m, float *ret_lr, size_t count)
{
    while (count) {
        if (m->ready_at == MUSIC_BLOCK || m->at == 0) {
            render_block(m, m->ready);
            m->ready_at = 0;
        }
        size_t part = MIN(count, MUSIC_BLOCK - m->ready_at);
        memcpy(ret_lr, m->ready + 2 * m->ready_at, 2 * part * sizeof(float));
        m->ready_at += part;
        ret_lr += 2 * part;
        count -= part;
    }
}
