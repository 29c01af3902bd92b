/* The way out: the link, and what its changes mean.
 *
 * A server that is away is waited for by the link itself (seconds to a minute). A server that refuses this very device
 * (it was deleted, or another holds its name) is asked again only every five to ten minutes, and logged once: nothing
 * that the agent could do in between would change its mind. Meanwhile the spool keeps what is measured. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/text.h"
#include "os/file.h"
#include "prog/agent/agent.h"
#include "prog/agent/commands.h"

enum { REFUSED_MS = 300 * 1000 };

static const char *const state_names[] = {
    [LINK_WAITING] = "waiting", [LINK_CONNECTING] = "connecting", [LINK_CONNECTED] = "connected"};

void outbound_leave_state(struct agent *a, const char *why)
{
    SCOPED(buffer_drop) struct buffer text = {.max = STATE_MAX};
    char path[512], since[TIME_TEXT];
    time_text(wall_us(a->clock), since);
    put_format(&text, "{\"link\":\"%s\",\"since\":\"%s\",\"why\":", state_names[a->outbound.state], since);
    put_json_text(&text, bytes_of_text(why));
    put_text(&text, "}\n");
    snprintf(path, sizeof path, "%s/" STATE_FILE, a->settings->folder);
    if (!buffer_finish(&text))
        IGNORE(file_replace(path, buffer_view(&text), 0600));
}

/* The server knows this device and will not have it; a new attempt in a minute would hear the same. */
static bool refuses_device(enum mqtt_reason reason)
{
    return reason == MQTT_NOT_AUTHORIZED || reason == MQTT_BANNED || reason == MQTT_BAD_USER_NAME_OR_PASSWORD ||
           reason == MQTT_CLIENT_IDENTIFIER_NOT_VALID;
}

static void tell_lost(struct agent *a, const struct link_note *note)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = 1024};
    put_text(&detail, "\"why\":");
    put_json_text(&detail, bytes_of_text(note->why));
    report_event(&a->reporter, &(struct report){"link.lost", SEVERITY_WARNING, buffer_view(&detail)});
    IGNORE(spool_sync(a->spool));
}

/* Once per outage, when there is somebody to be told. */
static void tell_dropped(struct agent *a)
{
    struct spool_counts counts;
    spool_read_counts(a->spool, &counts);
    uint64_t lost = counts.overflowed + counts.damaged;
    if (lost <= a->outbound.told_lost)
        return;
    SCOPED(buffer_drop) struct buffer detail = {.max = 256};
    put_format(&detail, "\"messages\":%llu,\"overflowed\":%llu,\"damaged\":%llu",
               (unsigned long long)(lost - a->outbound.told_lost), (unsigned long long)counts.overflowed,
               (unsigned long long)counts.damaged);
    a->outbound.told_lost = lost;
    report_event(&a->reporter, &(struct report){"spool.dropped", SEVERITY_WARNING, buffer_view(&detail)});
    link_wake(a->outbound.link);
}

static void be_refused(struct agent *a, const struct link_note *note)
{
    if (a->outbound.refusal != note->reason)
        log_line(a->log, LOG_ERROR, "the server refuses this device",
                 "device=%s why=\"%s\" hint=\"it was deleted there, or another device has its name; a new token and "
                 "holdfast-agent enrol --new-key bring it back\"",
                 a->credentials.id, note->why);
    a->outbound.refusal = note->reason;
    agent_again(a, &a->outbound.reopen, 0);
}

static void note_state(struct agent *a, const struct link_note *note)
{
    enum link_state before = a->outbound.state;
    a->outbound.state = note->state;
    if (note->state == LINK_CONNECTED) {
        a->outbound.refusal = MQTT_SUCCESS;
        a->outbound.said[0] = 0;
        log_line(a->log, LOG_INFO, "connected", "device=%s", a->credentials.id);
        tell_dropped(a);
    }
    if (before == LINK_CONNECTED && note->state != LINK_CONNECTED && !a->outbound.reconnecting)
        tell_lost(a, note);
    if (note->state == LINK_CONNECTING)
        a->outbound.reconnecting = false;
    else
        outbound_leave_state(a, note->why ? note->why : "");
}

