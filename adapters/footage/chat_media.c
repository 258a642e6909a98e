#include "adapters/footage/chat_media.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/footage/listed.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"

enum { ID_HEX = 20, MOTIONS = 97 };

struct own_file {
    char *name; /* the chat's */
    char id[ID_HEX + 1];
    enum footage_kind kind; /* as the chat calls it */
    pthread_mutex_t lock;   /* held while it is fetched */
    char *path;             /* only with lock held; NULL: not here yet */
};

struct chat_media {
    struct chat_adapter chat;
    char *folder;
    atomic_llong bytes; /* of all files that are here */
    size_t count;
    struct own_file files[CHAT_MEDIA_FILES];
};

/* --- search --- */

static bool own_search(void *self, const struct footage_query *query, struct footage *ret_hits,
                       size_t max, size_t *ret_count, const struct cancel *cancel, struct err *e)
{
    const struct chat_media *m = self;
    (void)cancel, (void)e;
    *ret_count = 0;
    for (size_t i = 0; i < m->count && *ret_count < max; i++) {
        const struct own_file *f = &m->files[(query->scene + i) % m->count];
        if (footage_place(query->used, query->used_count, FOOTAGE_OWN, f->id) < query->used_count)
            continue;
        struct footage *hit = &ret_hits[(*ret_count)++];
        *hit = (struct footage){.kind = f->kind, .seed = query->seed + query->scene % MOTIONS};
        str_copy(hit->provider, sizeof(hit->provider), FOOTAGE_OWN);
        str_copy(hit->id, sizeof(hit->id), f->id);
    }
    return true;
}

/* --- fetch --- */

/* With the file's lock held. */
static bool get_file(struct chat_media *m, struct own_file *f, const struct cancel *cancel,
                     struct err *e)
{
    AUTO(free_ptr) char *path = NULL;
    if (atomic_load(&m->bytes) >= CHAT_MEDIA_BYTES)
        return err_set_arg(e, ERR_LIMIT, "chat.file_too_large", f->id, "files of %lld bytes so far",
                           atomic_load(&m->bytes));
    if (!fs_mkdirs(m->folder, 0700, e) ||
        !m->chat.ops->fetch(m->chat.self, f->name, m->folder, cancel, &path, e))
        return false;
    int64_t size = fs_size(path);
    if (atomic_fetch_add(&m->bytes, size) + size > CHAT_MEDIA_BYTES) {
        atomic_fetch_sub(&m->bytes, size);
        unlink(path);
        return err_set_arg(e, ERR_LIMIT, "chat.file_too_large", f->id, "%lld bytes too many",
                           (long long)size);
    }
    f->path = TAKE(path);
    return true;
}

static bool own_fetch(void *self, struct footage *hit, const struct cancel *cancel, struct err *e)
{
    struct chat_media *m = self;
    struct own_file *f = NULL;
    for (size_t i = 0; i < m->count && !f; i++)
        if (strcmp(m->files[i].id, hit->id) == 0)
            f = &m->files[i];
    if (!f)
        return err_set_arg(e, ERR_NOT_FOUND, "chat.file_gone", hit->id, "not a file of this job");
    pthread_mutex_lock(&f->lock);
    bool ok = f->path || get_file(m, f, cancel, e);
    if (ok && !str_copy(hit->path, sizeof(hit->path), f->path))
        ok = err_set(e, ERR_DISK, "error.disk", "the name of the work folder is too long");
    pthread_mutex_unlock(&f->lock);
    return ok;
}

static void own_destroy(void *self)
{
    struct chat_media *m = self;
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        free(m->files[i].name);
        free(m->files[i].path);
        pthread_mutex_destroy(&m->files[i].lock);
    }
    free(m->folder);
    free(m);
}

/* --- making one --- */

static bool is_known(const struct chat_media *m, const char *id)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->files[i].id, id) == 0)
            return true;
    return false;
}

/* Files are told apart by a hash of their name: it says nothing of them, and no two jobs mix
   theirs up in the cache. */
static void add_file(struct chat_media *m, const char *name, size_t len)
{
    struct own_file f = {.name = str_printf("%.*s", (int)len, name)};
    struct hash h;
    char hex[HASH_HEX];
    hash_begin(&h, "own footage");
    hash_text(&h, "network", m->chat.ops->name);
    hash_text(&h, "name", f.name);
    hash_end(&h, hex);
    snprintf(f.id, sizeof(f.id), "%.*s", ID_HEX, hex);
    f.kind = name[0] == 'v' ? FOOTAGE_CLIP : FOOTAGE_PHOTO;
    if (len == 0 || is_known(m, f.id)) {
        free(f.name);
        return;
    }
    pthread_mutex_init(&f.lock, NULL);
    m->files[m->count++] = f;
}

bool chat_media_create(const struct chat_adapter *chat, const char *names, const char *folder,
                       struct footage_source *ret, struct err *e)
{
    static const struct footage_source_ops ops = {
        .name = FOOTAGE_OWN,
        .search = own_search,
        .fetch = own_fetch,
        .destroy = own_destroy,
    };
    if (!chat->ops->fetch)
        return err_set(e, ERR_UNSUPPORTED, "chat.file_gone", "%s has no files", chat->ops->name);
    struct chat_media *m = calloc(1, sizeof(*m));
    if (!m)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory");
    m->chat = *chat;
    m->folder = str_dup(folder);
    for (const char *at = names; *at && m->count < CHAT_MEDIA_FILES;) {
        size_t len = strcspn(at, "\n");
        add_file(m, at, len);
        at += len + (at[len] == '\n');
    }
    *ret = (struct footage_source){.ops = &ops, .self = m};
    return true;
}
