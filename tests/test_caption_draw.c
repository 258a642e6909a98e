/* Captions as pixels: inside the frame, lit in time, never moving, joined, literal, no boxes. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/strbuf.h"
#include "core/video/caption_draw.h"
#include "core/video/font.h"
#include "core/video/video.h"

enum { WORDS_MAX = 32, WORD_MS = 300, GREY = 90 };

/* A track of one page; '\n' in the text stays. Words are what stands between spaces. */
struct fixture {
    struct caption_page page;
    struct caption_track track;
    struct speech_word words[WORDS_MAX];
    char text[512];
};

static void fixture_init(struct fixture *f, const char *text, const char *lang, bool rtl)
{
    *f = (struct fixture){
        .track = {.page_count = 1, .rtl = rtl}
    };
    str_copy(f->text, sizeof(f->text), text);
    str_copy(f->track.lang, sizeof(f->track.lang), lang);
    size_t count = 0;
    for (size_t at = 0; f->text[at]; count++) {
        size_t len = strcspn(f->text + at, " \n");
        assert_true(count < WORDS_MAX);
        f->words[count] =
            (struct speech_word){at, len, (int)count * WORD_MS, (int)count * WORD_MS + WORD_MS};
        at += len;
        at += strspn(f->text + at, " \n");
    }
    f->page = (struct caption_page){.start_ms = 0,
                                    .end_ms = (int)count * WORD_MS,
                                    .text = f->text,
                                    .words = f->words,
                                    .word_count = count};
    f->track.pages = &f->page;
}

static AVFrame *frame_make(int w, int h, int luma)
{
    AVFrame *f = av_frame_alloc();
    assert_non_null(f);
    f->width = w;
    f->height = h;
    f->format = AV_PIX_FMT_YUV420P;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    memset(f->data[0], luma, (size_t)f->linesize[0] * (size_t)h);
    for (int c = 1; c < 3; c++)
        memset(f->data[c], 128, (size_t)f->linesize[c] * (size_t)(h / 2));
    return f;
}

static struct caption_draw *drawer(struct fixture *f, int w, int h, const char *style,
                                   const char *title)
{
    struct err e = {0};
    struct caption_draw *d = NULL;
    assert_true(caption_draw_create(w, h, style, f ? &f->track : NULL, title, &d, &e));
    return d;
}

static AVFrame *draw(struct caption_draw *d, int w, int h, int luma, int time_ms)
{
    struct err e = {0};
    AVFrame *frame = frame_make(w, h, luma);
    assert_true(caption_draw_frame(d, frame, time_ms, &e));
    return frame;
}

static int luma_at(const AVFrame *f, int x, int y)
{
    return f->data[0][(ptrdiff_t)y * f->linesize[0] + x];
}

/* Bounding box of pixels that are not as they were. */
static struct caption_box changed(const AVFrame *f, int luma)
{
    int x0 = f->width, x1 = -1, y0 = f->height, y1 = -1;
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            if (luma_at(f, x, y) != luma) {
                x0 = MIN(x0, x);
                x1 = MAX(x1, x);
                y0 = MIN(y0, y);
                y1 = MAX(y1, y);
            }
    return (struct caption_box){x0, y0, x1 - x0 + 1, y1 - y0 + 1};
}

static const struct {
    const char *lang, *text;
    bool rtl;
} samples[] = {
    {"en", "Whatever widths were\nguessed it mostly fits",       false},
    {"en", "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",       false},
    {"zh", "地球上的每个港口\n都知道这个节奏。", false},
    {"ar", "والبحر يجيب\nمرتين كل يوم",      true },
    {"th", "น้ำขึ้นน้ำลง",               false},
    {"en", "👩‍👩‍👧 🇫🇷 👍🏽 🧠",          false},
};
static const struct {
    int w, h;
    double bottom; /* share of the height that captions may reach */
} sizes[] = {
    {180, 320, 0.83},
    {320, 180, 0.97},
    {240, 240, 0.97}
};

