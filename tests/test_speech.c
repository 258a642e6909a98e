#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/speech/espeak.h"
#include "adapters/speech/espeak_parts.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/pool.h"
#include "core/base/strbuf.h"
#include "core/story/text.h"

static char folder[256];
static struct speech_engine engine;

static int group_setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%.200s/speech-XXXXXX", tmp ? tmp : "/tmp");
    log_init(LOG_OFF, false);
    struct err e = {0};
    if (!mkdtemp(folder))
        return -1;
    if (!espeak_create(NULL, &engine, &e)) {
        print_error("%s\n", e.detail);
        return -1;
    }
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    engine.ops->destroy(engine.self);
    fs_remove(folder);
    return 0;
}

/* A spoken text, read back from its file. */
struct spoken_file {
    struct speech_result result;
    int16_t *samples;
    size_t count;
    int rate;
    char *bytes;
};

static void spoken_file_free(struct spoken_file *f)
{
    free(f->result.words);
    free(f->bytes);
}

static bool speak_with(const struct speech_engine *en, const char *lang, const char *voice,
                       double speed, const char *text, const struct cancel *cancel,
                       struct spoken_file *ret, struct err *e)
{
    static int serial;
    char path[400];
    snprintf(path, sizeof(path), "%s/%d.wav", folder, __atomic_add_fetch(&serial, 1, 5));
    struct speech_request r = {.text = text,
                               .lang = lang,
                               .voice = voice,
                               .speed = speed,
                               .wav_path = path,
                               .cancel = cancel};
    *ret = (struct spoken_file){0};
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

static struct spoken_file speak(const char *lang, const char *voice, const char *text)
{
    struct spoken_file f;
    struct err e = {0};
    if (!speak_with(&engine, lang, voice, 1.0, text, NULL, &f, &e))
        fail_msg("%s %s: %s", lang, voice, e.detail);
    return f;
}

/* --- the promises about words --- */

static void check_words(const struct spoken_file *f, const char *text, const char *lang)
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

/* Moments when the voice starts after at least 150 ms of silence. */
static size_t find_onsets(const struct spoken_file *f, int *ret_ms, size_t max)
{
    size_t step = (size_t)f->rate / 200, count = 0; /* 5 ms */
    int silent = 1000;
    for (size_t at = 0; at + step <= f->count; at += step) {
        double energy = 0;
        for (size_t i = at; i < at + step; i++)
            energy += (double)f->samples[i] * f->samples[i];
        bool loud = sqrt(energy / (double)step) > 200; /* the echo of a voice is quieter */
        if (loud && silent >= 150 && count < max)
            ret_ms[count++] = (int)(at * 1000 / (size_t)f->rate);
        silent = loud ? 0 : silent + 5;
    }
    return count;
}

/* Each word is a sentence of its own, so the sound says when each begins. */
static const struct {
    const char *lang, *voice, *text;
} apart_rows[] = {
    {"en", "en-tom",   "Moon. Water. Seven. Animals. Yellow. Never. Running. Zebra."                   },
    {"en", "en-anna",  "Moon. Water. Seven. Animals. Yellow. Never. Running. Zebra."                   },
    {"zh", "zh-wei",   "月亮。海水。太阳。朋友。老师。"                                 },
    {"zh", "zh-mei",   "月亮。海水。太阳。朋友。老师。"                                 },
    {"ar", "ar-omar",  "القمر. البحر. الماء. السماء. الليل."                 },
    {"ar", "ar-layla", "القمر. البحر. الماء. السماء. الليل."                 },
    {"es", "es-lucia", "Luna. Mar. Agua. Noche. Manzana."                                              },
    {"de", "",         "Mond. Wasser. Nacht. Sieben. Leben."                                           },
    {"ru", "",         "Луна. Море. Вода. Ночь. Река."                             },
    {"hi", "",         "चाँद। समुद्र। पानी। रात।"            },
    {"en", "en-tom",   "We sold 2024 of them. Water, 🎉 isn't $1,250.50! Never 🚀🚀 again. Moon."},
};

static void test_word_times_match_the_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(apart_rows); i++) {
        const char *text = apart_rows[i].text;
        struct spoken_file f = speak(apart_rows[i].lang, apart_rows[i].voice, text);
        check_words(&f, text, apart_rows[i].lang);
        int onsets[32];
        size_t count = find_onsets(&f, onsets, COUNT(onsets)), found = 0;
        for (size_t k = 0; k < count; k++) { /* every onset is some word's start */
            int best = 10000;
            for (size_t w = 0; w < f.result.word_count; w++)
                if (abs(f.result.words[w].start_ms - onsets[k]) < abs(best))
                    best = f.result.words[w].start_ms - onsets[k];
            if (getenv("TEST_VERBOSE"))
                print_message("%s %s onset %d ms: word %+d ms\n", apart_rows[i].lang,
                              apart_rows[i].voice, onsets[k], best);
            if (abs(best) > 80)
                fail_msg("%s %s: voice starts at %d ms, nearest word is %d ms off",
                         apart_rows[i].lang, apart_rows[i].voice, onsets[k], best);
            found++;
        }
        assert_true(found >= 4);
        if (i + 1 < COUNT(apart_rows)) { /* and every word has its onset */
            assert_int_equal(count, f.result.word_count);
            for (size_t w = 0; w < count; w++) {
                assert_true(abs(f.result.words[w].start_ms - onsets[w]) <= 80);
                if (w + 1 < count) /* the highlight ends with the voice, not after the pause */
                    assert_true(f.result.words[w].end_ms <= onsets[w + 1] - 60);
            }
        }
        spoken_file_free(&f);
    }
}

