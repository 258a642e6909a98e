/*
 * chat - what a chat network looks like from inside: lines in, cards and videos out.
 *
 * A person's action is always one line of text, typed or carried by a pressed button ("/cancel
 * 3f2a"), so that a network without buttons loses nothing. What the bot says is a card; each
 * adapter draws it its own way.
 */
#ifndef NANOTIK_PORT_CHAT_H
#define NANOTIK_PORT_CHAT_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

enum {
    CHAT_REF_MAX = 96,    /* an adapter's name for a message it sent */
    CHAT_ACTION_MAX = 64, /* Telegram callback_data: 64 bytes, the smallest of all networks */
    CHAT_LINE_MAX =
        262144 /* longest text of one event, in bytes; adapters refuse more with "error.too_long" */
};

/* Where to answer. A plain value: it is sealed and kept with a running job for its delivery. */
struct chat_addr {
    char network[16]; /* chat_adapter_ops.name */
    char chat[64];    /* the network's chat or channel id */
    char thread[32];  /* topic or thread inside it, or "" */
    char reply[32];   /* the message that asked, for a visible reply; "" when none or not kept */
    char group[32];   /* whose account the members of this chat share, where many chats make one
                         group (a server and its channels); "": the chat is a group by itself */
};

enum chat_event_kind {
    CHAT_LINE,    /* somebody typed a line meant for the bot */
    CHAT_BUTTON,  /* somebody pressed a button: text is its action, card_ref the card it is on */
    CHAT_REFUSED, /* the adapter could not take what was said: text is the catalog key that says why
                     ("error.too_long"), quoted its {what}; answered in the person's language.
                     user_id "": somebody without an identity of their own (a group speaking as
                     itself): answer, but make no account */
    CHAT_MOVED,   /* the chat has a new id: addr is the old one, text the new chat; settings and
                     running jobs move with it. Comes once or more. user_id "" */
};

/* All texts are borrowed for the callback only; valid UTF-8, cleaned (utf8_clean). */
struct chat_event {
    enum chat_event_kind kind;
    const char *event_id; /* unique on this network for ever: the inbox key */
    struct chat_addr addr;
    const char *user_id; /* the network's id of the person: stored sealed while the event waits,
                            then only as a keyed hash */
    const char *lang;    /* BCP 47 from the client, or "" */
    const char *text;
    const char *card_ref;     /* CHAT_BUTTON, or a reply to one of the bot's cards; else "" */
    const char *quoted;       /* text of the message this one replies to, or "" */
    const char *press;        /* CHAT_BUTTON: the network's name of this press, for
                                 chat_adapter_ops.pressed; NULL or "": nothing waits for an answer */
    bool is_group;            /* more people than this one read the answer */
    bool is_group_admin;      /* decides about the group's account */
    bool is_moderator;        /* may stop what others have under way in this chat */
    bool repaired;            /* bytes that were no UTF-8 were taken out of text */
    int64_t video_bytes_max;  /* largest film that this very chat takes, as the event told; 0:
                                 chat_abilities.video_bytes_max */
    const char *const *media; /* files sent along (footage of the person's own), in the adapter's
                                 own names: chat_adapter_ops.fetch turns one into a file */
    size_t media_count;
};

/* What arrived together, in its order; at least one, all of this network. Blocks until they are
   stored, in one transaction, and never for what they ask for: commands run later, in order per
   chat. cursor: where to go on after a restart, stored in that same transaction (the adapter's
   options tell how it comes back); NULL when there is no such thing. False: nothing is stored, offer them again; what was
   stored before is left out by its event_id. */
typedef bool chat_events_fn(void *ctx, const struct chat_event *events, size_t count,
                            const char *cursor);
enum { CHAT_CURSOR_MAX = 96 };

