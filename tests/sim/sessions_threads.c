/* What runs beside the loops: the played store thread, the mail between loops; and the start, from what the store has.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions.h"

static const struct fault disk = {ERR_FULL, "sim: the disk has no room"};

/* ---- the store thread */

struct write *session_write(enum write_kind kind, unsigned client, uint64_t number)
{
    struct write write = {.kind = kind};
    if (kind == WRITE_RECEIVED || kind == WRITE_RECEIVED_DELETE)
        write.as.received.session = client + 1;
    else
        write.as.delivery.session = client + 1;
    if (number)
        write.as.delivery.number = number;
    struct write *w = write_plain(&write);
    if (!w)
        abort();
    return w;
}

void job_post(struct world *w, const struct job *job)
{
    struct server *s = &w->server;
    holds(w, s->waiting_count + s->returning_count < JOBS_MAX);
    s->waiting[s->waiting_count++] = *job;
}

static void apply(struct world *w, struct job *job)
{
    struct write_result result = {.failed = OK};
    for (const struct write *write = job->write; write; write = write->next)
        holds(w, !w->writer->apply(w->writer, write, &result));
    job->failed = w->disk_full && job->write ? &disk : OK;
}

/* The loops are told of a retained message that was kept, in the order of the commits. */
static void tell_retained(struct world *w, const struct job *job)
{
    for (const struct write *write = job->write; write && !job->failed; write = write->next)
        if (write->kind == WRITE_RETAINED)
            for (unsigned loop = 0; loop < LOOPS; loop++)
                mail_post(w, loop, loop, MAIL_RETAINED)->message = message_share(write->as.retained);
}

/* One batch: all of it or nothing. */
void store_commits(struct world *w)
{
    struct server *s = &w->server;
    if (!s->waiting_count)
        return;
    size_t count = 1 + draw(w, (uint32_t)s->waiting_count);
    holds(w, !w->writer->begin(w->writer));
    for (size_t i = 0; i < count; i++)
        apply(w, &s->waiting[i]);
    if (w->disk_full)
        w->writer->rollback(w->writer);
    else
        holds(w, !w->writer->commit(w->writer));
    for (size_t i = 0; i < count; i++) {
        tell_retained(w, &s->waiting[i]);
        write_drop(s->waiting[i].write);
        s->waiting[i].write = NULL;
        s->returning[s->returning_count++] = s->waiting[i];
    }
    s->waiting_count -= count;
    memmove(s->waiting, s->waiting + count, s->waiting_count * sizeof *s->waiting);
}

/* Answers come home in order to each loop, and those of different loops in any order. */
void store_returns(struct world *w)
{
    struct server *s = &w->server;
    if (!s->returning_count)
        return;
    size_t at = draw(w, (uint32_t)s->returning_count);
    for (size_t i = 0; i < at; i++)
        if (home_of(s->returning[i].client) == home_of(s->returning[at].client))
            at = i;
    struct job job = s->returning[at];
    memmove(&s->returning[at], &s->returning[at + 1], (--s->returning_count - at) * sizeof *s->returning);
    server_hears(w, &job);
}

/* ---- the mail between loops */

struct post *mail_post(struct world *w, unsigned from, unsigned to, enum mail_kind kind)
{
    struct post_box *box = &w->server.mail[from][to];
    holds(w, box->count < POST_MAX);
    struct post *post = &box->at[(box->first + box->count++) % POST_MAX];
    *post = (struct post){.kind = kind};
    return post;
}

static bool mail_arrives(struct world *w, unsigned from, unsigned to)
{
    struct post_box *box = &w->server.mail[from][to];
    if (!box->count)
        return false;
    struct post post = box->at[box->first];
    box->at[box->first].message = NULL;
    box->first = (box->first + 1) % POST_MAX;
    box->count--;
    switch (post.kind) {
    case MAIL_OFFER:
        server_offers(w, post.arrival, to);
        mail_post(w, to, from, MAIL_ANSWER)->arrival = post.arrival;
        return true;
    case MAIL_ANSWER:
        post.arrival->answers--;
        server_answered(w, post.arrival);
        return true;
    case MAIL_COMMIT:
    case MAIL_CANCEL:
        server_settles(w, &post);
        return true;
    case MAIL_ROUTE:
        server_routes(w, to, post.message);
        break;
    case MAIL_RETAINED:
        holds(w, !retained_put(w->server.retained[to], post.message));
        break;
    }
    message_drop(post.message);
    return true;
}

/* From one loop to another, some of what waits there. */
void server_turns(struct world *w, unsigned loop)
{
    uint32_t count = 1 + draw(w, 8);
    for (uint32_t i = 0, first = draw(w, LOOPS); i < LOOPS; i++)
        while (count && mail_arrives(w, (first + i) % LOOPS, loop))
            count--;
}

bool server_is_busy(struct world *w)
{
    bool busy = w->server.waiting_count || w->server.returning_count;
    for (unsigned from = 0; from < LOOPS; from++)
        for (unsigned to = 0; to < LOOPS; to++)
            busy |= w->server.mail[from][to].count > 0;
    return busy;
}

/* ---- the start */

