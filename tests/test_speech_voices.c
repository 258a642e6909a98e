/* Every voice of the local engine: heard, not clipped, at the promised rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "core/story/text.h"
#include "tests/speech_world.h"

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
    struct spw_file f = spw_speak(v->lang, v->name, text);
    spw_check_words(&f, text, v->lang);
    double energy = 0;
    int peak = 0;
    for (size_t i = 0; i < f.count; i++) {
        energy += (double)f.samples[i] * f.samples[i];
        peak = MAX(peak, abs(f.samples[i]));
    }
    double rms = sqrt(energy / (double)f.count);
    double minutes = f.result.duration_ms / 60000.0;
    double rate = (double)text_units(text, v->lang) / minutes;
    int promised = spw.engine.ops->rate(spw.engine.self, v->lang, v->name);
    if (getenv("TEST_VERBOSE"))
        print_message("%-10s %5.1f s rms %5.0f peak %5d rate %5.1f promised %d\n", v->name,
                      minutes * 60, rms, peak, rate, promised);
    assert_int_equal(f.rate, 22050);
    assert_true(labs((long)((int64_t)f.count * 1000 / f.rate) - f.result.duration_ms) <= 1);
    if (rms < 1000 || peak > 30000)
        fail_msg("%s: rms %.0f, peak %d", v->name, rms, peak);
    if (fabs(rate / promised - 1) > 0.04)
        fail_msg("%s: %.1f units a minute, %d promised", v->name, rate, promised);
    spw_file_free(&f);
}

static void test_every_voice(void **state)
{
    (void)state;
    size_t count, tried = 0;
    const struct speech_voice *v = spw.engine.ops->voices(spw.engine.self, &count);
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
    struct spw_file slow, fast;
    struct err e = {0};
    assert_true(spw_speak_with(&spw.engine, "en", "", 0.8, paragraphs[0].text, NULL, &slow, &e));
    assert_true(spw_speak_with(&spw.engine, "en", "", 1.3, paragraphs[0].text, NULL, &fast, &e));
    double ratio = (double)slow.result.duration_ms / fast.result.duration_ms;
    assert_true(ratio > 1.4 && ratio < 1.85);
    spw_file_free(&slow);
    spw_file_free(&fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_voice),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, spw_open, spw_close);
}