static void changed(struct link_owner *self, const struct link_note *note)
{
    struct agent *a = CONTAINER(self, struct agent, outbound.owner);
    note_state(a, note);
    if (a->stop_by_ms)
        return;
    if (note->state == LINK_WAITING && refuses_device(note->reason))
        be_refused(a, note);
    else if (note->state == LINK_WAITING && !a->outbound.reconnecting)
        log_line(a->log, agent_says_anew(a->outbound.said, note->why) ? LOG_WARN : LOG_DEBUG, "not connected",
                 "why=\"%s\" again_in_ms=%u", note->why, note->wait_ms);
}

static enum link_arrival arrived(struct link_owner *self, const struct mqtt_publish *publish)
{
    return LINK_TAKEN; /* nothing is subscribed */
}

static void refused(struct link_owner *self, enum mqtt_reason reason, const struct spool_record *record)
{
    struct agent *a = CONTAINER(self, struct agent, outbound.owner);
    log_line(a->log, LOG_ERROR, "the server refused a message for good", "reason=0x%02x topic=%.*s bytes=%zu",
             (unsigned)reason, (int)record->topic.len, (const char *)record->topic.at, record->payload.len);
}

static err make_tls(const struct agent *a, const char *host, struct tls_context **out)
{
    const struct tls_options options = {
        .chain_pem = buffer_view(&a->credentials.chain_pem),
        .key_pem = buffer_view(&a->credentials.key_pem),
        .anchors_pem = buffer_view(&a->credentials.root_pem),
        .server_name = host,
        .alpn = "",
    };
    return tls_context_client(&options, out);
}

static const char *host_of(const struct agent *a)
{
    return a->settings->mqtt_host[0] ? a->settings->mqtt_host : a->credentials.server.host;
}

static err open_link(struct agent *a)
{
    struct tls_context *tls;
    TRY(make_tls(a, host_of(a), &tls));
    const struct link_options options = {
        .loop = a->loop,
        .spool = a->spool,
        .owner = &a->outbound.owner,
        .dice = a->dice,
        .log = a->log,
        .tls = tls,
        .host = host_of(a),
        .port = a->settings->mqtt_port,
        .client_id = a->credentials.id,
    };
    err e = link_open(&options, &a->outbound.link);
    tls_context_drop(tls);
    return e;
}

/* A link that is refused keeps trying by itself: it is put away for the long wait, and made anew behind it. */
static void reopen(struct timer *self)
{
    struct agent *a = CONTAINER(self, struct agent, outbound.reopen);
    uint32_t extra_ms;
    a->dice->fill(a->dice, (uint8_t *)&extra_ms, sizeof extra_ms);
    err e = OK;
    if (a->outbound.link)
        outbound_stop(a);
    else
        e = open_link(a);
    if (e)
        log_line(a->log, LOG_ERROR, "no connection can be made", "why=\"%s\"", e->text);
    if (!a->outbound.link)
        agent_again(a, self, REFUSED_MS + extra_ms % REFUSED_MS);
}

err outbound_start(struct agent *a)
{
    a->outbound.owner = (struct link_owner){.changed = changed, .arrived = arrived, .refused = refused};
    a->outbound.reopen.due = reopen;
    return open_link(a);
}

void outbound_stop(struct agent *a)
{
    link_close(a->outbound.link);
    a->outbound.link = NULL;
    a->outbound.state = LINK_WAITING;
}

void outbound_use_credentials(struct agent *a)
{
    struct tls_context *tls;
    err e = make_tls(a, host_of(a), &tls);
    if (e) {
        log_line(a->log, LOG_ERROR, "the renewed certificate cannot be used", "why=\"%s\"", e->text);
        return;
    }
    a->outbound.reconnecting = a->outbound.state == LINK_CONNECTED;
    if (a->outbound.link)
        link_use_tls(a->outbound.link, tls);
    tls_context_drop(tls);
}
