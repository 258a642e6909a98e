#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "adapters/footage/local_parts.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"

#define LOG_MODULE "footage"

enum { REFUSED_MAX = 200, FOLDERS_MAX = 1000, ENTRIES_MAX = 20000 };
static const int64_t size_max = INT64_C(2) << 30;

struct scan {
    const char *root;
    size_t root_len;
    const struct local_catalog *before;
    struct local_catalog *out;
    struct {
        dev_t dev;
        ino_t ino;
    } * seen; /* files and folders, so that a link brings nothing twice */
    size_t seen_count;
    size_t entries; /* all that was looked at */
    bool full;
};

/* --- what is refused, once --- */

static bool in_list(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static void refuse(struct scan *s, const char *path, const char *why)
{
    struct local_catalog *c = s->out;
    const char *name = path + MIN(s->root_len + 1, strlen(path));
    if (c->refused_count < REFUSED_MAX)
        c->refused[c->refused_count++] = arena_dup(&c->arena, name);
    if (!s->before || !in_list(s->before->refused, s->before->refused_count, name))
        log_warn("own footage: %s is left out: %s", name, why);
}

/* --- what a file is --- */

static bool has_extension(const char *path, const char *const *list, size_t count)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < count; i++)
        if (strcasecmp(dot + 1, list[i]) == 0)
            return true;
    return false;
}

/* ISO media: films start with "ftyp"; old QuickTime with another box; sound and still brands are
   not for us. */
static enum footage_kind iso_kind(const unsigned char b[static 16])
{
    static const char *const boxes[] = {"moov", "mdat", "wide", "free", "skip"};
    static const char *const not_films[] = {"M4A ", "M4B ", "M4P ", "heic", "heix", "mif1",
                                            "msf1", "avif", "avis", "hevc", "crx "};
    for (size_t i = 0; i < COUNT(boxes); i++)
        if (memcmp(b + 4, boxes[i], 4) == 0)
            return FOOTAGE_CLIP;
    if (memcmp(b + 4, "ftyp", 4) != 0)
        return FOOTAGE_NONE;
    for (size_t i = 0; i < COUNT(not_films); i++)
        if (memcmp(b + 8, not_films[i], 4) == 0)
            return FOOTAGE_NONE;
    return FOOTAGE_CLIP;
}

static enum footage_kind kind_of(const unsigned char b[static 16])
{
    if (memcmp(b, "\xFF\xD8\xFF", 3) == 0 || memcmp(b, "\x89PNG\r\n\x1A\n", 8) == 0 ||
        (memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WEBP", 4) == 0))
        return FOOTAGE_PHOTO;
    if (memcmp(b, "\x1A\x45\xDF\xA3", 4) == 0)
        return FOOTAGE_CLIP;
    return iso_kind(b);
}

/* Reads the first bytes of a file that is still what stat said. */
static bool read_head(const char *path, unsigned char ret_head[static 16])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && read(fd, ret_head, 16) == 16;
    close(fd);
    return ok;
}

/* --- one file --- */

static const char *make_id(struct arena *a, const char *relative)
{
    enum { ID_MAX = sizeof(((struct footage *)NULL)->id) };
    size_t len = strlen(relative);
    if (len < ID_MAX)
        return arena_dup(a, relative);
    uint64_t hash = 14695981039346656037u; /* FNV-1a: the end alone may not be unique */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)relative[i]) * 1099511628211u;
    size_t at = len - (ID_MAX - 24);
    while (at < len && utf8_cut(relative, at) != at)
        at++;
    return arena_printf(a, "%016llx-%s", (unsigned long long)hash, relative + at);
}

static void add_clip(struct scan *s, const char *path, enum footage_kind kind)
{
    struct local_catalog *c = s->out;
    const char *relative = path + s->root_len + 1;
    struct local_clip *clip = &c->clips[c->count++];
    *clip = (struct local_clip){.kind = kind};
    clip->path = arena_dup(&c->arena, path);
    clip->id = make_id(&c->arena, relative);
    AUTO(free_ptr) char *name = str_dup(relative);
    char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
    if (dot && (!slash || dot > slash))
        *dot = '\0';
    /* OceanWave is two words. */
    struct strbuf spaced = STRBUF(4096);
    for (const char *at = name; *at; at++) {
        bool hump = at > name && at[0] >= 'A' && at[0] <= 'Z' && at[-1] >= 'a' && at[-1] <= 'z';
        strbuf_addf(&spaced, hump ? " %c" : "%c", *at);
    }
    const char *words[LOCAL_WORDS_MAX];
    clip->word_count = local_words(&c->arena, strbuf_text(&spaced), words, COUNT(words));
    clip->words = arena_alloc(&c->arena, (clip->word_count + 1) * sizeof(*words));
    memcpy(clip->words, words, clip->word_count * sizeof(*words));
    strbuf_free(&spaced);
}

