#include "bot/estimate.h"

#include "core/i18n/i18n.h"

bool estimate_length(const struct toolbox *tools, const char *ui_lang, const char *topic,
                     const struct story_settings *settings, int64_t *ret_ms, struct err *e)
{
    struct story_settings free_length = *settings;
    bool own_words = tools->writer_count > 0 && tools->writers[0].ops->own_words;
    if (own_words)
        free_length.seconds = 0;
    int64_t ms = pipeline_estimate_ms(tools, topic, &free_length);
    int64_t limit_ms = tools->seconds_max > 0 ? (int64_t)tools->seconds_max * 1000 : INT64_MAX;
    int64_t wanted_ms = (int64_t)settings->seconds * 1000;
    AUTO(free_ptr) char *length = i18n_duration(ui_lang, ms);
    if (ms > limit_ms) {
        AUTO(free_ptr) char *limit = i18n_duration(ui_lang, limit_ms);
        AUTO(free_ptr)
        char *both = i18n_text(ui_lang, "make.length_of_limit", I18N_TEXT("length", length),
                               I18N_TEXT("limit", limit));
        return err_set_arg(e, ERR_LIMIT, "make.text_too_long", both, "VIDEO_MAX_DURATION=%d",
                           tools->seconds_max);
    }
    if (own_words && wanted_ms > 0 && ms * 100 > wanted_ms * ESTIMATE_TOLERANCE_PERCENT)
        return err_set_arg(e, ERR_LIMIT, "make.text_longer_than_seconds", length, "%d s wanted",
                           settings->seconds);
    *ret_ms = ms;
    return true;
}
