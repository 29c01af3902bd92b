/* One side: its link, what the link says, and what is taken from it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "prog/bridge/bridge.h"

#include <stdio.h>
#include <string.h>

enum {
    RECEIVE_MAX = 128,                     /* messages that a server may have on their way to us */
    PACKET_MAX = SPOOL_PAYLOAD_MAX - 4096, /* so that its parcel fits into the spool */
    WINDOW = 128,
};

static const char *const names[] = {[MAPPING_LOCAL] = "local", [MAPPING_REMOTE] = "remote"};

/* ---- What the link says */

static void tell_up(struct side *s, const struct link_note *note)
{
    struct link_counts counts;
    link_read_counts(s->link, &counts);
    s->said[0] = 0;
    log_line(s->bridge->log, LOG_INFO, "connected", "side=%s mqtt=%s session=%s", names[s->name],
             note->version == MQTT_5 ? "5" : "3.1.1", note->session_present ? "kept" : "new");
    if (!note->session_present && counts.connected > 1 && s->subscriptions.today.count)
        log_line(s->bridge->log, LOG_WARN, "the server has forgotten the session",
                 "side=%s hint=\"what was published there meanwhile does not arrive\"", names[s->name]);
}

static void tell_down(struct side *s, const struct link_note *note)
{
    if (s->on_purpose || s->bridge->stopping)
        return;
    log_line(s->bridge->log, strcmp(s->said, s->why) ? LOG_WARN : LOG_DEBUG, "not connected",
             "side=%s why=\"%s\" again_in_ms=%u", names[s->name], s->why, note->wait_ms);
    memcpy(s->said, s->why, sizeof s->said);
}

static void changed(struct link_owner *self, const struct link_note *note)
{
    struct side *s = CONTAINER(self, struct side, owner);
    s->note = *note;
    s->since_us = wall_us(s->bridge->clock);
    why_say(s->why, "%s", note->why ? note->why : "");
    other_side(s)->crossing.other_is_up = note->state == LINK_CONNECTED;
    if (note->state == LINK_CONNECTING)
        s->on_purpose = false;
    if (note->state == LINK_CONNECTED)
        tell_up(s, note);
    if (note->state == LINK_WAITING)
        tell_down(s, note);
    s->refused_filters = note->state == LINK_CONNECTED ? s->refused_filters : 0;
}

static enum link_arrival arrived(struct link_owner *self, const struct mqtt_publish *publish)
{
    struct side *s = CONTAINER(self, struct side, owner);
    enum link_arrival verdict = crossing_take(&s->crossing, publish);
    if (other_side(s)->link)
        link_wake(other_side(s)->link);
    return verdict;
}

static err settle(struct link_owner *self)
{
    return crossing_settle(&CONTAINER(self, struct side, owner)->crossing);
}

static void refused(struct link_owner *self, enum mqtt_reason reason, const struct spool_record *record)
{
    crossing_refused(&other_side(CONTAINER(self, struct side, owner))->crossing, reason, record);
}

static enum link_sending unwrap(struct link_owner *self, const struct spool_record *record, struct mqtt_publish *out)
{
    return crossing_unwrap(&other_side(CONTAINER(self, struct side, owner))->crossing, record, out);
}

static void granted(struct link_owner *self, size_t filter, enum mqtt_reason reason)
{
    struct side *s = CONTAINER(self, struct side, owner);
    s->refused_filters += reason >= MQTT_UNSPECIFIED_ERROR;
    if (filter + 1 < s->subscriptions.today.count)
        return;
    IGNORE(subscriptions_settled(&s->subscriptions)); /* what is unsubscribed was said before, and answered before */
    log_line(s->bridge->log, s->refused_filters ? LOG_WARN : LOG_INFO, "subscribed", "side=%s filters=%zu refused=%zu",
             names[s->name], s->subscriptions.today.count, s->refused_filters);
}

/* ---- Opening */

err side_open(struct bridge *b, enum mapping_side name)
{
    const struct bridge_settings *set = &b->plan->set;
    struct side *s = &b->sides[name];
    char folder[512];
    *s = (struct side){.bridge = b, .name = name, .since_us = wall_us(b->clock)};
    s->owner = (struct link_owner){changed, arrived, refused, settle, unwrap, granted};
    s->crossing = (struct crossing){.spool_max = name == MAPPING_LOCAL ? set->queue_out : set->queue_in,
                                    .mappings = {b->plan->mappings, b->plan->count},
                                    .from = name,
                                    .clock = b->clock,
                                    .log = b->log};
    crossing_open(&s->crossing);
    snprintf(folder, sizeof folder, "%s/queue.%s", set->folder, name == MAPPING_LOCAL ? "out" : "in");
    const struct spool_options options = {.folder = folder,
                                          .bytes_max = s->crossing.spool_max,
                                          .policy = set->queue_full == QUEUE_REFUSE ? SPOOL_REFUSE : SPOOL_DROP_OLDEST};
    TRY(spool_open(&options, &s->crossing.spool));
    return subscriptions_open(&s->subscriptions, set->folder, &s->crossing.mappings, name);
}

