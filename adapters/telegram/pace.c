#include "adapters/telegram/pace.h"

#include <string.h>

enum {
    CHATS = 4096, /* remembered; the longest unused is forgotten first */
    PROBES = 16,
    CHAT_BURST = 3,
    CHAT_MS = 1000, /* per token */
    GROUP_MAX = 20,
    GROUP_MS = 60000,
    ALL_BURST = 25,
    ALL_MS = 40,
    FLOOD_CHATS = 3, /* so many chats told to wait ... */
    FLOOD_MS = 5000, /* ... within this time: it is the bot, not the chat */
};

/* What a lane leaves to the lanes above it. */
static const struct {
    int chat, group, all;
} leave[] = {
    [LANE_ANSWER] = {0, 0, 0 },
      [LANE_VIDEO] = {0, 2, 4 },
      [LANE_STATUS] = {1, 6, 10}
};

struct chat {
    int64_t id; /* 0: free slot */
    int64_t used_ms;
    int64_t full_ms;  /* when the bucket is full again: one number is the whole bucket */
    int64_t until_ms; /* rests until then */
    int64_t sent[GROUP_MAX];
    int next; /* oldest of sent[] */
};

struct pace {
    int64_t full_ms, until_ms; /* of all chats */
    int64_t flood_ms[FLOOD_CHATS];
    int64_t flood_chat[FLOOD_CHATS];
    int flood_next;
    struct chat chats[CHATS];
};

struct pace *pace_create(void)
{
    struct pace *p = calloc(1, sizeof(*p));
    if (!p)
        abort(); /* half a megabyte at start */
    for (int i = 0; i < FLOOD_CHATS; i++)
        p->flood_ms[i] = INT64_MIN / 2;
    return p;
}

void pace_destroy(struct pace *p)
{
    free(p);
}

static void chat_reset(struct chat *c, int64_t id)
{
    memset(c, 0, sizeof(*c));
    c->id = id;
    c->full_ms = INT64_MIN / 2;
    for (int i = 0; i < GROUP_MAX; i++)
        c->sent[i] = INT64_MIN / 2;
}

/* A slot near the hash of the id; the one unused longest makes room. */
static struct chat *find(struct pace *p, int64_t id, int64_t now)
{
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u;
    struct chat *oldest = NULL;
    for (int i = 0; i < PROBES; i++) {
        struct chat *c = &p->chats[((h >> 40) + (uint64_t)i) % CHATS];
        if (c->id == id) {
            c->used_ms = now;
            return c;
        }
        /* A resting chat is forgotten last: it is the one that a mistake would hurt. */
        int64_t age = c->id == 0 ? INT64_MIN / 2 : MAX(c->used_ms, c->until_ms);
        int64_t best = !oldest           ? INT64_MAX
                       : oldest->id == 0 ? INT64_MIN / 2
                                         : MAX(oldest->used_ms, oldest->until_ms);
        if (age < best)
            oldest = c;
    }
    chat_reset(oldest, id);
    oldest->used_ms = now;
    return oldest;
}

/* Wait until a bucket that is full again at full_ms has more than `spare` of `burst` tokens. */
static int64_t bucket_wait(int64_t full_ms, int burst, int64_t token_ms, int spare, int64_t now)
{
    return MAX(0, full_ms - (burst - 1 - spare) * token_ms - now);
}

static int64_t wait_for(struct pace *p, struct chat *c, enum pace_lane lane, int64_t now)
{
    int64_t wait = MAX(c->until_ms, p->until_ms) - now;
    wait = MAX(wait, bucket_wait(p->full_ms, ALL_BURST, ALL_MS, leave[lane].all, now));
    wait = MAX(wait, bucket_wait(c->full_ms, CHAT_BURST, CHAT_MS, leave[lane].chat, now));
    if (c->id < 0) {
        /* The send that must be a minute old before this lane may add another one. */
        int64_t old = c->sent[(c->next + leave[lane].group) % GROUP_MAX];
        wait = MAX(wait, old + GROUP_MS - now);
    }
    return MAX(wait, 0);
}

int64_t pace_wait(struct pace *p, int64_t chat, enum pace_lane lane, int64_t now_ms)
{
    return wait_for(p, find(p, chat, now_ms), lane, now_ms);
}

int64_t pace_take(struct pace *p, int64_t chat, enum pace_lane lane, int64_t now_ms)
{
    struct chat *c = find(p, chat, now_ms);
    int64_t wait = wait_for(p, c, lane, now_ms);
    if (wait > 0)
        return wait;
    c->full_ms = MAX(c->full_ms, now_ms) + CHAT_MS;
    p->full_ms = MAX(p->full_ms, now_ms) + ALL_MS;
    c->sent[c->next] = now_ms;
    c->next = (c->next + 1) % GROUP_MAX;
    return 0;
}

void pace_hold(struct pace *p, int64_t chat, int64_t ms, int64_t now_ms)
{
    struct chat *c = find(p, chat, now_ms);
    c->until_ms = MAX(c->until_ms, now_ms + ms);
    int recent = 0;
    bool counted = false;
    for (int i = 0; i < FLOOD_CHATS; i++) {
        bool is_recent = now_ms - p->flood_ms[i] < FLOOD_MS;
        counted = counted || (is_recent && p->flood_chat[i] == chat);
        recent += is_recent;
    }
    if (counted)
        return;
    if (recent + 1 >= FLOOD_CHATS)
        p->until_ms = MAX(p->until_ms, now_ms + ms);
    p->flood_ms[p->flood_next] = now_ms;
    p->flood_chat[p->flood_next] = chat;
    p->flood_next = (p->flood_next + 1) % FLOOD_CHATS;
}

bool pace_held(struct pace *p, int64_t chat, int64_t now_ms)
{
    return MAX(find(p, chat, now_ms)->until_ms, p->until_ms) > now_ms;
}
