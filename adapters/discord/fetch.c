/* Files that people sent along. Their addresses are signed and end soon: fetched as they are named,
 * from Discord's own hosts only. */
#include "adapters/discord/discord_internal.h"
#include "core/base/fs.h"

enum { TRIES = 3, FETCH_MS = 300000 };

static bool host_is_ours(struct discord *d, const char *url)
{
    size_t base = strcspn(d->base + 8, "/") + 8; /* scheme and host of our own base */
    return str_starts(url, "https://cdn.discordapp.com/") ||
           str_starts(url, "https://media.discordapp.net/") ||
           (strncmp(url, d->base, base) == 0 && url[base] == '/');
}

bool dc_fetch(void *self, const char *media, const char *folder, const struct cancel *cancel,
              char **ret_path, struct err *e)
{
    struct discord *d = self;
    if ((media[0] != 'p' && media[0] != 'v') || media[1] != ':' || !host_is_ours(d, media + 2))
        return err_set(e, ERR_NOT_FOUND, "chat.file_gone", "not a file of Discord");
    struct hash h;
    char name[HASH_HEX];
    hash_begin(&h, "discord-media");
    hash_text(&h, "url", media);
    hash_end(&h, name);
    AUTO(free_ptr)
    char *path = str_printf("%s/%.20s.%s", folder, name, media[0] == 'v' ? "mp4" : "jpg");
    struct net_request r = {.log_name = "discord file",
                            .url = media + 2,
                            .save_path = path,
                            .save_max = DC_FETCH_MAX,
                            .total_ms = FETCH_MS,
                            .stall_seconds = 30,
                            .cancel = cancel};
    for (int i = 0; !fs_exists(path); i++) {
        AUTO(net_reply_free) struct net_reply reply = {0};
        bool ok = net_call(d->net, &r, &reply, e);
        if (ok && reply.status == 200)
            break;
        if (reply.outcome == NET_TOO_LARGE)
            return err_set(e, ERR_LIMIT, "chat.file_too_large", "discord file: too large");
        if (ok)
            err_set(e, net_should_retry(&reply) ? ERR_RETRY : ERR_NOT_FOUND, "chat.file_gone",
                    "discord file: %d", reply.status);
        if (i + 1 == TRIES || !net_should_retry(&reply) || cancel_wait(cancel, net_backoff_ms(i)))
            return false;
    }
    *ret_path = TAKE(path);
    return true;
}
