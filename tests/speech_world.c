#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "tests/speech_world.h"

#include "adapters/speech/espeak.h"
#include "core/base/arena.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/story/text.h"

struct speech_world spw;

int spw_open(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(spw.folder, sizeof(spw.folder), "%.200s/speech-XXXXXX", tmp ? tmp : "/tmp");
    log_init(LOG_OFF, false);
    struct err e = {0};
    if (!mkdtemp(spw.folder))
        return -1;
    if (!espeak_create(NULL, &spw.engine, &e)) {
        print_error("%s\n", e.detail);
        return -1;
    }
    return 0;
}

int spw_close(void **state)
{
    (void)state;
    spw.engine.ops->destroy(spw.engine.self);
    fs_remove(spw.folder);
    return 0;
}

void spw_file_free(struct spw_file *f)
{
    free(f->result.words);
    free(f->bytes);
}

bool spw_speak_with(const struct speech_engine *en, const char *lang, const char *voice,
                    double speed, const char *text, const struct cancel *cancel,
                    struct spw_file *ret, struct err *e)
{
    static int serial;
    char path[400];
    snprintf(path, sizeof(path), "%s/%d.wav", spw.folder, __atomic_add_fetch(&serial, 1, 5));
    struct speech_request r = {.text = text,
                               .lang = lang,
                               .voice = voice,
                               .speed = speed,
                               .wav_path = path,
                               .cancel = cancel};
    *ret = (struct spw_file){0};
    if (!en->ops->speak(en->self, &r, &ret->result, e)) {
        assert_false(fs_exists(path));
        return false;
    }
    size_t len;
    assert_true(fs_read(path, (size_t)1 << 26, &ret->bytes, &len, e));
    const unsigned char *b = (const unsigned char *)ret->bytes;
    assert_memory_equal(b, "RIFF", 4);
    assert_memory_equal(b + 8, "WAVEfmt ", 8);
    assert_int_equal(b[20] | b[22] << 8 | b[34] << 16, 1 | 1 << 8 | 16 << 16); /* PCM mono 16 */
    ret->rate = b[24] | b[25] << 8 | b[26] << 16;
    ret->samples = (int16_t *)(void *)(ret->bytes + 44);
    ret->count = (len - 44) / 2;
    assert_int_equal(b[40] | b[41] << 8 | b[42] << 16 | b[43] << 24, (int)(len - 44));
    unlink(path);
    return true;
}

struct spw_file spw_speak(const char *lang, const char *voice, const char *text)
{
    struct spw_file f;
    struct err e = {0};
    if (!spw_speak_with(&spw.engine, lang, voice, 1.0, text, NULL, &f, &e))
        fail_msg("%s %s: %s", lang, voice, e.detail);
    return f;
}

void spw_check_words(const struct spw_file *f, const char *text, const char *lang)
{
    struct arena a = {0};
    size_t count;
    const struct text_token *t = text_tokens(&a, text, lang, &count);
    int last = 0;
    assert_int_equal(f->result.word_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct speech_word *w = &f->result.words[i];
        assert_int_equal(w->at, t[i].at);
        assert_int_equal(w->len, t[i].len);
        if (w->start_ms < last || w->end_ms < w->start_ms || w->end_ms > f->result.duration_ms)
            fail_msg("%s: word %zu is %d-%d ms after %d ms of %d", lang, i, w->start_ms, w->end_ms,
                     last, f->result.duration_ms);
        last = w->end_ms;
    }
    arena_free(&a);
}