/* --- all languages: heard, not clipped, at the promised rate --- */

/* Texts apart from the table: version 14 of clang-format crashes on long texts in one. */
static const char text_en[] =
    "Twice a day the ocean rises and falls along every coast on the planet. The moon pulls the "
    "water toward it, and the earth turns beneath. People have watched this rhythm for thousands "
    "of years, and fishermen still plan their days around it.";
static const char text_zh[] =
    "月亮的引力让海水每天涨落两次，这就是潮汐的原因。地球自转的时候，海边的人会看到海水慢慢上升，又"
    "慢慢下降。几千年来，渔民一直根据潮汐安排自己的生活。";
static const char text_zh_hk[] =
    "月亮的引力讓海水每天漲落兩次，這就是潮汐的原因。地球自轉的時候，海邊的人會看到海水慢慢上升，又"
    "慢慢下降。幾千年來，漁民一直根據潮汐安排自己的生活。";
static const char text_ar[] =
    "يرتفع المحيط وينخفض مرتين كل يوم على كل ساحل في العالم. القمر يجذب الماء نحوه، والأرض تدور "
    "تحته. راقب الناس هذا الإيقاع منذ آلاف السنين، وما زال الصيادون يخططون أيامهم حوله.";
static const char text_es[] =
    "Dos veces al día el océano sube y baja en todas las costas del planeta. La luna atrae el agua "
    "hacia ella, y la tierra gira debajo. La gente ha observado este ritmo durante miles de años, "
    "y los pescadores todavía organizan sus días según la marea.";
static const char text_fr[] =
    "Deux fois par jour, l'océan monte et descend le long de toutes les côtes de la planète. La "
    "lune attire l'eau vers elle, et la terre tourne en dessous. Les gens observent ce rythme "
    "depuis des milliers d'années, et les pêcheurs organisent encore leurs journées autour.";
static const char text_de[] =
    "Zweimal am Tag hebt und senkt sich das Meer an jeder Küste der Erde. Der Mond zieht das "
    "Wasser zu sich, und die Erde dreht sich darunter weg. Seit Jahrtausenden beobachten die "
    "Menschen diesen Rhythmus, und die Fischer planen ihre Tage noch heute danach.";
