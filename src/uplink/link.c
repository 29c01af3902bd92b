/* The link: when to connect, how long to wait, and what the owner is told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/link.h"

#include "base/backoff.h"
#include "base/list.h"
#include "base/memory.h"
#include "uplink/session.h"

#include <string.h>

enum { BACKOFF_FIRST_MS = 1000, BACKOFF_MAX_MS = 60000, AT_ONCE_MS = 1, TEXT_MAX = 1024 };

struct link {
    struct link_options options; /* its texts are this link's own */
    struct session session;
    struct timer again; /* the next attempt; while connected: the next look at the spool */
    struct timer limit; /* the end of the attempt, or of draining */
    struct timer pulse; /* keep-alive */
    struct backoff backoff;
    struct link_counts counts;
    enum link_state state;
    unsigned attempts;
    unsigned inside; /* calls from the loop that are under way: the owner may be calling from one */
    bool closing;
};

static const struct fault bad_options = {ERR_REFUSED, "link: an option is missing or out of its bounds"};
static const struct fault no_memory = {ERR_MEMORY, "link: no memory"};

static void free_link(struct link *link)
{
    session_drop(&link->session);
    tls_context_drop(link->options.tls);
    mem_drop((char *)(uintptr_t)link->options.host);
    mem_drop((char *)(uintptr_t)link->options.client_id);
    mem_drop((char *)(uintptr_t)link->options.user_name);
    mem_drop(link);
}

/* Around every call from the loop: link_close from inside it only marks the link, which is freed on the way out. */
static void enter(struct link *link)
{
    link->inside++;
}

static void leave(struct link *link)
{
    if (--link->inside == 0 && link->closing)
        free_link(link);
}

/* Setting a timer fails only when the loop's heap of timers cannot grow. All three were set at once when the link was
 * opened, so there is room for them. */
static void set_timer(struct link *link, struct timer *timer, int64_t after_ms)
{
    err e = loop_timer_set(link->options.loop, timer, after_ms);
    if (e)
        log_line(link->options.log, LOG_ERROR, "link stalls", "why=\"%s\"", e->text);
}

static void clear_timers(struct link *link)
{
    loop_timer_clear(link->options.loop, &link->again);
    loop_timer_clear(link->options.loop, &link->limit);
    loop_timer_clear(link->options.loop, &link->pulse);
}

static void tell(struct link *link, const struct link_note *note)
{
    link->state = note->state;
    link->options.owner->changed(link->options.owner, note);
}

/* The session is off: wait, and tell. */
static void wait_for_next(struct link *link, uint32_t wait_ms, const char *why)
{
    clear_timers(link);
    set_timer(link, &link->again, wait_ms);
    struct link_note note = {.state = LINK_WAITING, .why = why, .reason = link->session.reason, .wait_ms = wait_ms};
    tell(link, &note);
}

static void back_off(struct link *link)
{
    if (link->session.progressed)
        backoff_reset(&link->backoff);
    wait_for_next(link, backoff_next(&link->backoff, link->options.dice), link->session.why);
}

static void come_up(struct link *link)
{
    loop_timer_clear(link->options.loop, &link->limit);
    set_timer(link, &link->pulse, session_tick_ms(&link->session));
    tell(link, &(struct link_note){.state = LINK_CONNECTED,
                                   .version = link->session.version,
                                   .session_present = link->session.present,
                                   .why = "the server accepted the connection"});
}

/* Ends in order and begins anew at once: with new credentials, or to hear again what could not be taken. */
static void start_over(struct link *link)
{
    session_end(&link->session);
    link->session.reason = MQTT_SUCCESS;
    wait_for_next(link, AT_ONCE_MS, "a new connection is made on purpose");
}

/* MQTT 3.1.1 when version 5 was refused, and the owner allows it. */
static bool falls_back(struct link *link, err e)
{
    if (e != &session_other_version || link->options.version != LINK_MQTT_5_OR_3_1_1 || link->session.version != MQTT_5)
        return false;
    link->session.version = MQTT_3_1_1;
    wait_for_next(link, AT_ONCE_MS, "the server refused MQTT 5: version 3.1.1 is tried");
    return true;
}

/* What follows whatever the session did. */
static void follow(struct link *link, err e)
{
    if (!e && link->session.phase == SESSION_UP && link->state != LINK_CONNECTED)
        come_up(link);
    if (!e && !link->closing)
        e = session_pump(&link->session);
    if (link->closing)
        return;
    if (e && !falls_back(link, e))
        back_off(link);
    else if (!e && link->session.draining && session_is_idle(&link->session))
        start_over(link);
}

static void on_ready(struct watcher *self, uint32_t events)
{
    struct link *link = CONTAINER(self, struct link, session.line.watcher);
    (void)events; /* the session tries everything that may go on */
    enter(link);
    follow(link, session_turn(&link->session));
    leave(link);
}

static void begin(struct link *link)
{
    tell(link, &(struct link_note){.state = LINK_CONNECTING, .why = "connecting"});
    if (link->closing)
        return;
    struct line_target target = {link->options.tls, link->options.host, link->options.port, link->attempts++};
    set_timer(link, &link->limit, LINK_ATTEMPT_MS);
    if (session_start(&link->session, &target))
        back_off(link);
}

