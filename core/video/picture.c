#include "core/video/picture.h"

#include "core/base/fs.h"
#include "core/story/storyboard.h"
#include "core/video/media.h"

bool picture_write(AVFrame *frame, enum AVCodecID kind, const char *what, const char *path,
                   struct err *e)
{
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    AUTO(avcodec_free_context)
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_encoder(kind));
    if (!packet || !codec)
        return media_fail(e, AVERROR(ENOMEM), what, path);
    codec->width = frame->width;
    codec->height = frame->height;
    codec->pix_fmt = frame->format;
    codec->color_range = frame->color_range;
    codec->time_base = (AVRational){1, STORY_FPS};
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_BITEXACT;
    if (frame->quality > 0) {
        codec->flags |= AV_CODEC_FLAG_QSCALE;
        codec->global_quality = frame->quality;
    }
    frame->pts = 0;
    int r = avcodec_open2(codec, codec->codec, NULL);
    if (r >= 0)
        r = avcodec_send_frame(codec, frame);
    if (r >= 0)
        r = avcodec_send_frame(codec, NULL);
    if (r >= 0)
        r = avcodec_receive_packet(codec, packet);
    if (r < 0)
        return media_fail(e, r, what, path);
    return fs_write(path, packet->data, (size_t)packet->size, e);
}