static void scan_file(struct scan *s, const char *path, const struct stat *st)
{
    static const char *const sounds[] = {"m4a", "m4b", "mp3", "aac",  "ogg", "oga", "opus",
                                         "wma", "wav", "mka", "flac", "aif", "aiff"};
    unsigned char head[16];
    if (st->st_size == 0) {
        refuse(s, path, "it is empty");
    } else if (st->st_size > size_max) {
        refuse(s, path, "it is larger than 2 GB");
    } else if (strlen(path) >= FOOTAGE_PATH_MAX || !utf8_valid(path, strlen(path))) {
        refuse(s, path, "its name is too long or not UTF-8");
    } else if (has_extension(path, sounds, COUNT(sounds))) {
        log_debug("own footage: %s is sound", path);
    } else if (!read_head(path, head)) {
        refuse(s, path, "it cannot be read");
    } else if (kind_of(head) == FOOTAGE_NONE) {
        refuse(s, path, "it is no MP4, MOV, MKV, WebM, JPEG, PNG or WebP file");
    } else if (s->out->count == LOCAL_FILES_MAX) {
        s->full = true;
    } else {
        add_clip(s, path, kind_of(head));
    }
}

/* --- folders --- */

static bool is_inside(const char *root, const char *real)
{
    size_t n = strlen(root);
    return strncmp(real, root, n) == 0 && (real[n] == '/' || (n == 1 && root[0] == '/'));
}

bool local_inside(const char *root, const char *path)
{
    char real[PATH_MAX];
    struct stat st;
    return realpath(path, real) && is_inside(root, real) && stat(real, &st) == 0 &&
           S_ISREG(st.st_mode);
}

static bool first_visit(struct scan *s, const struct stat *st)
{
    for (size_t i = 0; i < s->seen_count; i++)
        if (s->seen[i].dev == st->st_dev && s->seen[i].ino == st->st_ino)
            return false;
    if (s->seen_count == ENTRIES_MAX)
        return false;
    s->seen[s->seen_count].dev = st->st_dev;
    s->seen[s->seen_count++].ino = st->st_ino;
    return true;
}

static void scan_folder(struct scan *s, const char *path, int depth);

static void scan_entry(struct scan *s, const char *path, int depth)
{
    struct stat st;
    char real[PATH_MAX];
    if (lstat(path, &st) != 0)
        return;
    if (S_ISLNK(st.st_mode)) {
        if (!realpath(path, real) || stat(path, &st) != 0) {
            refuse(s, path, "the link leads nowhere");
            return;
        }
        if (!is_inside(s->root, real)) {
            refuse(s, path, "the link leads out of the folder");
            return;
        }
    }
    if (S_ISDIR(st.st_mode) && depth >= LOCAL_DEPTH_MAX)
        refuse(s, path, "it is too deep");
    else if ((S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) && first_visit(s, &st)) {
        if (S_ISDIR(st.st_mode))
            scan_folder(s, path, depth + 1);
        else
            scan_file(s, path, &st);
    }
}

/* Links come after what they may lead to, so that a file is known by its own name. */
static int by_kind_and_name(const struct dirent **a, const struct dirent **b)
{
    bool link_a = (*a)->d_type == DT_LNK, link_b = (*b)->d_type == DT_LNK;
    return link_a != link_b ? link_a - link_b : strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void scan_folder(struct scan *s, const char *path, int depth)
{
    struct dirent **entries = NULL;
    struct stat st;
    struct local_catalog *c = s->out;
    int n = stat(path, &st) == 0 ? scandir(path, &entries, is_visible, by_kind_and_name) : -1;
    if (n < 0) {
        refuse(s, path, "it cannot be read");
        return;
    }
    if (c->folder_count < FOLDERS_MAX)
        c->folders[c->folder_count++] =
            (struct local_folder){.path = arena_dup(&c->arena, path), .changed = st.st_mtim};
    for (int i = 0; i < n; i++) {
        if (s->entries++ < ENTRIES_MAX) {
            AUTO(free_ptr) char *child = str_printf("%s/%s", path, entries[i]->d_name);
            scan_entry(s, child, depth);
        } else {
            s->full = true;
        }
        free(entries[i]);
    }
    free(entries);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct local_clip *)a)->id, ((const struct local_clip *)b)->id);
}

void local_scan(const char *root, const struct local_catalog *before, struct local_catalog *ret)
{
    *ret = (struct local_catalog){0};
    struct scan s = {.root = root, .root_len = strlen(root), .before = before, .out = ret};
    ret->clips = arena_alloc(&ret->arena, LOCAL_FILES_MAX * sizeof(*ret->clips));
    ret->folders = arena_alloc(&ret->arena, FOLDERS_MAX * sizeof(*ret->folders));
    ret->refused = arena_alloc(&ret->arena, REFUSED_MAX * sizeof(*ret->refused));
    s.seen = calloc(ENTRIES_MAX, sizeof(*s.seen));
    if (!s.seen)
        abort();
    scan_folder(&s, root, 0);
    free(s.seen);
    qsort(ret->clips, ret->count, sizeof(*ret->clips), by_id);
    if (s.full && !before)
        log_warn("own footage: over %d files; the rest is left out", LOCAL_FILES_MAX);
    log_debug("own footage: %zu files in %zu folders", ret->count, ret->folder_count);
}

bool local_changed(const struct local_catalog *c)
{
    for (size_t i = 0; i < c->folder_count; i++) {
        struct stat st;
        if (stat(c->folders[i].path, &st) != 0 ||
            st.st_mtim.tv_sec != c->folders[i].changed.tv_sec ||
            st.st_mtim.tv_nsec != c->folders[i].changed.tv_nsec)
            return true;
    }
    return false;
}

void local_catalog_free(struct local_catalog *c)
{
    arena_free(&c->arena);
    *c = (struct local_catalog){0};
}