static void captions_stay_inside_safe_margins(void **state)
{
    (void)state;
    for (size_t style = 0; story_styles[style]; style++)
        for (size_t k = 0; k < COUNT(sizes); k++)
            for (size_t i = 0; i < COUNT(samples); i++) {
                struct fixture f;
                fixture_init(&f, samples[i].text, samples[i].lang, samples[i].rtl);
                int w = sizes[k].w, h = sizes[k].h;
                struct caption_draw *d = drawer(&f, w, h, story_styles[style], NULL);
                AVFrame *frame = draw(d, w, h, GREY, 50);
                struct caption_box b = changed(frame, GREY);
                if (b.w < 20 || b.x < 2 || b.x + b.w > w - 2 || b.y < h / 2 ||
                    b.y + b.h > h * sizes[k].bottom)
                    fail_msg("%s %dx%d %s: %d,%d %dx%d", story_styles[style], w, h, samples[i].text,
                             b.x, b.y, b.w, b.h);
                av_frame_free(&frame);
                caption_draw_destroy(d);
            }
}

/* bt709, limited range, computed apart from the code under test. */
static void yuv_of(double r, double g, double b, double yuv[3])
{
    double y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    yuv[0] = 16 + 219 * y;
    yuv[1] = 128 + 224 * (b - y) / 1.8556;
    yuv[2] = 128 + 224 * (r - y) / 1.5748;
}

/* Pixels of this colour inside the box (chroma and luma close). */
static int count_colour(const AVFrame *f, const struct caption_box *b, const double yuv[3])
{
    int n = 0;
    for (int y = b->y; y < b->y + b->h; y++)
        for (int x = b->x; x < b->x + b->w; x++) {
            double d = fabs(luma_at(f, x, y) - yuv[0]);
            ptrdiff_t cx = x / 2, cy = y / 2;
            for (int c = 1; c < 3; c++)
                d = fmax(d, fabs(f->data[c][cy * f->linesize[c] + cx] - yuv[c]));
            n += d < 9;
        }
    return n;
}

static void the_spoken_word_is_lit_where_it_stands(void **state)
{
    static const struct {
        const char *lang, *text;
        bool rtl;
    } rows[] = {
        {"en", "moon pulls\nthe sea",                                       false},
        {"he", "הירח מושך\nאת הים",                            true },
        {"ar", "البحر كبير\nجدا هنا",                        true },
        {"hi", "चाँद पानी\nको खींचता",      false},
        {"ta", "நிலா நீரை\nஇழுக்கிறது", false},
        {"ja", "月が 海を\n引く",                                     false},
        {"ko", "달이 물을\n당긴다",                                  false},
    };
    (void)state;
    double gold[3], white[3];
    yuv_of(1, 0xD6 / 255.0, 0x0A / 255.0, gold);
    yuv_of(1, 1, 1, white);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        fixture_init(&f, rows[i].text, rows[i].lang, rows[i].rtl);
        struct caption_draw *d = drawer(&f, 360, 640, "clean", NULL);
        for (size_t lit = 0; lit < f.page.word_count; lit++) {
            AVFrame *frame = draw(d, 360, 640, GREY, (int)lit * WORD_MS);
            for (size_t k = 0; k < f.page.word_count; k++) {
                struct caption_box b;
                assert_true(caption_draw_word_box(d, (int)lit * WORD_MS, k, &b));
                int golden = count_colour(frame, &b, gold), plain = count_colour(frame, &b, white);
                if (k == lit ? golden <= 40 || plain > 0 : golden > 0 || plain <= 40)
                    fail_msg("%s: word %zu lit, word %zu has %d lit and %d plain", rows[i].lang,
                             lit, k, golden, plain);
            }
            av_frame_free(&frame);
        }
        caption_draw_destroy(d);
    }
}

static void lighting_a_word_moves_nothing(void **state)
{
    (void)state;
    for (size_t style = 0; story_styles[style]; style++) {
        struct fixture f;
        fixture_init(&f, "moon pulls\nthe sea", "en", false);
        struct caption_draw *d = drawer(&f, 360, 640, story_styles[style], NULL);
        struct caption_box first[WORDS_MAX];
        for (size_t k = 0; k < f.page.word_count; k++)
            assert_true(caption_draw_word_box(d, 0, k, &first[k]));
        AVFrame *before = draw(d, 360, 640, GREY, 0);
        AVFrame *after = draw(d, 360, 640, GREY, 3 * WORD_MS); /* "sea", the last word */
        for (size_t k = 0; k < f.page.word_count; k++) {
            struct caption_box b;
            assert_true(caption_draw_word_box(d, 3 * WORD_MS, k, &b));
            assert_memory_equal(&b, &first[k], sizeof(b));
        }
        /* The words between, and all around, are the same pixels. */
        const struct caption_box *the = &first[2];
        for (int y = the->y; y < the->y + the->h; y++)
            for (int x = the->x; x < the->x + the->w - 8; x++)
                assert_int_equal(luma_at(before, x, y), luma_at(after, x, y));
        struct caption_box a = changed(before, GREY), b = changed(after, GREY);
        assert_true(abs(a.y - b.y) < 16 && abs(a.h - b.h) < 24);
        av_frame_free(&before);
        av_frame_free(&after);
        caption_draw_destroy(d);
    }
}

