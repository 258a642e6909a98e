/* The payment picture is read by a second program, also after what chats and cameras do to it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"
#include "core/video/qr.h"
#include "core/video/video.h"
#include "tests/temp_folder.h"

#define ADDRESS "nano:nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"
#define WITH_AMOUNT ADDRESS "?amount=1000000000000000000000000000000"
#define LONGEST ADDRESS "?amount=340282366920938463463374607431768211455"

static char *in_folder(const char *name)
{
    return str_printf("%s/%s", temp_folder, name);
}

static void run(const char *const *argv, char **ret_out)
{
    struct proc_options o = {.cwd = temp_folder};
    struct err e = {0};
    if (!proc_run(argv, &o, 60000, 1 << 16, ret_out, &e))
        fail_msg("%s: %s", argv[0], e.detail);
}

static void assert_reads(const char *path, const char *want, const char *why)
{
    AUTO(free_ptr) char *said = NULL;
    const char *argv[] = {"/usr/bin/zbarimg", "--raw", "-q", "-Sdisable",
                          "-Sqrcode.enable",  path,    NULL};
    struct proc_options o = {.cwd = temp_folder};
    struct err e = {0};
    if (!proc_run(argv, &o, 60000, 1 << 16, &said, &e))
        fail_msg("%s: nothing to read (%s)", why, e.detail);
    said[strcspn(said, "\n")] = '\0';
    if (strcmp(said, want) != 0)
        fail_msg("%s: read %s", why, said);
}

static char *written(const char *text)
{
    struct err e = {0};
    char *path = in_folder("qr.png");
    if (!qr_write(text, QR_SIDE, path, &e))
        fail_msg("%s", e.detail);
    return path;
}

static void any_reader_reads_it(void **state)
{
    (void)state;
    static const char *const texts[] = {ADDRESS, WITH_AMOUNT, LONGEST};
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO(free_ptr) char *path = written(texts[i]);
        assert_reads(path, texts[i], "as it is");
    }
}

static void it_survives_chats_and_cameras(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *quality, *why;
    } rows[] = {
        {"scale=300:-1",                                              "2",  "a small preview"                             },
        {"scale=1000:-1:flags=neighbor",                              "2",  "blown up by a factor that is no whole number"},
        {"null",                                                      "12", "JPEG at about quality 40"                    },
        {"scale=320:-1",                                              "12", "small and JPEG"                              },
        {"pad=iw+200:ih+200:100:100:white,rotate=7*PI/180:c=white",   "5",  "held askew"                                  },
        {"pad=iw+200:ih+200:100:100:white,rotate=-12*PI/180:c=white", "12", "more askew, JPEG"                            },
        {"pad=iw+300:ih+300:150:150:0x202428,scale=600:-1,rotate=4*PI/180:c=black,"
         "perspective=20:10:580:0:0:590:600:570,gblur=0.8,noise=alls=12:all_seed=1,"
         "eq=contrast=0.7:brightness=0.05",                  "8",  "a phone's photo of a dark screen"            },
    };
    AUTO(free_ptr) char *path = written(LONGEST);
    AUTO(free_ptr) char *changed = in_folder("changed.jpg");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *argv[] = {"/usr/bin/ffmpeg",
                              "-v",
                              "error",
                              "-y",
                              "-i",
                              path,
                              "-vf",
                              rows[i].filter,
                              "-pix_fmt",
                              "yuvj420p",
                              "-q:v",
                              rows[i].quality,
                              "-frames:v",
                              "1",
                              changed,
                              NULL};
        run(argv, NULL);
        assert_reads(changed, LONGEST, rows[i].why);
    }
}

static void the_picture_has_whole_pixels_and_a_quiet_zone(void **state)
{
    (void)state;
    AUTO(free_ptr) char *path = written(WITH_AMOUNT);
    AUTO(free_ptr) char *pixels = NULL;
    AUTO(free_ptr) char *raw = in_folder("qr.gray");
    struct media_info info;
    struct err e = {0};
    size_t len = 0;
    assert_true(video_probe(path, NULL, &info, &e));
    assert_int_equal(info.width, info.height);
    assert_true(info.width <= QR_SIDE && info.width > QR_SIDE * 3 / 4);
    const char *argv[] = {"/usr/bin/ffmpeg", "-v",   "error", "-y",       "-i", path,
                          "-pix_fmt",        "gray", "-f",    "rawvideo", raw,  NULL};
    run(argv, NULL);
    assert_true(fs_read(raw, 1 << 20, &pixels, &len, &e));
    assert_int_equal(len, info.width * info.height);
    /* The first dark row is the top of the finder pattern, seven modules wide. */
    size_t side = (size_t)info.width;
    size_t first = 0;
    while (first < len && (unsigned char)pixels[first] != 0)
        first++;
    size_t dark = first;
    while (dark < len && (unsigned char)pixels[dark] == 0)
        dark++;
    size_t module = (dark - first) / 7;
    assert_int_equal((dark - first) % 7, 0);
    assert_true(module >= 4);
    assert_int_equal(first, 4 * module * side + 4 * module); /* four modules of white */
    assert_int_equal(side % module, 0);
    for (size_t i = 0; i < len; i++) /* no grey, and each module one colour */
        if ((pixels[i] != 0 && (unsigned char)pixels[i] != 255) ||
            pixels[i] != pixels[i / side / module * module * side + i % side / module * module])
            fail_msg("pixel %zu", i);
}

static void too_much_text_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    AUTO(free_ptr) char *path = in_folder("none.png");
    AUTO(free_ptr) char *text = malloc(4001);
    memset(text, 'a', 4000);
    text[4000] = '\0';
    assert_false(qr_write(text, QR_SIDE, path, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(qr_write(LONGEST, 150, path, &e)); /* would need less than four pixels each */
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(qr_write(LONGEST, QR_SIDE, "/nowhere/qr.png", &e));
    assert_false(fs_exists(path));
}

static int setup(void **state)
{
    video_setup();
    return temp_folder_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_reader_reads_it),
        cmocka_unit_test(it_survives_chats_and_cameras),
        cmocka_unit_test(the_picture_has_whole_pixels_and_a_quiet_zone),
        cmocka_unit_test(too_much_text_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, temp_folder_teardown);
}