static const char text_pt_br[] =
    "Duas vezes por dia o oceano sobe e desce em todas as costas do planeta. A lua puxa a água "
    "para si, e a terra gira por baixo. As pessoas observam esse ritmo há milhares de anos, e os "
    "pescadores ainda planejam os seus dias em torno dele.";
static const char text_pt_pt[] =
    "Duas vezes por dia o oceano sobe e desce em todas as costas do planeta. A lua puxa a água "
    "para si, e a terra gira por baixo. As pessoas observam esse ritmo há milhares de anos, e os "
    "pescadores ainda planeiam os seus dias em torno dele.";
static const char text_it[] =
    "Due volte al giorno l'oceano sale e scende lungo tutte le coste del pianeta. La luna attira "
    "l'acqua verso di sé, e la terra gira sotto. Gli uomini osservano questo ritmo da migliaia di "
    "anni, e i pescatori organizzano ancora le loro giornate intorno ad esso.";
static const char text_ru[] =
    "Дважды в день океан поднимается и опускается вдоль всех берегов планеты. Луна притягивает "
    "воду к себе, а земля вращается под ней. Люди наблюдают за этим ритмом тысячи лет, и рыбаки до "
    "сих пор строят вокруг него свои дни.";
static const char text_uk[] =
    "Двічі на день океан піднімається і опускається вздовж усіх берегів планети. Місяць притягує "
    "воду до себе, а земля обертається під нею. Люди спостерігають за цим ритмом тисячі років, і "
    "рибалки досі планують свої дні навколо нього.";
static const char text_hi[] = "दिन में दो बार समुद्र हर तट पर ऊपर उठता है और नीचे गिरता है। चाँद पानी को "
                              "अपनी ओर खींचता है, और पृथ्वी उसके नीचे घूमती है। लोग हज़ारों सालों से इस लय को "
                              "देखते आए हैं, और मछुआरे आज भी अपने दिन इसी के हिसाब से बनाते हैं।";
static const char text_ko[] = "하루에 두 번 바다는 지구의 모든 해안에서 오르고 내립니다. 달이 물을 "
                              "끌어당기고 지구는 그 아래에서 돕니다. 사람들은 수천 년 동안 이 "
                              "리듬을 지켜보았고 어부들은 지금도 그에 맞추어 하루를 계획합니다.";
static const char text_tr[] =
    "Okyanus günde iki kez gezegenin her kıyısında yükselir ve alçalır. Ay suyu kendine doğru "
    "çeker ve dünya altında döner. İnsanlar bu ritmi binlerce yıldır izliyor ve balıkçılar "
    "günlerini hâlâ buna göre planlıyor.";
static const char text_pl[] =
    "Dwa razy dziennie ocean podnosi się i opada wzdłuż wszystkich wybrzeży planety. Księżyc "
    "przyciąga wodę do siebie, a ziemia obraca się pod nią. Ludzie obserwują ten rytm od tysięcy "
    "lat, a rybacy wciąż planują wokół niego swoje dni.";
static const char text_nl[] =
    "Twee keer per dag stijgt en daalt de oceaan langs elke kust van de planeet. De maan trekt het "
    "water naar zich toe en de aarde draait eronder door. Mensen kijken al duizenden jaren naar "
    "dit ritme, en vissers plannen hun dagen er nog steeds omheen.";
static const char text_id[] =
    "Dua kali sehari laut naik dan turun di sepanjang setiap pantai di bumi. Bulan menarik air ke "
    "arahnya, dan bumi berputar di bawahnya. Orang telah mengamati irama ini selama ribuan tahun, "
    "dan para nelayan masih menyusun hari mereka menurut irama itu.";
