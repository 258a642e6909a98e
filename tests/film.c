#include "tests/film.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include "core/base/strbuf.h"

enum { PICTURES_MAX = 200 * 30, FPS = 30 };

/* --- the container --- */

/* Order of the top-level boxes, read by hand. */
static bool moov_before_mdat(const char *path)
{
    FILE *f = fopen(path, "rb");
    unsigned char head[16];
    bool moov = false, mdat = false;
    assert_non_null(f);
    while (!mdat && fread(head, 1, 8, f) == 8) {
        uint64_t size =
            (uint64_t)head[0] << 24 | (uint64_t)head[1] << 16 | (uint64_t)head[2] << 8 | head[3];
        int64_t skip = (int64_t)size - 8;
        moov |= memcmp(head + 4, "moov", 4) == 0;
        mdat |= memcmp(head + 4, "mdat", 4) == 0;
        if (size == 1 || size == 0 || fseek(f, skip, SEEK_CUR) != 0)
            break;
    }
    fclose(f);
    return moov && mdat;
}

static AVFormatContext *open_film(const char *path)
{
    AVFormatContext *fmt = NULL;
    if (avformat_open_input(&fmt, path, NULL, NULL) < 0)
        fail_msg("%s cannot be opened", path);
    assert_true(avformat_find_stream_info(fmt, NULL) >= 0);
    return fmt;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Presentation times of all pictures, sorted. */
static void read_packets(AVFormatContext *fmt, int stream, struct film_facts *ret)
{
    int64_t *pts = calloc(PICTURES_MAX, sizeof *pts);
    AVPacket *packet = av_packet_alloc();
    AVRational base = fmt->streams[stream]->time_base;
    int count = 0;
    assert_non_null(pts);
    while (av_read_frame(fmt, packet) >= 0) {
        if (packet->stream_index == stream && count < PICTURES_MAX)
            pts[count++] = packet->pts;
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    qsort(pts, (size_t)count, sizeof *pts, by_value);
    ret->frames = count;
    ret->constant_30 = count > 0;
    for (int i = 0; i < count; i++)
        if (av_rescale_q(pts[i], base, (AVRational){1, 1000000}) != av_rescale(i, 1000000, FPS))
            ret->constant_30 = false;
    free(pts);
}

static void copy_tag(AVDictionary *tags, const char *name, char *dest, size_t size)
{
    const AVDictionaryEntry *entry = av_dict_get(tags, name, NULL, 0);
    str_copy(dest, size, entry ? entry->value : "");
}

void film_read(const char *path, struct film_facts *ret)
{
    av_log_set_level(AV_LOG_ERROR);
    AVFormatContext *fmt = open_film(path);
    *ret = (struct film_facts){.moov_first = moov_before_mdat(path)};
    ret->streams = (int)fmt->nb_streams;
    ret->file_s = (double)fmt->duration / AV_TIME_BASE;
    copy_tag(fmt->metadata, "title", ret->title, sizeof ret->title);
    copy_tag(fmt->metadata, "comment", ret->comment, sizeof ret->comment);
    int v = av_find_best_stream(fmt, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    int a = av_find_best_stream(fmt, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    assert_true(v >= 0 && a >= 0);
    const AVCodecParameters *vp = fmt->streams[v]->codecpar, *ap = fmt->streams[a]->codecpar;
    ret->width = vp->width;
    ret->height = vp->height;
    ret->h264_high = vp->codec_id == AV_CODEC_ID_H264 && vp->profile == FF_PROFILE_H264_HIGH;
    ret->yuv420p = vp->format == AV_PIX_FMT_YUV420P;
    ret->aac_lc = ap->codec_id == AV_CODEC_ID_AAC && ap->profile == FF_PROFILE_AAC_LOW;
    ret->rate = ap->sample_rate;
    ret->channels = ap->ch_layout.nb_channels;
    ret->video_s = (double)fmt->streams[v]->duration * av_q2d(fmt->streams[v]->time_base);
    ret->audio_s = (double)fmt->streams[a]->duration * av_q2d(fmt->streams[a]->time_base);
    copy_tag(fmt->streams[a]->metadata, "language", ret->lang, sizeof ret->lang);
    read_packets(fmt, v, ret);
    avformat_close_input(&fmt);
}

/* --- a graph that reads the file itself (movie, amovie) --- */

struct graph {
    AVFilterGraph *g;
    AVFilterContext *sink;
    AVFrame *frame;
};

static void graph_open(struct graph *g, const char *path, const char *source, const char *filters,
                       bool video)
{
    av_log_set_level(AV_LOG_ERROR);
    char text[2048];
    AVFilterInOut *in = NULL, *out = NULL;
    assert_null(strpbrk(path, "'\\:,;[]"));
    snprintf(text, sizeof text, "%s='%s',%s[out]", source, path, filters);
    g->g = avfilter_graph_alloc();
    g->frame = av_frame_alloc();
    assert_true(g->g && g->frame);
    if (avfilter_graph_parse2(g->g, text, &in, &out) < 0)
        fail_msg("filters: %s", text);
    assert_int_equal(avfilter_graph_create_filter(
                         &g->sink, avfilter_get_by_name(video ? "buffersink" : "abuffersink"),
                         "sink", NULL, NULL, g->g),
                     0);
    assert_int_equal(avfilter_link(out->filter_ctx, (unsigned)out->pad_idx, g->sink, 0), 0);
    avfilter_inout_free(&in);
    avfilter_inout_free(&out);
    if (avfilter_graph_config(g->g, NULL) < 0)
        fail_msg("graph: %s", text);
}

static bool graph_next(struct graph *g)
{
    av_frame_unref(g->frame);
    return av_buffersink_get_frame(g->sink, g->frame) >= 0;
}

static void graph_close(struct graph *g)
{
    av_frame_free(&g->frame);
    avfilter_graph_free(&g->g);
}

static bool tag_number(const AVFrame *frame, const char *name, double *ret)
{
    const AVDictionaryEntry *entry = av_dict_get(frame->metadata, name, NULL, 0);
    if (entry)
        *ret = strtod(entry->value, NULL);
    return entry != NULL;
}

void film_loudness(const char *path, double *ret_lufs, double *ret_peak)
{
    struct graph g;
    double peak = 0, left, right;
    *ret_lufs = -999;
    graph_open(&g, path, "amovie", "ebur128=peak=true:metadata=1", false);
    while (graph_next(&g)) {
        tag_number(g.frame, "lavfi.r128.I", ret_lufs);
        if (tag_number(g.frame, "lavfi.r128.true_peaks_ch0", &left))
            peak = MAX(peak, left);
        if (tag_number(g.frame, "lavfi.r128.true_peaks_ch1", &right))
            peak = MAX(peak, right);
    }
    graph_close(&g);
    *ret_peak = 20 * log10(MAX(peak, 1e-6));
}

void film_dead_stretches(const char *path, double seconds, int *ret_black, int *ret_frozen)
{
    struct graph g;
    char filters[200];
    double at;
    *ret_black = *ret_frozen = 0;
    snprintf(filters, sizeof filters,
             "scale=360:-2,blackdetect=d=%.2f:pix_th=0.08:pic_th=0.98,freezedetect=n=0.0003:d=%.2f",
             seconds, seconds);
    graph_open(&g, path, "movie", filters, true);
    while (graph_next(&g)) {
        *ret_black += tag_number(g.frame, "lavfi.black_start", &at);
        *ret_frozen += tag_number(g.frame, "lavfi.freezedetect.freeze_start", &at);
    }
    graph_close(&g);
}

/* --- the lit word --- */

static bool is_lit(const uint8_t *rgb)
{
    return rgb[0] > 215 && rgb[1] > 165 && rgb[2] < 110;
}

static struct film_lit look_at(const AVFrame *frame, int index)
{
    struct film_lit row = {.at_s = (double)index / FPS, .x0 = frame->width, .y0 = frame->height};
    row.x1 = row.y1 = -1;
    for (int y = frame->height * 45 / 100; y < frame->height; y++) {
        const uint8_t *line = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
        for (int x = 0; x < frame->width; x++)
            if (is_lit(line + 3 * (ptrdiff_t)x)) {
                row.pixels++;
                row.x0 = MIN(row.x0, x);
                row.x1 = MAX(row.x1, x);
                row.y0 = MIN(row.y0, y);
                row.y1 = MAX(row.y1, y);
            }
    }
    return row;
}

struct film_lit *film_lit_words(const char *path, int *ret_count)
{
    struct film_lit *rows = calloc(PICTURES_MAX, sizeof *rows);
    struct graph g;
    int count = 0;
    assert_non_null(rows);
    graph_open(&g, path, "movie", "format=rgb24", true);
    while (graph_next(&g) && count < PICTURES_MAX) {
        rows[count] = look_at(g.frame, count);
        count++;
    }
    graph_close(&g);
    *ret_count = count;
    return rows;
}

/* Another box, or ink where there was none; a fade of the same word is none. */
static bool changed(const struct film_lit *before, const struct film_lit *now)
{
    enum { INK = 30, MOVED = 12 };
    if (now->pixels < INK)
        return false;
    if (before->pixels < INK)
        return true;
    return abs(now->x0 - before->x0) > MOVED || abs(now->x1 - before->x1) > MOVED ||
           abs(now->y0 - before->y0) > MOVED || abs(now->y1 - before->y1) > MOVED;
}

int film_lit_changes(const struct film_lit *rows, int count, double *ret_at, int max)
{
    int found = 0;
    for (int i = 1; i < count && found < max; i++)
        if (changed(&rows[i - 1], &rows[i]))
            ret_at[found++] = rows[i].at_s;
    return found;
}

/* --- the voice --- */

enum { ONSET_RATE = 48000, WINDOW = 240 }; /* 5 ms */

struct levels {
    float *of_window;
    int count, room;
    double sum;
    int filled;
};

static void level_add(struct levels *l, double sample)
{
    l->sum += sample * sample;
    if (++l->filled < WINDOW)
        return;
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 1024;
        l->of_window = realloc(l->of_window, (size_t)l->room * sizeof *l->of_window);
        assert_non_null(l->of_window);
    }
    l->of_window[l->count++] = (float)sqrt(l->sum / WINDOW);
    l->sum = 0;
    l->filled = 0;
}

int film_voice_onsets(const char *path, double silence_s, double *ret_at, int max)
{
    struct levels l = {0};
    struct graph g;
    float loudest = 0;
    int found = 0, quiet = 1000;
    graph_open(&g, path, "amovie", "aresample=48000,aformat=sample_fmts=flt:channel_layouts=mono",
               false);
    while (graph_next(&g))
        for (int i = 0; i < g.frame->nb_samples; i++)
            level_add(&l, ((const float *)g.frame->data[0])[i]);
    graph_close(&g);
    for (int i = 0; i < l.count; i++)
        loudest = MAX(loudest, l.of_window[i]);
    for (int i = 0; i < l.count && found < max; i++) {
        bool loud = l.of_window[i] > loudest * 0.04F;
        if (loud && quiet * (double)WINDOW / ONSET_RATE >= silence_s)
            ret_at[found++] = (double)i * WINDOW / ONSET_RATE;
        quiet = loud ? 0 : quiet + 1;
    }
    free(l.of_window);
    return found;
}

/* --- all of it --- */

void film_must_be_good(const char *path, int width, int height, double plan_s)
{
    struct film_facts f;
    double lufs, peak;
    int black, frozen;
    film_read(path, &f);
    assert_int_equal(f.streams, 2);
    assert_int_equal(f.width, width);
    assert_int_equal(f.height, height);
    assert_true(f.h264_high);
    assert_true(f.yuv420p);
    assert_true(f.aac_lc);
    assert_int_equal(f.rate, 48000);
    assert_int_equal(f.channels, 2);
    assert_true(f.constant_30);
    assert_true(f.moov_first);
    if (fabs(f.video_s - plan_s) > 0.05 || fabs(f.audio_s - plan_s) > 0.05 ||
        fabs(f.file_s - plan_s) > 0.05)
        fail_msg("planned %.3f s; pictures %.3f, sound %.3f, file %.3f", plan_s, f.video_s,
                 f.audio_s, f.file_s);
    assert_true(f.title[0]);
    film_loudness(path, &lufs, &peak);
    if (fabs(lufs + 14) > 1 || peak > -1.5)
        fail_msg("%.1f LUFS, true peak %.2f dBTP", lufs, peak);
    film_dead_stretches(path, 0.5, &black, &frozen);
    if (black || frozen)
        fail_msg("%d black stretches, %d frozen ones", black, frozen);
}
