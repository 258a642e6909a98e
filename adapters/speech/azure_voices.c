
#include "adapters/speech/azure_parts.h"

/* Facts sheet 2.4: voices that send word events. The first of a language is its default. Rates:
   sheet 1.5, units a minute. */
static const struct azure_voice voices[] = {
    {"en-jenny",     "en-US", "en-US-JennyNeural",              "Jenny",                 true,  150},
    {"en-guy",       "en-US", "en-US-GuyNeural",                "Guy",                   false, 150},
    {"en-ava",       "en-US", "en-US-AvaMultilingualNeural",    "Ava",                   true,  150},
    {"en-andrew",    "en-US", "en-US-AndrewMultilingualNeural", "Andrew",                false, 150},
    {"gb-sonia",     "en-GB", "en-GB-SoniaNeural",              "Sonia",                 true,  150},
    {"gb-ryan",      "en-GB", "en-GB-RyanNeural",               "Ryan",                  false, 150},
    {"zh-xiaoxiao",  "zh-CN", "zh-CN-XiaoxiaoNeural",           "晓晓",                true,  270},
    {"zh-yunxi",     "zh-CN", "zh-CN-YunxiNeural",              "云希",                false, 270},
    {"zh-xiaoyi",    "zh-CN", "zh-CN-XiaoyiNeural",             "晓伊",                true,  270},
    {"zh-yunyang",   "zh-CN", "zh-CN-YunyangNeural",            "云扬",                false, 270},
    {"tw-hsiaochen", "zh-TW", "zh-TW-HsiaoChenNeural",          "曉臻",                true,  270},
    {"tw-yunjhe",    "zh-TW", "zh-TW-YunJheNeural",             "雲哲",                false, 270},
    {"hk-hiumaan",   "zh-HK", "zh-HK-HiuMaanNeural",            "曉曼",                true,  270},
    {"hk-wanlung",   "zh-HK", "zh-HK-WanLungNeural",            "雲龍",                false, 270},
    {"ar-zariyah",   "ar-SA", "ar-SA-ZariyahNeural",            "زارية",            true,  110},
    {"ar-hamed",     "ar-SA", "ar-SA-HamedNeural",              "حامد",              false, 110},
    {"eg-salma",     "ar-EG", "ar-EG-SalmaNeural",              "سلمى",              true,  110},
    {"eg-shakir",    "ar-EG", "ar-EG-ShakirNeural",             "شاكر",              false, 110},
    {"ae-fatima",    "ar-AE", "ar-AE-FatimaNeural",             "فاطمة",            true,  110},
    {"ae-hamdan",    "ar-AE", "ar-AE-HamdanNeural",             "حمدان",            false, 110},
    {"es-elvira",    "es-ES", "es-ES-ElviraNeural",             "Elvira",                true,  155},
    {"es-alvaro",    "es-ES", "es-ES-AlvaroNeural",             "Álvaro",               false, 155},
    {"mx-dalia",     "es-MX", "es-MX-DaliaNeural",              "Dalia",                 true,  155},
    {"mx-jorge",     "es-MX", "es-MX-JorgeNeural",              "Jorge",                 false, 155},
    {"fr-denise",    "fr-FR", "fr-FR-DeniseNeural",             "Denise",                true,  160},
    {"fr-henri",     "fr-FR", "fr-FR-HenriNeural",              "Henri",                 false, 160},
    {"de-katja",     "de-DE", "de-DE-KatjaNeural",              "Katja",                 true,  125},
    {"de-conrad",    "de-DE", "de-DE-ConradNeural",             "Conrad",                false, 125},
    {"pt-francisca", "pt-BR", "pt-BR-FranciscaNeural",          "Francisca",             true,  150},
    {"pt-antonio",   "pt-BR", "pt-BR-AntonioNeural",            "Antônio",              false, 150},
    {"it-elsa",      "it-IT", "it-IT-ElsaNeural",               "Elsa",                  true,  150},
    {"it-diego",     "it-IT", "it-IT-DiegoNeural",              "Diego",                 false, 150},
    {"ru-svetlana",  "ru-RU", "ru-RU-SvetlanaNeural",           "Светлана",      true,  115},
    {"ru-dmitry",    "ru-RU", "ru-RU-DmitryNeural",             "Дмитрий",        false, 115},
    {"uk-polina",    "uk-UA", "uk-UA-PolinaNeural",             "Поліна",          true,  115},
    {"uk-ostap",     "uk-UA", "uk-UA-OstapNeural",              "Остап",            false, 115},
    {"hi-swara",     "hi-IN", "hi-IN-SwaraNeural",              "स्वरा",       true,  135},
    {"hi-madhur",    "hi-IN", "hi-IN-MadhurNeural",             "मधुर",          false, 135},
    {"id-gadis",     "id-ID", "id-ID-GadisNeural",              "Gadis",                 true,  120},
    {"id-ardi",      "id-ID", "id-ID-ArdiNeural",               "Ardi",                  false, 120},
    {"ja-nanami",    "ja-JP", "ja-JP-NanamiNeural",             "七海",                true,  330},
    {"ja-keita",     "ja-JP", "ja-JP-KeitaNeural",              "圭太",                false, 330},
    {"ko-sunhi",     "ko-KR", "ko-KR-SunHiNeural",              "선히",                true,  95 },
    {"ko-injoon",    "ko-KR", "ko-KR-InJoonNeural",             "인준",                false, 95 },
    {"tr-emel",      "tr-TR", "tr-TR-EmelNeural",               "Emel",                  true,  105},
    {"tr-ahmet",     "tr-TR", "tr-TR-AhmetNeural",              "Ahmet",                 false, 105},
 /* The local voice is "pl-zofia" already. */
    {"pl-zosia",     "pl-PL", "pl-PL-ZofiaNeural",              "Zofia",                 true,  115},
    {"pl-marek",     "pl-PL", "pl-PL-MarekNeural",              "Marek",                 false, 115},
    {"vi-hoaimy",    "vi-VN", "vi-VN-HoaiMyNeural",             "Hoài My",              true,  190},
    {"vi-namminh",   "vi-VN", "vi-VN-NamMinhNeural",            "Nam Minh",              false, 190},
    {"th-premwadee", "th-TH", "th-TH-PremwadeeNeural",          "เปรมวดี", true,  340},
    {"th-niwat",     "th-TH", "th-TH-NiwatNeural",              "นิวัฒน์", false, 340},
    {"nl-fenna",     "nl-NL", "nl-NL-FennaNeural",              "Fenna",                 true,  150},
    {"nl-maarten",   "nl-NL", "nl-NL-MaartenNeural",            "Maarten",               false, 150},
    {"fa-dilara",    "fa-IR", "fa-IR-DilaraNeural",             "دلارا",            true,  120},
    {"fa-farid",     "fa-IR", "fa-IR-FaridNeural",              "فرید",              false, 120},
    {"he-hila",      "he-IL", "he-IL-HilaNeural",               "הילה",              true,  110},
    {"he-avri",      "he-IL", "he-IL-AvriNeural",               "אברי",              false, 110},
};

const struct azure_voice *azure_voices(size_t *ret_count)
{
    *ret_count = COUNT(voices);
    return voices;
}
