/* Music beds, measured: level, spectrum, steadiness, clicks, repeatability. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/story/storyboard.h"
#include "core/video/music.h"
#include "core/video/music_priv.h"

enum { SECONDS = 16, SAMPLES = SECONDS * MUSIC_RATE };

static float *render(const char *mood, uint64_t seed, size_t step)
{
    struct err e = {0};
    struct music *m = NULL;
    float *lr = malloc(sizeof(float) * 2 * SAMPLES);
    assert_non_null(lr);
    assert_true(music_create(mood, seed, SAMPLES, &m, &e));
    for (size_t at = 0; at < SAMPLES; at += step)
        music_render(m, lr + 2 * at, MIN(step, SAMPLES - at));
    music_destroy(m);
    return lr;
}

static double power(const float *lr, int from, int to)
{
    double sum = 0;
    for (int i = 2 * from; i < 2 * to; i++)
        sum += (double)lr[i] * lr[i];
    return sum / (2.0 * (to - from));
}

/* Power left after a high pass. */
static double power_above(const float *lr, double hz)
{
    struct biquad f[2] = {biquad_high_pass(MUSIC_RATE, hz, 0.54),
                          biquad_high_pass(MUSIC_RATE, hz, 1.31)};
    double sum = 0;
    for (int i = 0; i < SAMPLES; i++) {
        double x = biquad_step(&f[1], 0, biquad_step(&f[0], 0, lr[2 * i]));
        sum += x * x;
    }
    return sum / SAMPLES;
}

static double db(double p)
{
    return 10 * log10(p + 1e-12);
}

static void every_mood_is_a_full_steady_sound(void **state)
{
    (void)state;
    for (size_t k = 0; story_moods[k]; k++) {
        float *lr = render(story_moods[k], 11, SAMPLES);
        double mean[2] = {0}, peak = 0, step = 0, cross = 0, own = 0;
        for (int i = 0; i < SAMPLES; i++) {
            for (int c = 0; c < 2; c++) {
                double x = lr[2 * i + c];
                assert_true(isfinite(x));
                mean[c] += x / SAMPLES;
                peak = fmax(peak, fabs(x));
                step = i ? fmax(step, fabs(x - lr[2 * i - 2 + c])) : step;
            }
            cross += (double)lr[2 * i] * lr[2 * i + 1];
            own += ((double)lr[2 * i] * lr[2 * i] + (double)lr[2 * i + 1] * lr[2 * i + 1]) / 2;
        }
        double all = db(power(lr, 0, SAMPLES));
        assert_true(fabs(mean[0]) < 0.001 && fabs(mean[1]) < 0.001); /* no DC */
        assert_true(peak < 0.95 && peak > 0.2);
        assert_true(all > -26 && all < -14);
        assert_true(step < 0.35);        /* no click: a jump within one sample */
        assert_true(cross / own < 0.98); /* left and right differ */
        assert_true(cross / own > 0);    /* and survive a mono phone */
        /* Second by second it breathes, but never drops out or jumps. */
        for (int s = 1; s + 2 < SECONDS; s++) {
            double here = db(power(lr, s * MUSIC_RATE, (s + 1) * MUSIC_RATE));
            assert_true(fabs(here - all) < 6);
        }
        /* Warm, but with something for small loudspeakers. */
        double body = db(power_above(lr, 250)), air = db(power_above(lr, 3000));
        assert_true(body > all - 9);
        assert_true(air > all - 42 && air < all - 10);
        free(lr);
    }
}

static void same_seed_same_music(void **state)
{
    (void)state;
    float *a = render("upbeat", 5, SAMPLES), *b = render("upbeat", 5, 1000);
    float *c = render("upbeat", 6, SAMPLES), *d = render("calm", 5, SAMPLES);
    assert_memory_equal(a, b, sizeof(float) * 2 * SAMPLES); /* whatever the block size */
    assert_memory_not_equal(a, c, sizeof(float) * 2 * SAMPLES);
    assert_memory_not_equal(a, d, sizeof(float) * 2 * SAMPLES);
    float *e = render("no such mood", 5, SAMPLES);
    assert_memory_equal(d, e, sizeof(float) * 2 * SAMPLES);
    free(a);
    free(b);
    free(c);
    free(d);
    free(e);
}

