#include "core/net/net_internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* IPv4 ranges that are not the public internet (IANA special-purpose registry), and multicast. */
static const struct {
    uint32_t net;
    int bits;
} special_v4[] = {
    {0x00000000, 8 },
    {0x0a000000, 8 },
    {0x64400000, 10},
    {0x7f000000, 8 },
    {0xa9fe0000, 16},
    {0xac100000, 12},
    {0xc0000000, 24},
    {0xc0000200, 24},
    {0xc0586300, 24},
    {0xc0a80000, 16},
    {0xc6120000, 15},
    {0xc6336400, 24},
    {0xcb007100, 24},
    {0xe0000000, 3 },
};

static bool v4_is_public(uint32_t ip)
{
    for (size_t i = 0; i < COUNT(special_v4); i++)
        if (ip >> (32 - special_v4[i].bits) == special_v4[i].net >> (32 - special_v4[i].bits))
            return false;
    return true;
}

static uint32_t v4_at(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Only global unicast 2000::/3, without the parts that carry or stand for something else. */
static bool v6_is_public(const unsigned char *b)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(b, mapped, 12) == 0 || memcmp(b, nat64, 12) == 0)
        return v4_is_public(v4_at(b + 12));
    if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
        return v4_is_public(v4_at(b + 2));
    if (b[0] == 0x20 && b[1] == 0x01 && b[2] < 0x02) /* 2001::/23: Teredo, ORCHID, benchmarking */
        return false;
    if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8) /* documentation */
        return false;
    return (b[0] & 0xe0) == 0x20;
}

bool net_address_is_public(const void *address)
{
    const struct sockaddr *a = address;
    if (a->sa_family == AF_INET)
        return v4_is_public(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    if (a->sa_family == AF_INET6)
        return v6_is_public(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
    return false;
}

bool net_address_is_loopback(const void *address)
{
    const struct sockaddr *a = address;
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    if (a->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
    return false;
}

static bool host_is_loopback(const char *host)
{
    struct sockaddr_storage any = {0};
    if (inet_pton(AF_INET, host, &((struct sockaddr_in *)&any)->sin_addr) == 1)
        any.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &((struct sockaddr_in6 *)&any)->sin6_addr) == 1)
        any.ss_family = AF_INET6;
    if (any.ss_family != 0)
        return net_address_is_loopback(&any);
    return strcmp(host, "localhost") == 0;
}

/* For AUTO. */
static void url_free(CURLU **u)
{
    curl_url_cleanup(*u);
}

static bool url_part(CURLU *u, CURLUPart part, unsigned flags, char *dest, size_t size)
{
    char *text = NULL;
    if (curl_url_get(u, part, &text, flags) != CURLUE_OK)
        return false;
    bool fits = str_copy(dest, size, text);
    curl_free(text);
    return fits;
}

bool net_origin_parse(const char *url, struct net_origin *ret)
{
    AUTO(url_free) CURLU *u = curl_url();
    char scratch[300];
    char port[8];
    int64_t number;
    if (!u || curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !url_part(u, CURLUPART_SCHEME, 0, ret->scheme, sizeof(ret->scheme)) ||
        !url_part(u, CURLUPART_HOST, 0, scratch, sizeof(scratch)))
        return false;
    bool secure = strcmp(ret->scheme, "https") == 0 || strcmp(ret->scheme, "wss") == 0;
    if (!secure && strcmp(ret->scheme, "http") != 0 && strcmp(ret->scheme, "ws") != 0)
        return false;
    if (url_part(u, CURLUPART_PORT, 0, port, sizeof(port))) {
        if (!str_to_int(port, 1, 65535, &number))
            return false;
        ret->port = (int)number;
    } else {
        ret->port = secure ? 443 : 80;
    }
    /* A name in the authority part is how "https://good@evil/" is made. */
    char *user = NULL;
    if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK) {
        curl_free(user);
        return false;
    }
    const char *host = scratch;
    size_t len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len > 0 && host[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof(ret->host))
        return false;
    for (size_t i = 0; i < len; i++)
        ret->host[i] = (char)tolower((unsigned char)host[i]);
    ret->host[len] = '\0';
    return true;
}

bool net_origin_same(const struct net_origin *a, const struct net_origin *b)
{
    return a->port == b->port && strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0;
}

bool net_base_url_ok(const char *url, bool allow_plain, struct err *e)
{
    struct net_origin o;
    if (!url || !net_origin_parse(url, &o))
        return err_set(e, ERR_CONFIG, "start.bad_url",
                       "base URL is not http, https, ws or wss, or has a user name in it");
    bool plain = strcmp(o.scheme, "http") == 0 || strcmp(o.scheme, "ws") == 0;
    if (plain && !allow_plain && !host_is_loopback(o.host)) {
        char shown[300];
        snprintf(shown, sizeof(shown), "%s://%s:%d", o.scheme, o.host, o.port);
        return err_set_arg(e, ERR_CONFIG, "start.plain_url", shown,
                           "%s: unencrypted base URL to another machine needs "
                           "NANOTIK_ALLOW_PLAIN=1",
                           shown);
    }
    return true;
}

bool net_rules_check(struct transfer *t, const char *url)
{
    struct net_origin o;
    if (!net_origin_parse(url, &o) || str_starts(o.scheme, "ws"))
        return false;
    bool plain = strcmp(o.scheme, "http") == 0;
    bool allow_plain = false;
    if (net_engine_is_base(t->engine, &o, &allow_plain))
        t->reach = plain && !allow_plain ? REACH_LOOPBACK : REACH_ANY;
    else if (plain)
        return false;
    else
        t->reach = REACH_PUBLIC;
    t->origin = o;
    return true;
}