struct chat_button {
    const char *label;
    const char *action; /* a command line, at most CHAT_ACTION_MAX bytes ("?/script 2f" asks for
                           words to put behind it, where chat_abilities.asks); or NULL and one of: */
    const char *url;    /* opens it */
    const char *copy;   /* puts this text (at most 256 characters) on the clipboard */
    bool is_choice;     /* with its neighbours one of many: a network that has menus may fold those
                           with the same command into one */
};

/* A row of buttons ends where `ends_row` is set. */
enum { CARD_LINES_MAX = 64, CARD_BUTTONS_MAX = 32, CARD_STAGES_MAX = 8 };

enum card_stage_state { STAGE_WAITING, STAGE_RUNNING, STAGE_DONE, STAGE_FAILED };

struct card_stage {
    const char *label;
    enum card_stage_state state;
};

/* What the bot says, free of any network. Texts are already in the reader's language and borrowed
 * for the call. */
struct card {
    const char *title; /* may be NULL */
    const char *lines[CARD_LINES_MAX];
    size_t line_count;
    struct card_stage stages[CARD_STAGES_MAX];
    size_t stage_count;
    int percent;           /* 0-100; -1: no progress bar */
    const char *eta;       /* "about 20 s left", or NULL */
    const char *picture;   /* path of a PNG or JPEG, or NULL */
    const char *file;      /* path of a file that send brings along, below the texts; or NULL */
    const char *file_name; /* what it is called in the chat; set with file */
    bool is_voice_note;    /* file is Ogg Opus, to be played in the chat as somebody's voice */
    struct chat_button buttons[CARD_BUTTONS_MAX];
    bool ends_row[CARD_BUTTONS_MAX];
    size_t button_count;
    const char *lang; /* of the texts, for what an adapter itself has to add; NULL: not known */
    bool rtl;         /* the texts are right-to-left */
    bool is_private;  /* for this person's eyes: ephemeral or direct message in groups */
    bool is_public;   /* for everybody in the group, also where cards are for one person's eyes */
};

struct chat_video {
    const char *id; /* of this delivery for ever: every repeat carries the same; NULL: path */
    const char *path;
    const char *poster; /* JPEG */
    const char *srt;    /* may be NULL */
    const char *thumb;  /* JPEG, at most 320x320 and 200 kB, or NULL */
    const char *title;
    int width, height;
    int64_t duration_ms;
    int64_t bytes;
    const struct card *caption; /* text and buttons below the video */
};

/* What an adapter can do; the bot adapts. */
struct chat_abilities {
    int64_t video_bytes_max; /* 0: no limit */
    int edit_interval_ms;    /* the bot edits one card at most this often */
    int senders;    /* cards that may be on their way at once, each to another chat; 0: one */
    int card_units; /* UTF-16 units of a card's text; 0: no limit worth knowing */
    int thumb_side; /* chat_video.thumb is wanted: its longest side in pixels; 0: not wanted */
    bool buttons;   /* false: actions are shown as lines to type, and a quote is accepted at once */
    bool asks;      /* buttons whose action begins with '?' ask for words, which follow it */
    bool replies;   /* answering one of the bot's cards is usual here: chat_event.card_ref */
    bool shows_paths; /* the person sits at this machine: paths of files mean something to them */
    bool
        quiet_edits; /* a card that becomes the video notifies nobody: say so in a short new card */
};

/* The command list that a network shows while typing, in one language; given to the adapter when it
 * is made, borrowed for its life. */
struct chat_command {
    const char *name; /* "make" */
    const char *help; /* one line */
};
struct chat_menu {
    const char *lang;        /* BCP 47; the first menu also serves languages that have none */
    const char *about;       /* what the bot is, for its empty chat; up to 512 characters */
    const char *about_short; /* for its profile; up to 120 */
    const struct chat_command *commands;
    size_t command_count;
};

