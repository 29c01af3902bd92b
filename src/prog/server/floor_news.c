/* What all loops are told: by the store thread what it kept, by the query threads what operators changed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/floor_parts.h"

#include "base/memory.h"
#include "prog/server/streams.h"

/* ---- what the store kept: told on its thread, after the commit */

/* Shares are for those who publish: an event comes from nobody, so one loop stands for where it was published. */
static void publish_event(struct floor *floor, const struct event *event)
{
    struct message *message = event_message(event);
    for (size_t i = 0; message && i < floor->options.loops; i++)
        dispatch_bring(floor->stations[i].dispatch, message, i ? ROUTE_CARRIED : ROUTE_FRESH);
    message_drop(message);
}

enum { SWEEP_BUCKETS = 16 }; /* looked through for what expired, with each one that comes */

struct keepsake {
    struct mail mail;
    struct station *station;
    struct message *message;
};

static void hold_retained(struct mail *mail)
{
    struct keepsake *k = CONTAINER(mail, struct keepsake, mail);
    struct station *s = k->station;
    if (retained_put(s->retained, k->message))
        log_line(s->lobby.log, LOG_ERROR, "no memory for a retained message", "loop=%zu",
                 (size_t)(s - s->floor->stations));
    (void)retained_sweep(s->retained, wall_us(s->floor->options.clock), SWEEP_BUCKETS);
    floor_count_retained(s);
    message_drop(k->message);
    mem_drop(k);
}

/* All loops hold the same ones: they hear of them from this one thread, in the order of the commits. */
static void share_retained(struct floor *floor, struct message *message)
{
    for (size_t i = 0; i < floor->options.loops; i++) {
        struct keepsake *k = MEM_NEW(struct keepsake);
        if (!k)
            return;
        *k = (struct keepsake){{.open = hold_retained}, &floor->stations[i], message_share(message)};
        mailbox_answer(loop_mailbox(floor->stations[i].loop), &k->mail);
    }
}

static void relay(struct kept_sink *self, const struct event *event)
{
    struct floor *floor = CONTAINER(self, struct floor_relay, sink)->floor;
    if (floor)
        publish_event(floor, event);
}

static void relay_retained(struct kept_sink *self, struct message *message)
{
    struct floor *floor = CONTAINER(self, struct floor_relay, sink)->floor;
    if (floor)
        share_retained(floor, message);
}

void floor_relay_open(struct floor_relay *r)
{
    r->sink = (struct kept_sink){.event = relay, .retained = relay_retained};
    atomic_init(&r->floor, NULL);
}

/* ---- what all loops are told */

enum news_kind { NEWS_SESSION_MADE, NEWS_SESSION_ENDED, NEWS_DEVICE_GONE };

/* Waits on the teller's stack until every loop has heard it. */
struct news {
    enum news_kind kind;
    const struct session_record *session;
    const uint8_t *hash;
    const char *device_id;
    pthread_mutex_t lock;
    pthread_cond_t heard;
    size_t left;
};

struct bulletin {
    struct mail mail;
    struct station *station;
    struct news *news;
};

static void hear_news(struct mail *mail)
{
    struct bulletin *b = CONTAINER(mail, struct bulletin, mail);
    struct station *s = b->station;
    struct news *news = b->news;
    switch (news->kind) {
    case NEWS_SESSION_MADE:
        if (session_table_add(s->sessions, news->session))
            log_line(s->lobby.log, LOG_ERROR, "no memory for a session", "operator=%s", news->session->operator_name);
        break;
    case NEWS_SESSION_ENDED:
        session_table_remove(s->sessions, news->hash);
        break;
    case NEWS_DEVICE_GONE:
        lobby_expel(&s->lobby, news->device_id);
        break;
    }
    pthread_mutex_lock(&news->lock);
    if (!--news->left)
        pthread_cond_signal(&news->heard);
    pthread_mutex_unlock(&news->lock);
}

static void tell_all(struct floor *floor, struct news *news)
{
    struct bulletin bulletins[FLOOR_LOOPS_MAX];
    pthread_mutex_init(&news->lock, NULL);
    pthread_cond_init(&news->heard, NULL);
    news->left = floor->options.loops;
    for (size_t i = 0; i < floor->options.loops; i++) {
        bulletins[i] = (struct bulletin){{.open = hear_news}, &floor->stations[i], news};
        /* Not bounded by the box: each query thread has one of these under way at the most, and it must arrive. */
        mailbox_answer(loop_mailbox(floor->stations[i].loop), &bulletins[i].mail);
    }
    pthread_mutex_lock(&news->lock);
    while (news->left)
        pthread_cond_wait(&news->heard, &news->lock);
    pthread_mutex_unlock(&news->lock);
    pthread_cond_destroy(&news->heard);
    pthread_mutex_destroy(&news->lock);
}

static void session_made(struct herald *self, const struct session_record *session)
{
    tell_all(CONTAINER(self, struct floor, herald), &(struct news){.kind = NEWS_SESSION_MADE, .session = session});
}

static void session_ended(struct herald *self, const uint8_t hash[TOKEN_HASH])
{
    tell_all(CONTAINER(self, struct floor, herald), &(struct news){.kind = NEWS_SESSION_ENDED, .hash = hash});
}

static void device_gone(struct herald *self, const char *device_id)
{
    tell_all(CONTAINER(self, struct floor, herald), &(struct news){.kind = NEWS_DEVICE_GONE, .device_id = device_id});
}

void floor_open_herald(struct floor *floor)
{
    floor->herald = (struct herald){session_made, session_ended, device_gone};
}