struct restoring {
    struct world *w;
    struct client_rows clients;
    struct client_watch_rows watches;
    struct delivery_rows deliveries;
    struct received_rows received;
    struct retained_rows retained;
    size_t known;
};

static struct session *session_of(struct world *w, uint64_t number)
{
    holds(w, number >= 1 && number <= CLIENTS);
    return &w->server.sessions[number - 1];
}

static bool client_row(struct client_rows *self, const struct client_record *client)
{
    struct restoring *r = CONTAINER(self, struct restoring, clients);
    (void)session_of(r->w, client->number);
    r->known++;
    return true;
}

static bool watch_row(struct client_watch_rows *self, uint64_t session, const struct client_watch *watch)
{
    struct restoring *r = CONTAINER(self, struct restoring, watches);
    session_of(r->w, session)->granted[watch->filter.at[2] - '0'] = (int8_t)watch->qos;
    return true;
}

static bool delivery_row(struct delivery_rows *self, const struct client_delivery *kept, struct message *message)
{
    struct restoring *r = CONTAINER(self, struct restoring, deliveries);
    struct delivery d = {.message = message,
                         .qos = kept->qos,
                         .durable = 1,
                         .state = kept->released ? DELIVERY_RELEASED : DELIVERY_SENT};
    holds(r->w, kept->released == !message);
    holds(r->w, !outbox_restore(&session_of(r->w, kept->session)->outbox, kept->number, &d));
    return true;
}

static bool received_row(struct received_rows *self, uint64_t session, uint16_t packet_id)
{
    struct restoring *r = CONTAINER(self, struct restoring, received);
    holds(r->w, !inbox_put(&session_of(r->w, session)->inbox, packet_id, INBOX_RECEIVED));
    return true;
}

static bool retained_row(struct retained_rows *self, struct message *message)
{
    struct restoring *r = CONTAINER(self, struct restoring, retained);
    for (unsigned loop = 0; loop < LOOPS; loop++)
        holds(r->w, !retained_put(r->w->server.retained[loop], message));
    return true;
}

void server_restores(struct world *w)
{
    static const struct outbox_limits limits[] = {
        {300, 1 << 20, OVERFLOW_REFUSE}, {40, 200, OVERFLOW_DROP_OLDEST}, {60, 500, OVERFLOW_DROP_QOS_0}};
    static const struct retained_limits retained = {TOPICS, 1 << 20};
    struct restoring r = {w, {client_row}, {watch_row}, {delivery_row}, {received_row}, {retained_row}, 0};
    list_open(&w->server.arrivals);
    for (unsigned c = 0; c < CLIENTS; c++) {
        struct session *s = &w->server.sessions[c];
        s->limits = limits[c % 3];
        list_open(&s->lane);
        memset(s->granted, -1, sizeof s->granted);
    }
    for (unsigned loop = 0; loop < LOOPS; loop++)
        holds(w, !retained_open(&retained, loop, &w->server.retained[loop]));
    holds(w, !w->reader->list_clients(w->reader, &r.clients) && r.known == CLIENTS);
    holds(w, !w->reader->list_client_watches(w->reader, &r.watches));
    holds(w, !w->reader->list_deliveries(w->reader, &r.deliveries));
    holds(w, !w->reader->list_received(w->reader, &r.received));
    holds(w, !w->reader->list_retained(w->reader, &r.retained));
    for (unsigned c = 0; c < CLIENTS; c++) {
        struct session *s = &w->server.sessions[c];
        size_t count = outbox_count(&s->outbox), bytes = s->outbox.bytes;
        s->messages_most = count > s->limits.messages_max ? count : s->limits.messages_max;
        s->bytes_most = bytes > s->limits.bytes_max ? bytes : s->limits.bytes_max;
    }
    w->server.up = true;
}

/* Sessions and subscriptions are kept once and for all. */
void server_open(struct world *w)
{
    struct write_result result;
    holds(w, !w->writer->begin(w->writer));
    for (unsigned c = 0; c < CLIENTS; c++) {
        char id[4], filter[4];
        snprintf(id, sizeof id, "c%u", c % 10);
        struct client_record record = {.number = c + 1,
                                       .who = {.kind = PRINCIPAL_DEVICE},
                                       .client_id = bytes_of_text(id),
                                       .expiry_s = CLIENT_EXPIRY_NEVER};
        snprintf(record.who.id, sizeof record.who.id, "%s", id);
        struct write *client = write_client(&record, 0);
        holds(w, !w->writer->apply(w->writer, client, &result));
        write_drop(client);
        for (unsigned topic = 0; topic < TOPICS; topic++) {
            snprintf(filter, sizeof filter, "t/%u", topic % 10);
            struct client_watch watch = {.filter = bytes_of_text(filter), .qos = (uint8_t)w->granted[c][topic]};
            struct write *write = w->granted[c][topic] < 0 ? NULL : write_client_watch(c + 1, &watch, 0);
            if (write)
                holds(w, !w->writer->apply(w->writer, write, &result));
            write_drop(write);
        }
    }
    holds(w, !w->writer->commit(w->writer));
    server_restores(w);
}