/* One chat network. Contracts: */
struct chat_adapter_ops {
    const char
        *name; /* REQUIRED. "telegram", "terminal": log prefix, metrics label, chat_addr.network */
    /* REQUIRED. Blocks until stop(), the end of input, or a fatal error (then false); calls
       on_events on this thread. */
    bool (*run)(void *self, chat_events_fn *on_events, void *ctx, struct err *e);
    /* REQUIRED. Any thread, any number of times, async-signal-safe not needed; makes run() return
     * within 1 s. */
    void (*stop)(void *self);
    /* REQUIRED. Thread-safe. */
    const struct chat_abilities *(*abilities)(void *self);
    /* REQUIRED. Any thread. Sends a new card; ret_ref names it for edits ("" when it cannot be
       edited). Errors: ERR_RETRY (not sent, may be repeated), ERR_CONFLICT (unknown whether sent),
       others (never will be). */
    bool (*send)(void *self, const struct chat_addr *to, const struct card *card,
                 char ret_ref[CHAT_REF_MAX], struct err *e);
    /* REQUIRED. Any thread. Replaces a card; "not modified" is success; ERR_NOT_FOUND: the card is
     * gone. */
    bool (*edit)(void *self, const struct chat_addr *to, const char *ref, const struct card *card,
                 struct err *e);
    /* REQUIRED. Any thread, blocks for the upload. Repeatable: with ref the card becomes the video;
       with "" it is a new message. ret_ref names the result. Errors, beside those of send: ERR_LIMIT:
       larger than this chat takes; arg = the bytes into which it must fit (digits; always less than
       the film has), or "" when no size will do. ERR_REFUSED: every way to the person is closed
       (blocked, kicked, forbidden, deleted); user_key says why; the film is kept for them. */
    bool (*deliver)(void *self, const struct chat_addr *to, const char *ref,
                    const struct chat_video *video, const struct cancel *cancel,
                    char ret_ref[CHAT_REF_MAX], struct err *e);
    /* OPTIONAL. Any thread. How long this chat wants to be left alone: after ERR_RETRY from send or
       edit, ask this instead of the usual back-off, and do not count it as a try. 0: nothing known.
     */
    int64_t (*hold_ms)(void *self, const struct chat_addr *to);
    /* OPTIONAL. Networks without messages for one person's eyes in a group: a link that opens the
       private chat and says `action` there ("/pay" arrives as "/start pay"). A card with is_private
       must then not be sent to a group; send one with this link. False: not known yet. */
    bool (*private_link)(void *self, const char *action, char *ret_url, size_t size);
    /* OPTIONAL. Any thread, quick. Whether others read there too, and nothing can be whispered:
       what somebody owns is not told then. NULL: nobody does. */
    bool (*is_overheard)(void *self, const struct chat_addr *where);
    /* OPTIONAL. Any thread, quick. Whether this person leads the group, for networks that do not say
       so with each event: 1 yes, 0 no, -1 not known yet (it is being asked: ask again in 100 ms). */
    int (*is_admin)(void *self, const struct chat_addr *where, const char *user_id);
    /* OPTIONAL. Any thread, quick, nothing comes of it when it fails. This press was dealt with. text:
       a few words for the eyes of who pressed alone, in place of a card; NULL: none. */
    void (*pressed)(void *self, const char *press, const char *text);
    /* OPTIONAL. Any thread, blocks. Gets a file of chat_event.media into `folder`; *ret_path is the
       caller's. Bounded in size and time. ERR_LIMIT "chat.file_too_large", ERR_NOT_FOUND
       "chat.file_gone". */
    bool (*fetch)(void *self, const char *media, const char *folder, const struct cancel *cancel,
                  char **ret_path, struct err *e);
    /* OPTIONAL. Any thread, also without run(); blocks some seconds. Asks the network who we are: the
       name that people see. ERR_CONFIG: the token is wrong. */
    bool (*whoami)(void *self, char *ret_name, size_t size, const struct cancel *cancel,
                   struct err *e);
    /* REQUIRED. After run() returned and all senders were joined; accepts a half-built self. */
    void (*destroy)(void *self);
};

struct chat_adapter {
    const struct chat_adapter_ops *ops;
    void *self;
};

#endif
