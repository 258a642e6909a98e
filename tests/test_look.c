/* Pictures that look alike: which are, and that a film avoids them while it can. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/video/video.h"
#include "tests/fixture_tools.h"
#include "tests/fixture_video.h"

/* --- the look --- */

static uint64_t look(const char *name, int64_t at_ms)
{
    struct err e = {0};
    uint64_t got = 1;
    if (!video_look(fixture_video_path(name), at_ms, NULL, &got, &e))
        fail_msg("%s: %s", name, e.detail);
    return got;
}

static void same_picture_in_other_clothes(void **state)
{
    (void)state;
    fixture_video_make("-f lavfi -i testsrc=size=1280x720:rate=5:duration=2 -c:v libx264 "
                       "-preset ultrafast -crf 20 -pix_fmt yuv420p a.mp4");
    fixture_video_make("-i a.mp4 -vf scale=480:270 -c:v libx264 -preset ultrafast -crf 40 b.mp4");
    fixture_video_make("-i a.mp4 -vf eq=brightness=0.05:contrast=1.1 -c:v libx264 -preset "
                       "ultrafast c.mp4");
    fixture_video_make("-i a.mp4 -vf hflip -c:v libx264 -preset ultrafast d.mp4");
    fixture_video_make("-f lavfi -i mandelbrot=size=640x360:rate=5 -t 2 -c:v libx264 -preset "
                       "ultrafast -pix_fmt yuv420p m.mp4");
    fixture_video_make("-f lavfi -i color=black:size=640x360:rate=5 -t 2 -c:v libx264 -preset "
                       "ultrafast -pix_fmt yuv420p black.mp4");
    fixture_video_make("-i a.mp4 -frames:v 1 -q:v 3 a.jpg");
    static const struct {
        const char *name;
        bool alike;
        const char *why;
    } rows[] = {
        {"a.mp4",     true,  "itself"                     },
        {"b.mp4",     true,  "smaller and coarser"        },
        {"c.mp4",     true,  "a little brighter"          },
        {"d.mp4",     false, "mirrored is another picture"},
        {"m.mp4",     false, "something else"             },
        {"black.mp4", false, "nothing to see"             },
    };
    uint64_t a = look("a.mp4", 1000);
    assert_int_not_equal(a, 0);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (video_looks_alike(a, look(rows[i].name, 1000)) != rows[i].alike)
            fail_msg("%s: %s", rows[i].name, rows[i].why);
    assert_true(video_looks_alike(look("a.mp4", 0), look("a.jpg", 0)));
    uint64_t black = look("black.mp4", 500);
    assert_int_equal(black, 0);
    assert_false(video_looks_alike(black, black));
    struct err e = {0};
    fixture_video_write("not.mp4", "#EXTM3U\n", 8);
    assert_false(video_look(fixture_video_path("not.mp4"), 0, NULL, &a, &e));
}

/* --- the film --- */

/* clip0, clip1, clip2 are takes of one thing. */
static bool fake_look(const char *path, int64_t at_ms, const struct cancel *cancel, uint64_t *ret,
                      struct err *e)
{
    (void)at_ms, (void)cancel, (void)e;
    int64_t n = 0;
    const char *name = strrchr(path, '/');
    assert_non_null(name);
    char digits[16];
    snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(name + 5, "."), name + 5);
    assert_true(str_to_int(digits, 0, 1000, &n));
    *ret = n < 3 ? 0xf0f0f0f0f0f0f0f0u : 0x0123456789abcdefu * (uint64_t)(2 * n + 1);
    return true;
}

static void film_of(int clips, struct storyboard *story)
{
    struct fake_tools *f = fake_tools_open(2);
    struct pipeline_video video = *f->box.video;
    struct pipeline_result result;
    struct err e = {0};
    char out[FAKE_FOLDER_MAX + 16];
    snprintf(out, sizeof(out), "%s/film.mp4", f->folder);
    video.look = fake_look;
    f->box.video = &video;
    f->clips = clips;
    *story = (struct storyboard){
        .settings = {.lang = "en", .seed = 7}
    };
    struct pipeline_run run = {.tools = &f->box,
                               .topic = "One here it is. Two there it is. Three now it is. Four.",
                               .story = story,
                               .out_path = out};
    if (!pipeline_run(&run, &result, &e))
        fail_msg("%s %s", e.user_key, e.detail);
    assert_true(story->scene_count >= 3);
    fake_tools_close(f);
}

static void another_take_is_passed_over(void **state)
{
    (void)state;
    struct storyboard story;
    film_of(20, &story);
    assert_string_equal(story.scenes[0].footage.id, "clip0");
    for (size_t i = 1; i < story.scene_count; i++)
        if (strcmp(story.scenes[i].footage.id, "clip1") == 0 ||
            strcmp(story.scenes[i].footage.id, "clip2") == 0)
            fail_msg("scene %zu shows the same thing again", i);
    storyboard_free(&story);
}

static void another_take_is_better_than_none(void **state)
{
    (void)state;
    struct storyboard story;
    film_of(2, &story);
    assert_string_equal(story.scenes[0].footage.id, "clip0");
    assert_string_equal(story.scenes[1].footage.id, "clip1");
    storyboard_free(&story);
}

static int start(void **state)
{
    hash_setup();
    log_init(LOG_OFF, false);
    return fixture_video_start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_picture_in_other_clothes),
        cmocka_unit_test(another_take_is_passed_over),
        cmocka_unit_test(another_take_is_better_than_none),
    };
    return cmocka_run_group_tests(tests, start, fixture_video_stop);
}