static struct music *scored(const char *mood, uint64_t seed)
{
    struct err e = {0};
    struct music *m = NULL;
    assert_true(music_create(mood, seed, SAMPLES, &m, &e));
    return m;
}

static double beat_of(const struct music *m, int64_t sample)
{
    return (double)sample / MUSIC_RATE * m->bpm / 60;
}

static void bars_fill_the_film_and_notes_sit_on_the_grid(void **state)
{
    (void)state;
    for (size_t k = 0; story_moods[k]; k++)
        for (uint64_t seed = 0; seed < 8; seed++) {
            struct music *m = scored(story_moods[k], seed);
            double end = (double)score_bar_start(m, m->bars) / MUSIC_RATE;
            assert_true(fabs(end - SECONDS) < 0.75);
            while (m->next_bar < m->bars) {
                m->note_count = 0;
                m->at = score_bar_start(m, m->next_bar);
                score_bar(m);
                assert_true(m->note_count > 0 && m->note_count < NOTES_MAX);
                for (size_t i = 0; i < m->note_count; i++) {
                    double sixteenth = beat_of(m, m->notes[i].start) * 4;
                    double off = fabs(sixteenth - floor(sixteenth + 0.5));
                    double swung = fabs(off - m->mood->swing);
                    assert_true(fmin(off, swung) < 0.06); /* a few ms of a human hand */
                }
            }
            music_destroy(m);
        }
}

/* Pads and bass play only tones of the bar's chord; the film ends on the tonic. */
static void harmony_is_the_progression(void **state)
{
    (void)state;
    for (size_t k = 0; story_moods[k]; k++) {
        struct music *m = scored(story_moods[k], 3);
        for (int bar = 0; bar < m->bars; bar++) {
            m->note_count = 0;
            m->at = score_bar_start(m, bar);
            score_bar(m);
            const struct chord *chord = &m->chords[bar % 4];
            bool last = bar == m->bars - 1;
            for (size_t i = 0; i < m->note_count; i++) {
                const struct note *n = &m->notes[i];
                if (n->inst != INST_PAD && n->inst != INST_BASS)
                    continue;
                int key = (int)lrint(69 + 12 * log2(n->step * MUSIC_RATE / 440.0));
                int above = ((key - m->tonic) % 12 + 12) % 12;
                if (last && n->inst == INST_BASS) {
                    assert_int_equal(above, 0);
                    continue;
                }
                bool fits = last || (above - chord->root + 12) % 12 == 7; /* the bass's fifth */
                for (int t = 0; t < chord->count; t++)
                    fits = fits || (chord->root + chord->tones[t]) % 12 == above;
                assert_true(fits);
            }
        }
        music_destroy(m);
    }
}

static void short_films_work(void **state)
{
    (void)state;
    static const int64_t lengths[] = {1, 479, 48000, 96000};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct err e = {0};
        struct music *m = NULL;
        float block[2 * 1000];
        assert_true(music_create("dramatic", 1, lengths[i], &m, &e));
        for (int k = 0; k < 10; k++) {
            music_render(m, block, 1000);
            for (int s = 0; s < 2000; s++)
                assert_true(fabsf(block[s]) < 1);
        }
        music_destroy(m);
    }
    music_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mood_is_a_full_steady_sound),
        cmocka_unit_test(same_seed_same_music),
        cmocka_unit_test(bars_fill_the_film_and_notes_sit_on_the_grid),
        cmocka_unit_test(harmony_is_the_progression),
        cmocka_unit_test(short_films_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
