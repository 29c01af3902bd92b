/* Taking, keeping, giving. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/crossing.h"

#include "uplink/parcel.h"

void crossing_open(struct crossing *c)
{
    c->counts = (struct crossing_counts){0};
    c->parcel = (struct buffer){.max = SPOOL_PAYLOAD_MAX};
    c->unsettled = c->stopped = false;
}

void crossing_drop(struct crossing *c)
{
    buffer_drop(&c->parcel);
}

/* The first of a kind is worth a line at once; how many there were is told with the status. */
static enum link_arrival lose(struct crossing *c, uint64_t *count, struct bytes topic, const char *why)
{
    log_line(c->log, ++*count == 1 ? LOG_WARN : LOG_DEBUG, "message not forwarded", "topic=\"%.*s\" why=\"%s\"",
             (int)topic.len, (const char *)topic.at, why);
    return LINK_TAKEN;
}

static enum link_arrival stop(struct crossing *c, err why)
{
    c->counts.withheld++;
    c->stopped = true;
    c->resume_at_ms = monotonic_ms(c->clock) + CROSSING_PAUSE_MS;
    log_line(c->log, err_is(why, ERR_FULL) ? LOG_WARN : LOG_ERROR, "no more is taken",
             "from=%s why=\"%s\" hint=\"the source keeps what is not acknowledged\"",
             c->from == MAPPING_LOCAL ? "local" : "remote", why->text);
    return LINK_LATER;
}

static err keep(struct crossing *c, const struct crossing_topic *to, const struct mqtt_publish *publish)
{
    struct mqtt_publish out = *publish;
    out.qos = to->qos;
    buffer_clear(&c->parcel);
    put_parcel(&c->parcel, &out, wall_us(c->clock));
    TRY(buffer_finish(&c->parcel));
    return spool_append(c->spool, bytes_of(to->topic, to->len), buffer_view(&c->parcel));
}

enum link_arrival crossing_take(struct crossing *c, const struct mqtt_publish *publish)
{
    struct crossing_topic to;
    err e = mappings_translate(&c->mappings, c->from, publish->topic, &to);
    if (err_is(e, ERR_ABSENT))
        return lose(c, &c->counts.unmapped, publish->topic, e->text);
    if (e)
        return lose(c, &c->counts.unfit, publish->topic, e->text);
    if (!to.qos && !c->other_is_up)
        return lose(c, &c->counts.absent, publish->topic, "its rule says QoS 0, and the other side is not connected");
    e = keep(c, &to, publish);
    if (err_is(e, ERR_TOO_LARGE))
        return lose(c, &c->counts.unfit, publish->topic, e->text);
    if (e)
        return stop(c, e);
    c->counts.taken++;
    c->unsettled = c->unsettled || to.qos;
    return LINK_TAKEN;
}

err crossing_settle(struct crossing *c)
{
    if (!c->unsettled)
        return OK;
    err e = spool_sync(c->spool);
    if (e) {
        (void)stop(c, e);
        return e;
    }
    c->unsettled = false;
    c->counts.durable++;
    return OK;
}

bool crossing_may_resume(struct crossing *c)
{
    struct spool_counts now;
    spool_read_counts(c->spool, &now);
    if (!c->stopped || monotonic_ms(c->clock) < c->resume_at_ms || now.bytes > c->spool_max / 4 * 3)
        return false;
    c->stopped = false;
    return true;
}

enum link_sending crossing_unwrap(struct crossing *c, const struct spool_record *record, struct mqtt_publish *out)
{
    err e = parcel_read(record->payload, wall_us(c->clock), out);
    out->topic = record->topic;
    if (!e)
        return LINK_SEND;
    (void)lose(c, err_is(e, ERR_EXPIRED) ? &c->counts.expired : &c->counts.unfit, record->topic, e->text);
    return LINK_PASS_OVER;
}

void crossing_refused(struct crossing *c, enum mqtt_reason reason, const struct spool_record *record)
{
    (void)lose(c, &c->counts.refused, record->topic, mqtt_reason_text(reason));
}

uint64_t crossing_lost(const struct crossing *c)
{
    const struct crossing_counts *n = &c->counts;
    struct spool_counts spool;
    spool_read_counts(c->spool, &spool);
    return n->absent + n->unmapped + n->unfit + n->expired + n->refused + spool.overflowed + spool.damaged;
}