static const char text_vi[] =
    "Mỗi ngày hai lần đại dương dâng lên và hạ xuống dọc theo mọi bờ biển trên hành tinh. Mặt "
    "trăng kéo nước về phía nó, và trái đất quay bên dưới. Con người đã quan sát nhịp điệu này "
    "hàng nghìn năm, và ngư dân vẫn sắp xếp ngày của họ theo nó.";
static const char text_fa[] =
    "اقیانوس روزی دو بار در کنار همه ساحل\u200Cهای زمین بالا می\u200Cآید و پایین می\u200Cرود. "
    "ماه آب را به سوی خود می\u200Cکشد و زمین زیر آن می\u200Cچرخد. "
    "مردم هزاران سال است که این آهنگ را می\u200Cبینند و ماهیگیران هنوز روز خود را با آن تنظیم "
    "می\u200Cکنند.";
static const struct {
    const char *lang, *text;
} paragraphs[] = {
    {"en",    text_en   },
    {"en-GB", text_en   },
    {"zh",    text_zh   },
    {"zh-HK", text_zh_hk},
    {"ar",    text_ar   },
    {"es",    text_es   },
    {"es-MX", text_es   },
    {"fr",    text_fr   },
    {"de",    text_de   },
    {"pt-BR", text_pt_br},
    {"pt-PT", text_pt_pt},
    {"it",    text_it   },
    {"ru",    text_ru   },
    {"uk",    text_uk   },
    {"hi",    text_hi   },
    {"ko",    text_ko   },
    {"tr",    text_tr   },
    {"pl",    text_pl   },
    {"nl",    text_nl   },
    {"id",    text_id   },
    {"vi",    text_vi   },
    {"fa",    text_fa   },
};

static void check_paragraph(const struct speech_voice *v, const char *text)
{
    struct spoken_file f = speak(v->lang, v->name, text);
    check_words(&f, text, v->lang);
    double energy = 0;
    int peak = 0;
    for (size_t i = 0; i < f.count; i++) {
        energy += (double)f.samples[i] * f.samples[i];
        peak = MAX(peak, abs(f.samples[i]));
    }
    double rms = sqrt(energy / (double)f.count);
    double minutes = f.result.duration_ms / 60000.0;
    double rate = (double)text_units(text, v->lang) / minutes;
    int promised = engine.ops->rate(engine.self, v->lang, v->name);
    if (getenv("TEST_VERBOSE"))
        print_message("%-10s %5.1f s rms %5.0f peak %5d rate %5.1f promised %d\n", v->name,
                      minutes * 60, rms, peak, rate, promised);
    assert_int_equal(f.rate, 22050);
    assert_true(labs((long)((int64_t)f.count * 1000 / f.rate) - f.result.duration_ms) <= 1);
    if (rms < 1000 || peak > 30000)
        fail_msg("%s: rms %.0f, peak %d", v->name, rms, peak);
    if (fabs(rate / promised - 1) > 0.04)
        fail_msg("%s: %.1f units a minute, %d promised", v->name, rate, promised);
    spoken_file_free(&f);
}

static void test_every_voice(void **state)
{
    (void)state;
    size_t count, tried = 0;
    const struct speech_voice *v = engine.ops->voices(engine.self, &count);
    assert_true(count >= 2 * 14);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < COUNT(paragraphs); k++)
            if (strcmp(v[i].lang, paragraphs[k].lang) == 0) {
                check_paragraph(&v[i], paragraphs[k].text);
                tried++;
            }
    assert_int_equal(tried, count); /* no voice without a paragraph */
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(v[i].name, v[k].name);
}

static void test_speed(void **state)
{
    (void)state;
    struct spoken_file slow, fast;
    struct err e = {0};
    assert_true(speak_with(&engine, "en", "", 0.8, paragraphs[0].text, NULL, &slow, &e));
    assert_true(speak_with(&engine, "en", "", 1.3, paragraphs[0].text, NULL, &fast, &e));
    double ratio = (double)slow.result.duration_ms / fast.result.duration_ms;
    assert_true(ratio > 1.4 && ratio < 1.85);
    spoken_file_free(&slow);
    spoken_file_free(&fast);
}