/* Runs of columns with ink: parts that do not touch each other. */
static int count_parts(const AVFrame *f, const struct caption_box *b)
{
    int parts = 0;
    bool in_part = false;
    for (int x = b->x; x < b->x + b->w; x++) {
        bool ink = false;
        for (int y = b->y; y < b->y + b->h; y++)
            ink = ink || luma_at(f, x, y) > 70;
        parts += ink && !in_part;
        in_part = ink;
    }
    return parts;
}

static void arabic_stays_joined_and_runs_right_to_left(void **state)
{
    (void)state;
    /* Joined, the words have this many separate parts; unjoined one per letter. */
    static const int parts[] = {1, 1, 2, 1};
    struct fixture f;
    fixture_init(&f, "سيح كلمة انتظر قبل", "ar", true);
    struct caption_draw *d = drawer(&f, 1280, 720, "clean", NULL);
    AVFrame *masks[2] = {draw(d, 1280, 720, 16, 0), draw(d, 1280, 720, 16, WORD_MS)};
    int last_x = 1280;
    for (size_t k = 0; k < f.page.word_count; k++) {
        struct caption_box b;
        assert_true(caption_draw_word_box(d, 0, k, &b));
        assert_true(b.x + b.w <= last_x + 4); /* left of the word before */
        last_x = b.x;
        /* On black only letters are bright: the same letters, lit or not. */
        int differ = 0, ink = 0;
        for (int y = b.y; y < b.y + b.h; y++)
            for (int x = b.x; x < b.x + b.w; x++) {
                bool in = luma_at(masks[0], x, y) > 120;
                ink += in;
                differ += in != (luma_at(masks[1], x, y) > 120);
            }
        assert_true(ink > 100 && differ * 12 < ink);
        for (int m = 0; m < 2; m++)
            assert_int_equal(count_parts(masks[m], &b), parts[k]);
    }
    av_frame_free(&masks[0]);
    av_frame_free(&masks[1]);
    caption_draw_destroy(d);
}

/* Letters, vowel signs and conjuncts of a word hang on one line; unshaped they fall apart. */
static void devanagari_hangs_together(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "पानी हिन्दी क्षत्रिय", "hi", false);
    struct caption_draw *d = drawer(&f, 1280, 720, "clean", NULL);
    AVFrame *frame = draw(d, 1280, 720, 16, 0);
    for (size_t k = 0; k < f.page.word_count; k++) {
        struct caption_box b;
        assert_true(caption_draw_word_box(d, 0, k, &b));
        assert_int_equal(count_parts(frame, &b), 1);
    }
    av_frame_free(&frame);
    caption_draw_destroy(d);
}

static void mixed_directions_keep_their_order(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "مثل NASA في 2024", "ar", true);
    struct caption_draw *d = drawer(&f, 640, 360, "paper", NULL);
    struct caption_box b[4];
    for (size_t k = 0; k < 4; k++)
        assert_true(caption_draw_word_box(d, 0, k, &b[k]));
    for (size_t k = 1; k < 4; k++)
        assert_true(b[k].x + b[k].w <= b[k - 1].x + 2);
    caption_draw_destroy(d);
}

/* Box of the only word of a text, 640x360. */
static struct caption_box box_of(const char *text)
{
    struct fixture f;
    struct caption_box b = {0};
    fixture_init(&f, text, "en", false);
    struct caption_draw *d = drawer(&f, 640, 360, "clean", NULL);
    assert_true(caption_draw_word_box(d, 0, 0, &b));
    caption_draw_destroy(d);
    return b;
}

