#include <stdarg.h>

#include <libavutil/log.h>

#include "core/base/log.h"
#include "core/video/video.h"

#define LOG_MODULE "ffmpeg"

/* Broken input makes decoders talkative, and each failure that matters comes back as an error code:
   so their errors are for the curious, only fatal ones for everybody. */
static void on_av_log(void *context, int level, const char *fmt, va_list args)
{
    enum log_level ours = level <= AV_LOG_FATAL   ? LOG_ERROR
                          : level <= AV_LOG_ERROR ? LOG_INFO
                                                  : LOG_DEBUG;
    if (level > AV_LOG_WARNING || ours < log_level())
        return;
    char line[512];
    int prefix = 1;
    av_log_format_line2(context, level, fmt, args, line, sizeof(line), &prefix);
    line[strcspn(line, "\n")] = '\0';
    if (line[0])
        log_line(ours, LOG_MODULE, "%s", line);
}

void video_setup(void)
{
    av_log_set_level(AV_LOG_WARNING);
    av_log_set_callback(on_av_log);
}