/* --- what is said --- */

static void test_spoken_text(void **state)
{
    static const struct {
        const char *lang, *text, *want, *why;
    } rows[] = {
        {"en", "Go 🎉🎉 now",      "Go    now",                               "an emoji is one blank a code point"        },
        {"en", "👨‍👩‍👧 x", "      x",                                 "so is a family"                            },
        {"en", "see 北京 now",       "see    now",                              "the English voice would say Chinese letter"},
        {"en", "5°C © ★",          "5°C ©  ",                               "signs that are read stay"                  },
        {"zh", "2024年有12个",      "二零二四年有十二个",             "a year by digits, a count as a quantity"   },
        {"zh", "3.14和50%",           "三点一四和百分之五十",          "point and percent"                         },
        {"zh", "1,250",                "一千二百五十",                      "thousands comma"                           },
        {"zh", "10050和1001",         "一万零五十和一千零一",          "zeros inside"                              },
        {"zh", "100000000",            "一亿",                                  "hundred million"                           },
        {"zh", "120000",               "十二万",                               "twelve times ten thousand"                 },
        {"zh", "0.5",                  "零点五",                               "zero"                                      },
        {"zh", "１２",               "十二",                                  "full-width digits"                         },
        {"zh", "2个和2024",          "两个和二千零二十四",             "two of a thing"                            },
        {"zh", "007",                  "零零七",                               "a code by digits"                          },
        {"zh", "1234567890123",        "一二三四五六七八九零一二三", "too long for a quantity"                   },
        {"zh", "AI和NASA",            "A I和N A S A",                           "capitals are spelled"                      },
        {"zh", "25℃",                "二十五摄氏度",                      "degrees"                                   },
        {"zh", "2020,2021",            "二千零二十,二千零二十一",      "a list is no thousands comma"              },
        {"en", "2024",                 "2024",                                    "other voices read numbers themselves"      },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spoken s;
        spoken_make(&s, rows[i].text, rows[i].lang);
        if (strcmp(s.text, rows[i].want) != 0)
            fail_msg("%s\n   got: %s\n  want: %s", rows[i].why, s.text, rows[i].want);
        for (size_t k = 0; k < s.count; k++) {
            assert_true(s.origin[k] < strlen(rows[i].text));
            assert_true(k == 0 || s.origin[k] >= s.origin[k - 1]);
        }
        spoken_free(&s);
    }
}

/* espeak-ng 1.51 has a Mandarin voice that reads its own pinyin as English letters; the sound of a
   syllable is about 0.3 s, that of its spelling over a second. */
static void test_mandarin_is_not_spelled(void **state)
{
    (void)state;
    struct spoken_file f = speak("zh", "", "我们每天都看到新的秘密");
    assert_in_range(f.result.duration_ms, 11 * 180, 11 * 450);
    spoken_file_free(&f);
}

