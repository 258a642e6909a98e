#include "core/nano/key.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <unistd.h>

#include "core/base/strbuf.h"
#include "core/nano/ed25519.h"

/* STACK: more than libsodium's hashing and curve arithmetic need. */
enum { SEED_BYTES = 32, SEED_TEXT_MAX = 256, STACK = 8192 };

/* The one page with secrets. */
struct vault {
    struct ed_room room;
    unsigned char seed[SEED_BYTES];
} __attribute__((aligned(64)));

struct nano_seed {
    pthread_mutex_t lock; /* around every look into the vault */
    struct vault *vault;  /* no access outside of a call */
};

static void secret_free(char **text)
{
    sodium_free(*text); /* wipes */
}

static bool bad_seed(struct err *e, const char *from, const char *why)
{
    return err_set_arg(e, ERR_CONFIG, "start.bad_nano_seed", from, "%s: %s", from, why);
}

static bool open_vault(const char *hex, const char *from, struct nano_seed **ret, struct err *e)
{
    size_t len = strlen(hex);
    while (len > 0 && strchr(" \t\r\n", hex[len - 1]))
        len--;
    if (len != (size_t)2 * SEED_BYTES)
        return bad_seed(e, from, "not 64 hex digits");
    struct nano_seed *s = calloc(1, sizeof(*s));
    struct vault *v = sodium_malloc(sizeof(*v));
    if (!s || !v) {
        free(s);
        sodium_free(v);
        return err_set(e, ERR_INTERNAL, "error.internal", "no guarded memory for the seed");
    }
    sodium_memzero(v, sizeof(*v));
    pthread_mutex_init(&s->lock, NULL);
    s->vault = v;
    if (sodium_hex2bin(v->seed, SEED_BYTES, hex, len, NULL, NULL, NULL) != 0) {
        nano_seed_destroy(s);
        return bad_seed(e, from, "not 64 hex digits");
    }
    sodium_mprotect_noaccess(v);
    *ret = s;
    return true;
}

bool nano_seed_parse(const char *hex, struct nano_seed **ret, struct err *e)
{
    return open_vault(hex ? hex : "", "seed", ret, e);
}

/* Past stdio, whose buffer would keep a copy. */
static bool read_secret(const char *path, char text[static SEED_TEXT_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && len < SEED_TEXT_MAX - 1) {
        n = read(fd, text + len, SEED_TEXT_MAX - 1 - len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            len += (size_t)n;
    }
    int failed = n < 0 ? errno : 0;
    close(fd);
    text[len] = '\0';
    errno = failed;
    return failed == 0;
}

static bool seed_from_file(const char *path, const char *from, struct nano_seed **ret,
                           struct err *e)
{
    AUTO(secret_free) char *text = sodium_malloc(SEED_TEXT_MAX);
    if (!text)
        return err_set(e, ERR_INTERNAL, "error.internal", "no guarded memory for the seed");
    if (!read_secret(path, text))
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano_seed", from, "%s: %s: %m", from, path);
    return open_vault(text, from, ret, e);
}

/* Set and not empty, or NULL. */
static char *variable(const char *name)
{
    char *text = getenv(name);
    return text && *text ? text : NULL;
}

bool nano_seed_load(struct nano_seed **ret, struct err *e)
{
    char *direct = variable("NANO_SEED");
    const char *file = variable("NANO_SEED_FILE");
    const char *folder = variable("CREDENTIALS_DIRECTORY");
    if (direct && file)
        return bad_seed(e, "NANO_SEED_FILE", "set together with NANO_SEED; one is enough");
    if (direct) {
        bool ok = open_vault(direct, "NANO_SEED", ret, e);
        sodium_memzero(direct, strlen(direct)); /* "NANO_SEED=" is left, also for /proc */
        return ok;
    }
    if (file)
        return seed_from_file(file, "NANO_SEED_FILE", ret, e);
    if (folder) {
        AUTO(free_ptr) char *path = str_printf("%s/NANO_SEED", folder);
        if (access(path, F_OK) == 0)
            return seed_from_file(path, path, ret, e);
    }
    *ret = NULL;
    return true;
}

void nano_seed_destroy(struct nano_seed *s)
{
    if (!s)
        return;
    sodium_free(s->vault); /* wipes */
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* The private key of this index is in the room until vault_close. */
static struct vault *vault_open(struct nano_seed *s, uint32_t index)
{
    pthread_mutex_lock(&s->lock);
    sodium_mprotect_readwrite(s->vault);
    ed_derive(&s->vault->room, s->vault->seed, index);
    return s->vault;
}

static void vault_close(struct nano_seed *s)
{
    ed_room_wipe(&s->vault->room);
    sodium_stackzero(STACK); /* what the library left behind */
    sodium_mprotect_noaccess(s->vault);
    pthread_mutex_unlock(&s->lock);
}

bool nano_seed_account(struct nano_seed *s, uint32_t index, struct nano_account *ret, struct err *e)
{
    struct nano_account a;
    bool ok = ed_public(&vault_open(s, index)->room, a.key);
    vault_close(s);
    if (!ok)
        return err_set(e, ERR_INTERNAL, "error.internal", "key %u cannot be derived", index);
    *ret = a;
    return true;
}

bool nano_seed_sign(struct nano_seed *s, uint32_t index, const struct nano_hash *hash,
                    struct nano_signature *ret, struct err *e)
{
    bool ok = ed_sign(&vault_open(s, index)->room, hash->bytes, ret->bytes);
    vault_close(s);
    return ok || err_set(e, ERR_INTERNAL, "error.internal", "key %u cannot sign", index);
}

bool nano_verify(const struct nano_account *account, const struct nano_hash *hash,
                 const struct nano_signature *signature)
{
    return ed_verify(account->key, hash->bytes, signature->bytes);
}

bool nano_signature_parse(const char *hex, struct nano_signature *ret)
{
    struct nano_signature s;
    if (!nano_hex_parse(hex, s.bytes, sizeof(s.bytes)))
        return false;
    *ret = s;
    return true;
}

void nano_signature_print(const struct nano_signature *s, char ret_hex[static NANO_SIGNATURE_HEX])
{
    nano_hex_print(s->bytes, sizeof(s->bytes), ret_hex);
}