static void markup_is_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *without, *why;
    } rows[] = {
        {"{\\b0}word",    "word",  "an override tag is shown, not obeyed"},
        {"{word}",        "word",  "braces are shown"                    },
        {"\\word",        "word",  "a backslash is shown"                },
        {"wo\\Nrd",       "word",  "no line break"                       },
        {"wo\\hrd",       "word",  "no hard space"                       },
        {"wo\\{rd",       "wo{rd", "backslash before brace"              },
        {"{\\p1}m{\\p0}", "m",     "no drawing"                          },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct caption_box with = box_of(rows[i].text), without = box_of(rows[i].without);
        if (with.w < without.w + 6 || with.h > 60)
            fail_msg("%s: %dx%d against %dx%d", rows[i].why, with.w, with.h, without.w, without.h);
    }
}

static void what_no_font_covers_is_left_out(void **state)
{
    (void)state;
    const struct font_list *list = font_list_get("en");
    static const char private_use[] = "\xF4\x8F\xBF\xBD"; /* U+10FFFD */
    assert_null(font_for_cluster(list, private_use, 4, NULL));
    assert_non_null(font_for_cluster(list, "a", 1, NULL));
    struct caption_box plain = box_of("water"), holed = box_of("wat\xF4\x8F\xBF\xBD"
                                                               "er");
    assert_int_equal(plain.w, holed.w);
    assert_int_equal(plain.h, holed.h);
}

static void emoji_are_pictures(void **state)
{
    (void)state;
    static const char *const shown[] = {"😀",    "👨‍🚀", "🇫🇷",    "👍🏽",
                                        "🧠", "1️⃣",     "☀️"};
    enum { SIZE = 48 };
    for (size_t i = 0; i < COUNT(shown); i++) {
        uint8_t px[SIZE * SIZE * 4];
        assert_true(font_is_emoji(shown[i], strlen(shown[i])));
        assert_true(font_emoji_draw(shown[i], strlen(shown[i]), SIZE, px));
        int solid = 0, coloured = 0;
        for (int k = 0; k < SIZE * SIZE; k++) {
            const uint8_t *p = px + 4 * (size_t)k;
            solid += p[3] > 200;
            coloured += p[3] > 200 && abs(p[0] - p[2]) > 40;
        }
        assert_true(solid > SIZE * SIZE / 5);
        assert_true(coloured > SIZE * SIZE / 25);
    }
    assert_false(font_is_emoji("1", 1));
    assert_false(font_is_emoji("a", 1));
    /* In a caption: its colours are on the frame, inside its word. */
    struct fixture f;
    fixture_init(&f, "day 😀", "en", false);
    struct caption_draw *d = drawer(&f, 640, 360, "clean", NULL);
    struct caption_box b;
    assert_true(caption_draw_word_box(d, 0, 1, &b));
    AVFrame *frame = draw(d, 640, 360, GREY, 0);
    int yellow = 0;
    for (int y = b.y / 2; y < (b.y + b.h) / 2; y++)
        for (int x = b.x / 2; x < (b.x + b.w) / 2; x++)
            yellow += frame->data[1][(ptrdiff_t)y * frame->linesize[1] + x] < 90;
    assert_true(yellow * 4 > b.w * b.h / 4);
    av_frame_free(&frame);
    caption_draw_destroy(d);
}

static void titles_come_and_go(void **state)
{
    (void)state;
    struct caption_draw *d = drawer(NULL, 180, 320, "clean", "潮汐是怎么来的");
    int last = 0;
    for (int t = 0; t <= 200; t += 50) { /* fading in */
        AVFrame *frame = draw(d, 180, 320, 16, t);
        int brightest = 0;
        for (int y = 0; y < 320; y++)
            for (int x = 0; x < 180; x++)
                brightest = MAX(brightest, luma_at(frame, x, y));
        assert_true(brightest > last);
        last = brightest;
        av_frame_free(&frame);
    }
    AVFrame *there = draw(d, 180, 320, GREY, 1200);
    struct caption_box b = changed(there, GREY);
    assert_true(b.w > 60 && b.x > 2 && b.x + b.w < 178 && b.y > 15 && b.y + b.h < 110);
    AVFrame *gone = draw(d, 180, 320, GREY, CAPTION_TITLE_MS);
    assert_true(changed(gone, GREY).w <= 0);
    av_frame_free(&there);
    av_frame_free(&gone);
    caption_draw_destroy(d);
}