/* Broken events as the library sends them, and worse. */
static void test_events_become_times(void **state)
{
    /* clang-format off */
    static const struct {
        const char *text;
        struct wire_event events[6];
        size_t count;
        int want[4];
        const char *why;
    } rows[] = {
        {"one two three", {{1, 3, 0}, {5, 3, 400}, {9, 5, 700}}, 3, {0, 400, 700}, "plain"},
        {"one two three", {{1, 3, 0}, {9, 5, 800}}, 2, {0, 400, 800}, "a missing word is between"},
        {"one two three", {{9, 5, 500}}, 1, {0, 250, 500}, "missing words at the start"},
        {"one two three", {{1, 3, 100}}, 1, {100, 345, 590}, "missing words at the end"},
        {"one two three", {{0}}, 0, {0, 272, 545}, "no events at all: by length"},
        {"one two three", {{1, 3, 0}, {6, 2, 300}, {5, 3, 400}, {9, 5, 700}}, 4, {0, 400, 700},
         "the start of a word beats a place inside it"},
        {"one two three", {{1, 3, 0}, {11, 1, 100}, {5, 3, 400}, {9, 5, 700}}, 4, {0, 400, 700},
         "a place far ahead does not light the word early"},
        {"one two three", {{1, 3, 500}, {5, 3, 200}, {9, 5, 700}}, 3, {500, 600, 700},
         "times never fall"},
        {"one two three", {{1, 3, 0}, {5, 0, 100}, {5, 3, 400}, {99, 2, 500}, {9, 5, 700}}, 5,
         {0, 400, 700}, "no length and no such place count for nothing"},
        {"one two three", {{1, 3, 0}, {5, 3, 400}, {9, 5, 4000000000u}}, 3, {0, 400, 640},
         "beyond the sound"},
    };
    /* clang-format on */
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int16_t samples[1000]; /* 1,000 a second: a sample is a millisecond */
        for (size_t k = 0; k < COUNT(samples); k++)
            samples[k] = 1000;
        struct wire_event events[6];
        memcpy(events, rows[i].events, sizeof(events));
        struct utterance u = {.samples = samples,
                              .count = COUNT(samples),
                              .events = events,
                              .event_count = rows[i].count,
                              .sample_rate = 1000};
        struct spoken s;
        struct speech_word *words;
        size_t count;
        struct err e = {0};
        spoken_make(&s, rows[i].text, "en");
        assert_true(utterance_times(&u, &s, rows[i].text, "en", &words, &count, &e));
        assert_int_equal(count, 3);
        for (size_t k = 0; k < count; k++)
            if (abs(words[k].start_ms - rows[i].want[k]) > 60)
                fail_msg("%s: word %zu at %d ms, want %d", rows[i].why, k, words[k].start_ms,
                         rows[i].want[k]);
        free(words);
        spoken_free(&s);
    }
}

/* --- refusals --- */