static err make_local_tls(const struct bridge *b, const char *host, struct tls_context **out)
{
    const struct tls_options options = {.chain_pem = buffer_view(&b->credentials.chain_pem),
                                        .key_pem = buffer_view(&b->credentials.key_pem),
                                        .anchors_pem = buffer_view(&b->credentials.root_pem),
                                        .server_name = host,
                                        .alpn = ""};
    return tls_context_client(&options, out);
}

static const char *local_host(const struct bridge *b)
{
    return b->plan->set.local_host[0] ? b->plan->set.local_host : b->credentials.server.host;
}

/* What both sides have in common. */
static struct link_options options_of(struct side *s)
{
    struct bridge *b = s->bridge;
    return (struct link_options){
        .loop = b->loop,
        .spool = other_side(s)->crossing.spool,
        .owner = &s->owner,
        .dice = b->dice,
        .log = b->log,
        .keep_alive = (uint16_t)b->plan->set.keep_alive,
        .window = WINDOW,
        .session_expiry = (uint32_t)b->plan->set.session,
        .packet_max = PACKET_MAX,
        .receive_max = RECEIVE_MAX,
        .filters = s->subscriptions.today.at,
        .filter_count = s->subscriptions.today.count,
        .former = s->subscriptions.former.at,
        .former_count = s->subscriptions.former.count,
    };
}

static err connect_local(struct side *s)
{
    struct link_options options = options_of(s);
    TRY(make_local_tls(s->bridge, local_host(s->bridge), &options.tls));
    options.host = local_host(s->bridge);
    options.port = s->bridge->plan->set.local_port;
    options.client_id = s->bridge->credentials.id;
    err e = link_open(&options, &s->link);
    tls_context_drop(options.tls);
    return e;
}

/* Rules that would echo need No Local, so that for them MQTT 3.1.1 is no way out: forwarding in circles would be worse
 * than not to forward. */
static enum link_version remote_version(const struct side *s)
{
    static const enum link_version versions[] = {
        [REMOTE_AUTO] = LINK_MQTT_5_OR_3_1_1, [REMOTE_5] = LINK_MQTT_5, [REMOTE_3_1_1] = LINK_MQTT_3_1_1};
    enum link_version version = versions[s->bridge->plan->set.remote_version];
    char why[WHY_TEXT];
    size_t wrong;
    if (version != LINK_MQTT_5_OR_3_1_1 || !mappings_check_echo(&s->crossing.mappings, &wrong, why))
        return version;
    log_line(s->bridge->log, LOG_INFO, "the other broker must speak MQTT 5", "line=%zu why=\"%s\"",
             s->bridge->plan->lines[wrong], why);
    return LINK_MQTT_5;
}

static err connect_remote(struct side *s)
{
    const struct bridge_settings *set = &s->bridge->plan->set;
    struct link_options options = options_of(s);
    char client_id[sizeof set->remote_client_id + DEVICE_ID_MAX];
    snprintf(client_id, sizeof client_id, "%s%s", set->remote_client_id[0] ? set->remote_client_id : "holdfast-bridge-",
             set->remote_client_id[0] ? "" : s->bridge->credentials.id);
    options.tls = s->bridge->access.tls;
    options.version = remote_version(s);
    options.host = set->remote_host;
    options.port = set->remote_port;
    options.client_id = client_id;
    options.user_name = set->remote_user_name[0] ? set->remote_user_name : NULL;
    options.password = s->bridge->access.password.len ? &s->bridge->access.password : NULL;
    return link_open(&options, &s->link);
}

err side_connect(struct side *s)
{
    return s->name == MAPPING_LOCAL ? connect_local(s) : connect_remote(s);
}

void side_use_credentials(struct side *s)
{
    struct tls_context *tls;
    err e = make_local_tls(s->bridge, local_host(s->bridge), &tls);
    if (e) {
        log_line(s->bridge->log, LOG_ERROR, "the renewed certificate cannot be used", "why=\"%s\"", e->text);
        return;
    }
    s->on_purpose = s->note.state == LINK_CONNECTED;
    link_use_tls(s->link, tls);
    tls_context_drop(tls);
}

void side_resume(struct side *s)
{
    if (!crossing_may_resume(&s->crossing) || !link_is_deaf(s->link))
        return;
    log_line(s->bridge->log, LOG_INFO, "messages are taken again", "from=%s", names[s->name]);
    s->on_purpose = true;
    link_reconnect(s->link);
}

void side_close(struct side *s)
{
    link_close(s->link);
    s->link = NULL;
}

void side_drop(struct side *s)
{
    subscriptions_drop(&s->subscriptions);
    crossing_drop(&s->crossing);
    spool_close(s->crossing.spool);
}
