#include <strings.h>

#include "adapters/speech/azure_parts.h"

/* Facts sheet 2.4: voices that send word events. The first of a language is its default. Rates:
   sheet 1.5, units a minute. */
static const struct azure_voice voices[] = {
    {"en-jenny",     "en-US", "en-US-JennyNeural",              "Jenny (female)",                 true,  150},
    {"en-guy",       "en-US", "en-US-GuyNeural",                "Guy (male)",                     false, 150},
    {"en-ava",       "en-US", "en-US-AvaMultilingualNeural",    "Ava (female)",                   true,  150},
    {"en-andrew",    "en-US", "en-US-AndrewMultilingualNeural", "Andrew (male)",                  false, 150},
    {"gb-sonia",     "en-GB", "en-GB-SoniaNeural",              "Sonia (female)",                 true,  150},
    {"gb-ryan",      "en-GB", "en-GB-RyanNeural",               "Ryan (male)",                    false, 150},
    {"zh-xiaoxiao",  "zh-CN", "zh-CN-XiaoxiaoNeural",           "晓晓 (female)",                true,  270},
    {"zh-yunxi",     "zh-CN", "zh-CN-YunxiNeural",              "云希 (male)",                  false, 270},
    {"zh-xiaoyi",    "zh-CN", "zh-CN-XiaoyiNeural",             "晓伊 (female)",                true,  270},
    {"zh-yunyang",   "zh-CN", "zh-CN-YunyangNeural",            "云扬 (male)",                  false, 270},
    {"tw-hsiaochen", "zh-TW", "zh-TW-HsiaoChenNeural",          "曉臻 (female)",                true,  270},
    {"tw-yunjhe",    "zh-TW", "zh-TW-YunJheNeural",             "雲哲 (male)",                  false, 270},
    {"hk-hiumaan",   "zh-HK", "zh-HK-HiuMaanNeural",            "曉曼 (female)",                true,  270},
    {"hk-wanlung",   "zh-HK", "zh-HK-WanLungNeural",            "雲龍 (male)",                  false, 270},
    {"ar-zariyah",   "ar-SA", "ar-SA-ZariyahNeural",            "زارية (female)",            true,  110},
    {"ar-hamed",     "ar-SA", "ar-SA-HamedNeural",              "حامد (male)",                false, 110},
    {"eg-salma",     "ar-EG", "ar-EG-SalmaNeural",              "سلمى (female)",              true,  110},
    {"eg-shakir",    "ar-EG", "ar-EG-ShakirNeural",             "شاكر (male)",                false, 110},
    {"ae-fatima",    "ar-AE", "ar-AE-FatimaNeural",             "فاطمة (female)",            true,  110},
    {"ae-hamdan",    "ar-AE", "ar-AE-HamdanNeural",             "حمدان (male)",              false, 110},
    {"es-elvira",    "es-ES", "es-ES-ElviraNeural",             "Elvira (female)",                true,  155},
    {"es-alvaro",    "es-ES", "es-ES-AlvaroNeural",             "Álvaro (male)",                 false, 155},
    {"mx-dalia",     "es-MX", "es-MX-DaliaNeural",              "Dalia (female)",                 true,  155},
    {"mx-jorge",     "es-MX", "es-MX-JorgeNeural",              "Jorge (male)",                   false, 155},
    {"fr-denise",    "fr-FR", "fr-FR-DeniseNeural",             "Denise (female)",                true,  160},
    {"fr-henri",     "fr-FR", "fr-FR-HenriNeural",              "Henri (male)",                   false, 160},
    {"de-katja",     "de-DE", "de-DE-KatjaNeural",              "Katja (female)",                 true,  125},
    {"de-conrad",    "de-DE", "de-DE-ConradNeural",             "Conrad (male)",                  false, 125},
    {"pt-francisca", "pt-BR", "pt-BR-FranciscaNeural",          "Francisca (female)",             true,  150},
    {"pt-antonio",   "pt-BR", "pt-BR-AntonioNeural",            "Antônio (male)",                false, 150},
    {"it-elsa",      "it-IT", "it-IT-ElsaNeural",               "Elsa (female)",                  true,  150},
    {"it-diego",     "it-IT", "it-IT-DiegoNeural",              "Diego (male)",                   false, 150},
    {"ru-svetlana",  "ru-RU", "ru-RU-SvetlanaNeural",           "Светлана (female)",      true,  115},
    {"ru-dmitry",    "ru-RU", "ru-RU-DmitryNeural",             "Дмитрий (male)",          false, 115},
    {"uk-polina",    "uk-UA", "uk-UA-PolinaNeural",             "Поліна (female)",          true,  115},
    {"uk-ostap",     "uk-UA", "uk-UA-OstapNeural",              "Остап (male)",              false, 115},
    {"hi-swara",     "hi-IN", "hi-IN-SwaraNeural",              "स्वरा (female)",       true,  135},
    {"hi-madhur",    "hi-IN", "hi-IN-MadhurNeural",             "मधुर (male)",            false, 135},
    {"id-gadis",     "id-ID", "id-ID-GadisNeural",              "Gadis (female)",                 true,  120},
    {"id-ardi",      "id-ID", "id-ID-ArdiNeural",               "Ardi (male)",                    false, 120},
    {"ja-nanami",    "ja-JP", "ja-JP-NanamiNeural",             "七海 (female)",                true,  330},
    {"ja-keita",     "ja-JP", "ja-JP-KeitaNeural",              "圭太 (male)",                  false, 330},
    {"ko-sunhi",     "ko-KR", "ko-KR-SunHiNeural",              "선히 (female)",                true,  95 },
    {"ko-injoon",    "ko-KR", "ko-KR-InJoonNeural",             "인준 (male)",                  false, 95 },
    {"tr-emel",      "tr-TR", "tr-TR-EmelNeural",               "Emel (female)",                  true,  105},
    {"tr-ahmet",     "tr-TR", "tr-TR-AhmetNeural",              "Ahmet (male)",                   false, 105},
 /* The local voice is "pl-zofia" already. */
    {"pl-zosia",     "pl-PL", "pl-PL-ZofiaNeural",              "Zofia (female)",                 true,  115},
    {"pl-marek",     "pl-PL", "pl-PL-MarekNeural",              "Marek (male)",                   false, 115},
    {"vi-hoaimy",    "vi-VN", "vi-VN-HoaiMyNeural",             "Hoài My (female)",              true,  190},
    {"vi-namminh",   "vi-VN", "vi-VN-NamMinhNeural",            "Nam Minh (male)",                false, 190},
    {"th-premwadee", "th-TH", "th-TH-PremwadeeNeural",          "เปรมวดี (female)", true,  340},
    {"th-niwat",     "th-TH", "th-TH-NiwatNeural",              "นิวัฒน์ (male)",   false, 340},
    {"nl-fenna",     "nl-NL", "nl-NL-FennaNeural",              "Fenna (female)",                 true,  150},
    {"nl-maarten",   "nl-NL", "nl-NL-MaartenNeural",            "Maarten (male)",                 false, 150},
    {"fa-dilara",    "fa-IR", "fa-IR-DilaraNeural",             "دلارا (female)",            true,  120},
    {"fa-farid",     "fa-IR", "fa-IR-FaridNeural",              "فرید (male)",                false, 120},
    {"he-hila",      "he-IL", "he-IL-HilaNeural",               "הילה (female)",              true,  110},
    {"he-avri",      "he-IL", "he-IL-AvriNeural",               "אברי (male)",                false, 110},
};

const struct azure_voice *azure_voices(size_t *ret_count)
{
    *ret_count = COUNT(voices);
    return voices;
}