static void test_refusals(void **state)
{
    static const struct {
        const char *lang, *voice, *text, *key, *arg;
        enum err_code code;
    } rows[] = {
        {"ja", "",          "こんにちは", "make.no_voice_for_language", "ja",        ERR_UNSUPPORTED},
        {"xx", "",          "hello",           "make.no_voice_for_language", "xx",        ERR_UNSUPPORTED},
        {"en", "en-nobody", "hello",           "make.unknown_voice",         "en-nobody", ERR_UNSUPPORTED},
        {"zh", "en-tom",    "月亮",          "make.unknown_voice",         "en-tom",    ERR_UNSUPPORTED},
        {"en", "",          "🎉 … !!",     "make.nothing_to_say",        "",          ERR_INPUT      },
        {"en", "",          "北京",          "make.nothing_to_say",        "",          ERR_INPUT      },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spoken_file f;
        struct err e = {0};
        assert_false(
            speak_with(&engine, rows[i].lang, rows[i].voice, 1, rows[i].text, NULL, &f, &e));
        assert_int_equal(e.code, rows[i].code);
        assert_string_equal(e.user_key, rows[i].key);
        assert_string_equal(e.arg, rows[i].arg);
    }
    struct spoken_file f;
    struct err e = {0};
    struct strbuf big = STRBUF(10000);
    while (big.len <= 4000)
        strbuf_adds(&big, "word ");
    assert_false(speak_with(&engine, "en", "", 1, big.text, NULL, &f, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    strbuf_free(&big);
    assert_int_equal(engine.ops->rate(engine.self, "ja", ""), 0);
    assert_true(engine.ops->rate(engine.self, "zh-Hant-TW", "") > 0);
    assert_true(engine.ops->rate(engine.self, "pt", "") > 0);
}

static void test_disk_errors(void **state)
{
    (void)state;
    struct speech_request r = {
        .text = "hello", .lang = "en", .voice = "", .speed = 1, .wav_path = "/nonexistent/x.wav"};
    struct speech_result result = {0};
    struct err e = {0};
    assert_false(engine.ops->speak(engine.self, &r, &result, &e));
    assert_null(result.words);
}

/* --- helpers that fail --- */

static void write_script(const char *name, const char *body, char ret_path[static 400])
{
    snprintf(ret_path, 400, "%s/%s", folder, name);
    FILE *f = fopen(ret_path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fclose(f);
    assert_int_equal(chmod(ret_path, 0755), 0);
}

static void real_helper(char ret_path[static 512])
{
    char self[400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(ret_path, 512, "%s/../nanotik-speak", self);
}

static void test_bad_helpers_cost_a_retry_not_the_program(void **state)
{
    static const struct {
        const char *name, *body, *why;
    } rows[] = {
        {"exits",   "exit 3",                                                                 "a helper that ends at once"   },
        {"killed",  "kill -SEGV $$",                                                          "a helper that crashes"        },
        {"deaf",    "exec 0<&-; exec sleep 100",                                              "a helper that does not listen"},
        {"hangs",   "exec sleep 100",                                                         "a helper that hangs"          },
        {"garbage", "exec yes garbage",                                                       "a helper that talks nonsense" },
        {"short",   "printf 'SKR1'; exec sleep 100",                                          "half an answer"               },
        {"half",    "printf 'SKR1\\0\\0\\0\\0\\042\\126\\0\\0\\0\\020\\0\\0\\0\\0\\0\\0abc'",
         "cut sound"                                                                                                         },
        {"huge",
         "printf 'SKR1\\0\\0\\0\\0\\042\\126\\0\\0\\377\\377\\377\\377\\0\\0\\0\\0'; exec sleep "
         "100",                                                                               "sizes beyond all bounds"      },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[400];
        write_script(rows[i].name, rows[i].body, path);
        struct espeak_options o = {.helper = path, .helpers = 1, .deadline_ms = 120};
        struct speech_engine en;
        struct spoken_file f;
        struct err e = {0};
        assert_true(espeak_create_with(&o, &en, &e));
        for (int round = 0; round < 2; round++) { /* the second finds a working thread again */
            assert_false(speak_with(&en, "en", "", 1, "hello", NULL, &f, &e));
            assert_int_equal(e.code, ERR_RETRY);
            assert_string_equal(e.user_key, "make.voice_failed");
        }
        en.ops->destroy(en.self);
    }
}

static void test_one_crash_is_not_seen(void **state)
{
    static const char *const crashes[] = {"exit 1", "kill -KILL $$", "printf nonsense-nonsense-no",
                                          "exec sleep 100"};
    (void)state;
    for (size_t i = 0; i < COUNT(crashes); i++) {
        char path[400], real[512];
        real_helper(real);
        char *body =
            str_printf("if [ ! -e %s/seen%zu ]; then : > %s/seen%zu; %s; exit; fi\nexec %s", folder,
                       i, folder, i, crashes[i], real);
        write_script("once", body, path);
        free(body);
        struct espeak_options o = {.helper = path, .helpers = 1, .deadline_ms = 3000};
        struct speech_engine en;
        struct spoken_file f;
        struct err e = {0};
        if (i == 3) /* the hang: as short as a slow machine allows for the second try */
            o.deadline_ms = 1500;
        assert_true(espeak_create_with(&o, &en, &e));
        if (!speak_with(&en, "en", "", 1, "hello world", NULL, &f, &e))
            fail_msg("%s: %s", crashes[i], e.detail);
        assert_int_equal(f.result.word_count, 2);
        spoken_file_free(&f);
        en.ops->destroy(en.self);
    }
}

static void test_no_helper(void **state)
{
    (void)state;
    struct speech_engine en;
    struct err e = {0};
    assert_false(espeak_create("/nonexistent/helper", &en, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.user_key, "doctor.no_speak_helper");
    setenv("NANOTIK_SPEAK", "/nonexistent/named", 1);
    assert_false(espeak_create(NULL, &en, &e));
    assert_string_equal(e.arg, "/nonexistent/named");
    unsetenv("NANOTIK_SPEAK");
}

/* --- threads --- */

struct crowd_task {
    struct pool_task task;
    char text[64];
    struct spoken_file spoken;
    bool ok;
};

static void crowd_run(struct pool_task *task)
{
    struct crowd_task *t = (struct crowd_task *)task;
    struct err e = {0};
    t->ok = speak_with(&engine, "en", "en-anna", 1, t->text, NULL, &t->spoken, &e);
}

/* Two threads in one espeak-ng gave wrong lengths, and a reused one never speaks a text twice the
   same way; helpers give the same bytes whatever else is spoken. */
static void test_the_same_text_is_the_same_sound(void **state)
{
    (void)state;
    struct crowd_task tasks[12] = {0}, alone[12];
    for (size_t i = 0; i < COUNT(tasks); i++) {
        tasks[i].task.run = crowd_run;
        snprintf(tasks[i].text, sizeof(tasks[i].text), "Number %zu is %s.", i,
                 i % 2 ? "odd and goes on for longer" : "even");
        alone[i] = tasks[i];
        crowd_run(&alone[i].task);
        assert_true(alone[i].ok);
    }
    struct pool *p = pool_create("crowd", 6, 32);
    for (size_t i = 0; i < COUNT(tasks); i++)
        pool_submit(p, &tasks[i].task);
    pool_destroy(p);
    for (size_t i = 0; i < COUNT(tasks); i++) {
        const struct spoken_file *a = &alone[i].spoken, *b = &tasks[i].spoken;
        assert_true(tasks[i].ok);
        assert_true(a->result.duration_ms > 300);
        assert_int_equal(a->count, b->count);
        assert_memory_equal(a->samples, b->samples, a->count * sizeof(*a->samples));
        assert_memory_equal(a->result.words, b->result.words,
                            a->result.word_count * sizeof(*a->result.words));
        spoken_file_free(&alone[i].spoken);
        spoken_file_free(&tasks[i].spoken);
    }
}

static void cancel_run(struct pool_task *task)
{
    (void)task;
    usleep(100000);
    extern struct cancel test_cancel;
    cancel_fire(&test_cancel);
}
struct cancel test_cancel;

static void test_cancel_is_quick(void **state)
{
    (void)state;
    char path[400];
    write_script("sleeps", "exec sleep 100", path);
    struct espeak_options o = {.helper = path, .helpers = 1, .deadline_ms = 60000};
    struct speech_engine en;
    struct spoken_file f;
    struct err e = {0};
    assert_true(espeak_create_with(&o, &en, &e));
    cancel_init(&test_cancel, NULL);
    struct pool *p = pool_create("cancel", 1, 4);
    struct pool_task task = {.run = cancel_run};
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    pool_submit(p, &task);
    assert_false(speak_with(&en, "en", "", 1, "hello", &test_cancel, &f, &e));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(to.tv_sec - from.tv_sec <= 2);
    assert_false(speak_with(&en, "en", "", 1, "hello", &test_cancel, &f, &e)); /* fired before */
    assert_int_equal(e.code, ERR_CANCELLED);
    pool_destroy(p);
    en.ops->destroy(en.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spoken_text),
        cmocka_unit_test(test_events_become_times),
        cmocka_unit_test(test_word_times_match_the_sound),
        cmocka_unit_test(test_every_voice),
        cmocka_unit_test(test_speed),
        cmocka_unit_test(test_mandarin_is_not_spelled),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_disk_errors),
        cmocka_unit_test(test_bad_helpers_cost_a_retry_not_the_program),
        cmocka_unit_test(test_one_crash_is_not_seen),
        cmocka_unit_test(test_no_helper),
        cmocka_unit_test(test_the_same_text_is_the_same_sound),
        cmocka_unit_test(test_cancel_is_quick),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