static void styles_differ_and_read_on_any_ground(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "moon pulls", "en", false);
    double means[8];
    for (size_t style = 0; story_styles[style]; style++) {
        struct caption_draw *d = drawer(&f, 320, 180, story_styles[style], NULL);
        means[style] = 0;
        for (int ground = 16; ground <= 235; ground += 73) {
            AVFrame *frame = draw(d, 320, 180, ground, 0);
            struct caption_box b;
            assert_true(caption_draw_word_box(d, 0, 1, &b));
            int low = 255, high = 0;
            for (int y = b.y - 2; y < b.y + b.h + 2; y++)
                for (int x = b.x - 2; x < b.x + b.w + 2; x++) {
                    low = MIN(low, luma_at(frame, x, y));
                    high = MAX(high, luma_at(frame, x, y));
                    means[style] += luma_at(frame, x, y);
                }
            assert_true(high - low > 110); /* letters against what surrounds them */
            av_frame_free(&frame);
        }
        for (size_t other = 0; other < style; other++)
            assert_true(fabs(means[style] - means[other]) > 0.01 * means[style]);
        caption_draw_destroy(d);
    }
}

static void nothing_to_draw_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "moon", "en", false);
    f.page.start_ms = 500;
    f.page.end_ms = 900;
    struct caption_draw *d = drawer(&f, 180, 320, "no such style", "");
    static const int times[] = {0, 499, 900, 5000};
    for (size_t i = 0; i < COUNT(times); i++) {
        AVFrame *frame = draw(d, 180, 320, GREY, times[i]);
        assert_true(changed(frame, GREY).w <= 0);
        av_frame_free(&frame);
    }
    struct err e = {0};
    AVFrame *wrong = frame_make(182, 320, GREY);
    assert_false(caption_draw_frame(d, wrong, 0, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
    av_frame_free(&wrong);
    caption_draw_destroy(d);
    caption_draw_destroy(NULL);
}

static void *draw_in_thread(void *arg)
{
    struct fixture f;
    fixture_init(&f, "تسع 潮汐 sea 😀", "ar", true);
    struct caption_draw *d = drawer(&f, 320, 180, "neon", "潮汐");
    *(AVFrame **)arg = draw(d, 320, 180, GREY, 700);
    caption_draw_destroy(d);
    return NULL;
}

static void threads_draw_the_same(void **state)
{
    (void)state;
    pthread_t threads[4];
    AVFrame *frames[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw_in_thread, &frames[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        assert_non_null(frames[i]);
        for (int y = 0; i > 0 && y < 180; y++)
            assert_memory_equal(frames[0]->data[0] + (ptrdiff_t)y * frames[0]->linesize[0],
                                frames[i]->data[0] + (ptrdiff_t)y * frames[i]->linesize[0], 320);
    }
    for (int i = 0; i < 4; i++)
        av_frame_free(&frames[i]);
}

static void fonts_are_checked_by_language(void **state)
{
    (void)state;
    static const char *const fine[] = {"en", "zh", "ar", "de", "ru",
                                       "ja", "ko", "hi", "th", "emoji"};
    struct err e = {0};
    for (size_t i = 0; i < COUNT(fine); i++)
        if (!video_font_check(fine[i], &e))
            fail_msg("%s: %s", fine[i], e.detail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captions_stay_inside_safe_margins),
        cmocka_unit_test(the_spoken_word_is_lit_where_it_stands),
        cmocka_unit_test(lighting_a_word_moves_nothing),
        cmocka_unit_test(arabic_stays_joined_and_runs_right_to_left),
        cmocka_unit_test(devanagari_hangs_together),
        cmocka_unit_test(mixed_directions_keep_their_order),
        cmocka_unit_test(markup_is_text),
        cmocka_unit_test(what_no_font_covers_is_left_out),
        cmocka_unit_test(emoji_are_pictures),
        cmocka_unit_test(titles_come_and_go),
        cmocka_unit_test(styles_differ_and_read_on_any_ground),
        cmocka_unit_test(nothing_to_draw_changes_nothing),
        cmocka_unit_test(threads_draw_the_same),
        cmocka_unit_test(fonts_are_checked_by_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
