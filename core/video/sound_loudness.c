#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>
#include <math.h>

#include "core/base/strbuf.h"
#include "core/video/sound_priv.h"

struct loudness {
    AVFilterGraph *graph;
    AVFilterContext *source, *sink;
    AVFrame *in, *out;
    int64_t at;
    double lufs;
};

void loudness_destroy(struct loudness **l)
{
    if (!*l)
        return;
    avfilter_graph_free(&(*l)->graph);
    av_frame_free(&(*l)->in);
    av_frame_free(&(*l)->out);
    free(*l);
    *l = NULL;
}

bool loudness_create(struct loudness **ret, struct err *e)
{
    AUTO(loudness_destroy) struct loudness *l = calloc(1, sizeof(*l));
    if (!l)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "loudness: out of memory");
    l->lufs = SOUND_SILENCE;
    l->graph = avfilter_graph_alloc();
    l->in = av_frame_alloc();
    l->out = av_frame_alloc();
    AVFilterContext *meter = NULL;
    bool ok = l->graph && l->in && l->out;
    if (ok) {
        l->graph->nb_threads = 1;
        ok = avfilter_graph_create_filter(
                 &l->source, avfilter_get_by_name("abuffer"), "in",
                 "sample_rate=48000:sample_fmt=flt:channel_layout=stereo:time_base=1/48000", NULL,
                 l->graph) >= 0 &&
             avfilter_graph_create_filter(&meter, avfilter_get_by_name("ebur128"), "meter",
                                          "metadata=1:framelog=verbose", NULL, l->graph) >= 0 &&
             avfilter_graph_create_filter(&l->sink, avfilter_get_by_name("abuffersink"), "out",
                                          NULL, NULL, l->graph) >= 0 &&
             avfilter_link(l->source, 0, meter, 0) >= 0 &&
             avfilter_link(meter, 0, l->sink, 0) >= 0 && avfilter_graph_config(l->graph, NULL) >= 0;
    }
    if (!ok)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "loudness meter does not start");
    *ret = TAKE(l);
    return true;
}

/* The running integrated value travels on every frame. */
static void read_values(struct loudness *l)
{
    while (av_buffersink_get_frame(l->sink, l->out) >= 0) {
        const AVDictionaryEntry *d = av_dict_get(l->out->metadata, "lavfi.r128.I", NULL, 0);
        char *end = NULL;
        double value = d ? strtod(d->value, &end) : NAN;
        if (d && end != d->value && isfinite(value))
            l->lufs = MAX(value, SOUND_SILENCE);
        av_frame_unref(l->out);
    }
}

bool loudness_feed(struct loudness *l, const float *lr, size_t count, struct err *e)
{
    while (count) {
        size_t part = MIN(count, (size_t)SOUND_BLOCK);
        l->in->format = AV_SAMPLE_FMT_FLT;
        l->in->sample_rate = VIDEO_RATE;
        l->in->nb_samples = (int)part;
        l->in->pts = l->at;
        av_channel_layout_default(&l->in->ch_layout, 2);
        int r = av_frame_get_buffer(l->in, 0);
        if (r >= 0) {
            memcpy(l->in->data[0], lr, part * 2 * sizeof(float));
            r = av_buffersrc_add_frame(l->source, l->in);
        }
        av_frame_unref(l->in);
        if (r < 0)
            return err_set(e, ERR_INTERNAL, "make.render_failed", "loudness meter failed (%d)", r);
        read_values(l);
        l->at += (int64_t)part;
        lr += 2 * part;
        count -= part;
    }
    return true;
}

double loudness_value(const struct loudness *l)
{
    return l->lufs;
}

bool loudness_measure(const struct mix *mix, double *ret_lufs, struct err *e)
{
    AUTO(loudness_destroy) struct loudness *l = NULL;
    if (!loudness_create(&l, e))
        return false;
    for (int64_t at = 0; at < mix->samples; at += SOUND_BLOCK) {
        size_t count = (size_t)MIN(mix->samples - at, (int64_t)SOUND_BLOCK);
        if (sound_cancelled(mix->cancel, e) || !loudness_feed(l, mix->lr + 2 * at, count, e))
            return false;
    }
    *ret_lufs = loudness_value(l);
    return true;
}
