/*
 * nanotik-speak - the local voice as a program of its own.
 *
 * espeak-ng keeps its state in the process, is not thread-safe, and cannot be ended and begun
 * again. So it lives here: begun once, never ended, one text at a time, and a crash or a hang of it
 * is the end of a helper, not of the bot. Texts may follow each other; the bot sends one, because
 * the library's noise goes on from text to text. Requests come on standard input, answers go to
 * standard output (espeak_wire.h); no files are opened but espeak-ng's own data.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <espeak-ng/speak_lib.h>

#include "adapters/speech/espeak_wire.h"
#include "core/base/base.h"

/* A text takes under a second; longer means that the library hangs, and SIGALRM ends us. */
enum { ALARM_SECONDS = 60 };
/* At the library's own 100 some voices reach full scale, and its limiter makes them pump. */
enum { VOLUME = 60 };

/* The reply that the callback collects. */
struct sound {
    int16_t *samples;
    size_t count, room;
    struct wire_event *events;
    size_t event_count, event_room;
    bool too_long, no_memory;
};

static struct sound sound; /* the library's callback has no other way to it */

static bool read_all(void *to, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = read(STDIN_FILENO, (char *)to + got, len - got);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        got += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_all(const void *from, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(STDOUT_FILENO, (const char *)from + done, len - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Room for `more` items of `size` bytes behind `count`. */
static bool grow(void **list, size_t count, size_t *room, size_t more, size_t size)
{
    if (count + more <= *room)
        return true;
    size_t wanted = MAX(2 * *room, count + more);
    void *bigger = realloc(*list, wanted * size);
    if (!bigger)
        return false;
    *list = bigger;
    *room = wanted;
    return true;
}

static void keep_samples(const short *wav, size_t count)
{
    void *list = sound.samples;
    if (sound.count + count > WIRE_SAMPLES_MAX)
        sound.too_long = true;
    else if (!grow(&list, sound.count, &sound.room, count, sizeof(*sound.samples)))
        sound.no_memory = true;
    sound.samples = list;
    if (sound.too_long || sound.no_memory)
        return;
    memcpy(sound.samples + sound.count, wav, count * sizeof(*wav));
    sound.count += count;
}

static void keep_event(const espeak_EVENT *event)
{
    void *list = sound.events;
    if (event->text_position < 1 || event->length < 1 || event->sample < 0 ||
        sound.event_count >= WIRE_EVENTS_MAX)
        return;
    if (!grow(&list, sound.event_count, &sound.event_room, 1, sizeof(*sound.events))) {
        sound.no_memory = true;
        return;
    }
    sound.events = list;
    sound.events[sound.event_count++] =
        (struct wire_event){.position = (uint32_t)event->text_position,
                            .length = (uint32_t)event->length,
                            .sample = (uint32_t)event->sample};
}

/* Called by the library, often; other than 0 stops it. */
static int on_sound(short *wav, int count, espeak_EVENT *events)
{
    if (wav && count > 0)
        keep_samples(wav, (size_t)count);
    for (; events->type != espeakEVENT_LIST_TERMINATED; events++)
        if (events->type == espeakEVENT_WORD)
            keep_event(events);
    return sound.too_long || sound.no_memory;
}

static enum wire_status speak(const char *voice, unsigned rate, const char *text, size_t len)
{
    sound.count = sound.event_count = 0;
    sound.too_long = sound.no_memory = false;
    /* An unknown name keeps the voice of the text before: must be asked. */
    if (espeak_SetVoiceByName(voice) != EE_OK)
        return WIRE_NO_VOICE;
    espeak_SetParameter(espeakRATE, (int)CLAMP(rate, 80u, 450u), 0);
    espeak_SetParameter(espeakVOLUME, VOLUME, 0);
    alarm(ALARM_SECONDS);
    espeak_ERROR r = espeak_Synth(text, len + 1, 0, POS_CHARACTER, 0, espeakCHARS_UTF8, NULL, NULL);
    alarm(0);
    if (sound.too_long)
        return WIRE_TOO_LONG;
    return r == EE_OK && !sound.no_memory ? WIRE_OK : WIRE_BROKEN;
}

/* False at the end of input, or when what came is no request: the streams are out of step. */
static bool serve(uint32_t sample_rate)
{
    static char voice[WIRE_VOICE_MAX + 1], text[WIRE_TEXT_MAX + 1];
    struct wire_request ask;
    if (!read_all(&ask, sizeof(ask)) || ask.magic != WIRE_ASK || ask.voice_len > WIRE_VOICE_MAX ||
        ask.text_len > WIRE_TEXT_MAX)
        return false;
    if (!read_all(voice, ask.voice_len) || !read_all(text, ask.text_len))
        return false;
    voice[ask.voice_len] = text[ask.text_len] = '\0';
    enum wire_status status = speak(voice, ask.rate, text, ask.text_len);
    bool ok = status == WIRE_OK;
    struct wire_reply reply = {
        .magic = WIRE_ANSWER,
        .status = status,
        .sample_rate = sample_rate,
        .samples = ok ? (uint32_t)sound.count : 0,
        .events = ok ? (uint32_t)sound.event_count : 0,
    };
    return write_all(&reply, sizeof(reply)) &&
           write_all(sound.samples, reply.samples * sizeof(*sound.samples)) &&
           write_all(sound.events, reply.events * sizeof(*sound.events));
}

int main(void)
{
    struct rlimit no_files = {0, 0}, few = {16, 16};
    setrlimit(RLIMIT_FSIZE, &no_files); /* it has nothing to write but its pipe */
    setrlimit(RLIMIT_NOFILE, &few);
    signal(SIGXFSZ, SIG_IGN); /* the library's file of 64 MB for a sound server just fails */
    int rate = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, NULL, espeakINITIALIZE_DONT_EXIT);
    if (rate <= 0)
        return 1;
    espeak_SetSynthCallback(on_sound);
    while (serve((uint32_t)rate))
        ;
    return 0;
}