static void on_again(struct timer *self)
{
    struct link *link = CONTAINER(self, struct link, again);
    enter(link);
    if (link->state == LINK_WAITING)
        begin(link);
    else
        follow(link, OK);
    leave(link);
}

static void on_limit(struct timer *self)
{
    struct link *link = CONTAINER(self, struct link, limit);
    enter(link);
    if (link->session.draining) {
        start_over(link);
    } else {
        session_end(&link->session);
        wait_for_next(link, backoff_next(&link->backoff, link->options.dice), "the server did not answer in time");
    }
    leave(link);
}

static void on_pulse(struct timer *self)
{
    struct link *link = CONTAINER(self, struct link, pulse);
    enter(link);
    set_timer(link, &link->pulse, session_tick_ms(&link->session));
    follow(link, session_tick(&link->session));
    leave(link);
}

static bool filters_fit(const struct mqtt_filter *filters, size_t count)
{
    for (size_t i = 0; i < count && i < LINK_FILTERS_MAX; i++)
        if (filters[i].filter.len > TEXT_MAX)
            return false;
    return count <= LINK_FILTERS_MAX;
}

static bool options_fit(const struct link_options *o)
{
    bool there = o->loop && o->spool && o->owner && o->dice && o->log && o->host && o->client_id && o->port;
    return there && o->window <= LINK_WINDOW_MAX && o->packet_max <= LINK_PACKET_MAX && strlen(o->host) <= TEXT_MAX &&
           strlen(o->client_id) <= TEXT_MAX && (!o->user_name || strlen(o->user_name) <= TEXT_MAX) &&
           filters_fit(o->filters, o->filter_count) && filters_fit(o->former, o->former_count);
}

static err copy_texts(struct link *link, const struct link_options *o)
{
    link->options.host = mem_text(bytes_of_text(o->host));
    link->options.client_id = mem_text(bytes_of_text(o->client_id));
    link->options.user_name = o->user_name ? mem_text(bytes_of_text(o->user_name)) : NULL;
    bool all = link->options.host && link->options.client_id && (!o->user_name || link->options.user_name);
    return all ? OK : &no_memory;
}

/* All three are set at once, so that the loop has had room for them from here on. */
static err prepare_timers(struct link *link)
{
    link->again.due = on_again;
    link->limit.due = on_limit;
    link->pulse.due = on_pulse;
    TRY(loop_timer_set(link->options.loop, &link->limit, LINK_ATTEMPT_MS));
    TRY(loop_timer_set(link->options.loop, &link->pulse, LINK_ATTEMPT_MS));
    TRY(loop_timer_set(link->options.loop, &link->again, AT_ONCE_MS));
    loop_timer_clear(link->options.loop, &link->limit);
    loop_timer_clear(link->options.loop, &link->pulse);
    return OK;
}

err link_open(const struct link_options *options, struct link **out)
{
    if (!options_fit(options))
        return &bad_options;
    struct link *link = MEM_NEW(struct link);
    if (!link)
        return &no_memory;
    link->options = *options;
    link->options.tls = options->tls ? tls_context_share(options->tls) : NULL;
    link->backoff.first_ms = options->backoff_first_ms ? options->backoff_first_ms : BACKOFF_FIRST_MS;
    link->backoff.max_ms = options->backoff_max_ms ? options->backoff_max_ms : BACKOFF_MAX_MS;
    link->options.packet_max = options->packet_max ? options->packet_max : LINK_PACKET_MAX;
    session_prepare(&link->session, &link->options, &link->counts);
    link->session.line.watcher.ready = on_ready;
    err e = copy_texts(link, options);
    if (!e)
        e = prepare_timers(link);
    if (e)
        link_close(link);
    else
        *out = link;
    return e;
}

void link_close(struct link *link)
{
    if (!link || link->closing)
        return;
    link->closing = true;
    link->session.halted = true;
    clear_timers(link);
    if (!link->inside)
        free_link(link);
}

/* The spool is looked at from the loop, once for many wakes. */
void link_wake(struct link *link)
{
    if (link->state == LINK_CONNECTED && !link->closing && !link->again.place)
        set_timer(link, &link->again, AT_ONCE_MS);
}

void link_remark(struct link *link, struct bytes topic, struct bytes payload)
{
    enter(link);
    follow(link, session_remark(&link->session, topic, payload));
    leave(link);
}

void link_use_tls(struct link *link, struct tls_context *tls)
{
    tls_context_drop(link->options.tls);
    link->options.tls = tls_context_share(tls);
    link_reconnect(link);
}

void link_reconnect(struct link *link)
{
    if (link->closing)
        return;
    link->session.draining = link->session.phase != SESSION_OFF;
    if (link->state == LINK_CONNECTED)
        set_timer(link, &link->limit, LINK_DRAIN_MS);
    set_timer(link, &link->again, AT_ONCE_MS);
}

void link_read_counts(const struct link *link, struct link_counts *out)
{
    *out = link->counts;
}

enum link_state link_state_now(const struct link *link)
{
    return link->state;
}

bool link_is_deaf(const struct link *link)
{
    return link->session.deaf;
}
