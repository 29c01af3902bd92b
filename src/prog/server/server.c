/* The server process: greets the keeper, enters its sandbox, opens its doors, and waits for the signal to stop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/server.h"

#include "os/channel.h"
#include "os/clock.h"
#include "os/identity.h"
#include "os/sandbox.h"
#include "os/signals.h"
#include "os/socket.h"
#include "os/tls.h"
#include "os/watchdog.h"
#include "prog/server/compose.h"
#include "store/sqlite.h"
#include "trust/account.h"
#include "trust/token.h"
#include "wire/json.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    CHORES_MS = 60000,  /* how often the chores are looked at */
    EXPIRE_EVERY = 30,  /* chores between two clean-ups of what expired */
    LEAVE_MS = 2000,    /* the longest that peers get to hear that the server stops */
    LEAVE_LOOK_MS = 10, /* how often it is looked whether all have */
    TELL_MS = 10000,
    TIDY_MS = 250,
    LISTS_MS = 1000,         /* how often it is looked whether there are other revocation lists */
    TIDY_CROWD = 100,        /* connections */
    SPARE_DESCRIPTORS = 256, /* the store's, the loops', the channels' */
};

/* The main thread: signals and chores. */
struct steward {
    struct server server;
    struct loop *loop;
    struct signals signals;
    struct timer chores, leave;
    struct watchdog dog;
    struct timer tidy, lists;
    uint64_t connections_seen, connections_tidied; /* of all that ever came */
    unsigned rounds;
    int64_t leave_at_ms; /* 0: nobody asked us to stop */
};

static err tell_event(struct server *s, enum event_kind kind)
{
    struct event event = {.time_us = wall_us(machine_clock()),
                          .kind = kind,
                          .severity = event_kind_severity(kind),
                          .detail = BYTES("{\"version\":\"" HOLDFAST_VERSION "\"}")};
    return s->recorder->record(s->recorder, write_event(&event), NULL);
}

/* ---- the start-up text */

static err put_invitation(struct server *s, struct buffer *text)
{
    SCOPED(secret_wipe) struct secret secret = {0};
    struct store_reader *reader;
    TRY(server_open_reader(s, &reader));
    struct accounts accounts = {
        .reader = reader, .recorder = s->recorder, .clock = machine_clock(), .dice = machine_dice()};
    err failed = account_invite(&accounts, &secret);
    reader->close(reader);
    if (err_is(failed, ERR_EXISTS))
        return OK; /* there is an operator: no second way in */
    TRY(failed);
    put_format(text, "  first sign-in     %s/#setup=", s->public_url);
    put_bytes(text, secret_view(&secret));
    put_format(text, "\n                    (one time, for %d hours: it makes the first account)\n",
               ACCOUNT_SETUP_HOURS);
    return OK;
}

static err put_token(struct server *s, struct buffer *text)
{
    const struct server_settings *set = s->settings;
    SCOPED(secret_wipe) struct secret secret = {0};
    struct write write = {.kind = WRITE_TOKEN, .now_us = wall_us(machine_clock())};
    struct token_order order = {.group = bytes_of_text(set->start_group),
                                .uses = set->start_uses,
                                .minutes = set->start_minutes,
                                .made_by = BYTES("start")};
    if (!set->start_uses)
        return OK;
    TRY(token_make(&order, machine_clock(), machine_dice(), &write.as.token, &secret));
    TRY(s->recorder->record(s->recorder, write_plain(&write), NULL));
    put_text(text, "  enrolment token   ");
    put_bytes(text, secret_view(&secret));
    put_format(text, "  (%llu uses, %llu minutes, group %s)\n", (unsigned long long)set->start_uses,
               (unsigned long long)set->start_minutes, set->start_group);
    return OK;
}

/* Those that the settings ask for besides the two that every server has. */
static err put_further_ports(const struct server *s, struct buffer *text)
{
    struct port_wish wishes[PORTS];
    port_wishes(s->settings, wishes);
    for (int i = PORT_MQTT_WEBSOCKET; i < PORTS; i++) {
        uint16_t number;
        if (!wishes[i].open)
            continue;
        TRY(socket_port(SERVER_PORTS + i, &number));
        put_format(text, strchr(wishes[i].host, ':') ? "  %-17s [%s]:%u\n" : "  %-17s %s:%u\n", wishes[i].name,
                   wishes[i].host, number);
    }
    return OK;
}

static err tell_launcher(struct server *s)
{
    SCOPED(buffer_wipe) struct buffer text = {.max = 4096};
    put_format(&text, "Holdfast %s is ready.\n", HOLDFAST_VERSION);
    put_format(&text, "  console and API   %s/\n", s->public_url);
    put_format(&text, "  MQTT over TLS     %s\n", s->mqtt_address);
    TRY(put_further_ports(s, &text));
    put_format(&text, "  root certificate  %s/api/v1/ca.pem\n", s->public_url);
    put_format(&text, "                    SHA-256 %s\n", s->facts.root_sha256);
    TRY(put_invitation(s, &text));
    TRY(put_token(s, &text));
    TRY(buffer_finish(&text));
    return channel_send(SERVER_LAUNCHER, buffer_view(&text), TELL_MS);
}

/* ---- chores */

/* What fails is tried again with the next chores, by a new certificate. */
static err use_contexts(struct server *s)
{
    err failed = floor_use_tls(s->floor, s->tls.contexts);
    if (failed)
        s->tls.renew_us = 0;
    return failed;
}

static void renew_when_due(struct server *s)
{
    if (!port_tls_is_due(&s->tls))
        return;
    err failed = port_tls_renew(&s->tls);
    if (!failed)
        failed = use_contexts(s);
    log_line(&s->log, failed ? LOG_ERROR : LOG_INFO, "server certificate renewal", "result=\"%s\"", err_text(failed));
}

/* From new lists on: handshakes and tickets are judged by them, and whoever they name is disconnected. */
static void look_at_lists(struct timer *timer)
{
    struct steward *w = CONTAINER(timer, struct steward, lists);
    struct server *s = &w->server;
    if (port_tls_has_new_lists(&s->tls)) {
        err failed = port_tls_read_lists(&s->tls);
        if (!failed)
            failed = use_contexts(s);
        log_line(&s->log, failed ? LOG_ERROR : LOG_INFO, "revocation lists", "bytes=%zu result=\"%s\"",
                 s->tls.lists_pem.len, err_text(failed));
    }
    IGNORE(loop_timer_set(w->loop, timer, LISTS_MS)); /* its place is there */
}

static void do_chores(struct timer *timer)
{
    struct steward *w = CONTAINER(timer, struct steward, chores);
    struct server *s = &w->server;
    renew_when_due(s);
    if (port_tls_rotate_when_due(&s->tls))
        log_line(&s->log, LOG_DEBUG, "new key for session tickets", "life=%llus",
                 (unsigned long long)s->settings->tls_ticket_life);
    if (w->rounds++ % EXPIRE_EVERY == 0) {
        struct write expire = {.kind = WRITE_EXPIRE, .now_us = wall_us(machine_clock())};
        IGNORE(s->recorder->record(s->recorder, write_plain(&expire), NULL)); /* again in the next round */
    }
    IGNORE(loop_timer_set(w->loop, &w->chores, CHORES_MS));
}

/* ---- what handshakes leave behind */

/* A handshake takes 50 KB for a moment, and what it gives back lies between what the connections keep: after a crowd
 * has come, whole pages of it are free and still ours. They go back once the crowd is in. */
static void tidy(struct timer *timer)
{
    struct steward *w = CONTAINER(timer, struct steward, tidy);
    uint64_t came = floor_accepted(w->server.floor);
    if (came == w->connections_seen && came - w->connections_tidied >= TIDY_CROWD) {
        mem_trim();
        w->connections_tidied = came;
    }
    w->connections_seen = came;
    IGNORE(loop_timer_set(w->loop, timer, TIDY_MS)); /* its place is there */
}

/* ---- loops that stand still */

static void tell_stall(struct server *s, size_t number, int64_t for_ms)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = DETAIL_MAX};
    put_format(&detail, "{\"loop\":%zu,\"for_ms\":%lld}", number, (long long)for_ms);
    struct event event = {.time_us = wall_us(machine_clock()),
                          .kind = EVENT_LOOP_STALLED,
                          .severity = event_kind_severity(EVENT_LOOP_STALLED),
                          .detail = buffer_view(&detail)};
    IGNORE(s->recorder->record(s->recorder, write_event(&event), NULL)); /* the log and the counter have it */
}

static void stalled(struct watchdog *dog, size_t number, int64_t for_ms)
{
    struct server *s = &CONTAINER(dog, struct steward, dog)->server;
    counter_add(&s->loop_stalls, 1);
    log_line(&s->log, LOG_ERROR, "loop stalled", "loop=%zu for_ms=%lld", number, (long long)for_ms);
    tell_stall(s, number, for_ms);
}

static void resumed(struct watchdog *dog, size_t number, int64_t for_ms)
{
    struct server *s = &CONTAINER(dog, struct steward, dog)->server;
    log_line(&s->log, LOG_WARN, "loop goes on", "loop=%zu after_ms=%lld", number, (long long)for_ms);
}

static err open_watchdog(struct steward *w)
{
    struct loop *loops[FLOOR_LOOPS_MAX];
    size_t count = floor_loops(w->server.floor, loops);
    w->dog = (struct watchdog){
        .stall_ms = (int64_t)w->server.settings->loop_stall * 1000, .stalled = stalled, .resumed = resumed};
    return watchdog_open(&w->dog, w->loop, loops, count);
}

static void leave(struct timer *timer)
{
    struct steward *w = CONTAINER(timer, struct steward, leave);
    bool all_left = !floor_connections(w->server.floor);
    if (all_left || loop_now_ms(w->loop) >= w->leave_at_ms || loop_timer_set(w->loop, &w->leave, LEAVE_LOOK_MS))
        loop_stop(w->loop);
}

static void caught(struct signals *signals, int signal)
{
    struct steward *w = CONTAINER(signals, struct steward, signals);
    if (signal != SIGTERM && signal != SIGINT)
        return;
    if (w->leave_at_ms)
        return; /* a terminal's Ctrl-C reaches us and the launcher, which tells us too */
    if (loop_timer_set(w->loop, &w->leave, LEAVE_LOOK_MS)) {
        loop_stop(w->loop);
        return;
    }
    w->leave_at_ms = loop_now_ms(w->loop) + LEAVE_MS;
    floor_shut(w->server.floor);
}

/* ---- life */

enum { FOLDER_MAX = 256 };

/* As root the data folder becomes the whole file tree, so that its parents need not be open to the server's user. */
static err enter_sandbox(const struct server_settings *settings, char folder[FOLDER_MAX])
{
    struct identity who;
    const char *folders[] = {folder, NULL};
    snprintf(folder, FOLDER_MAX, "%s/server", settings->data);
    if (geteuid() == 0) {
        TRY(identity_find(settings->server_user, &who));
        TRY(identity_confine(settings->data));
        TRY(identity_drop(&who));
        snprintf(folder, FOLDER_MAX, "/server");
    }
    TRY(sandbox_enter(&(struct sandbox_options){
        .profile = SANDBOX_SERVER,
        .folders = folders,
        .strictness = settings->insecure_without_landlock ? SANDBOX_INSECURE_WITHOUT_LANDLOCK : SANDBOX_STRICT}));
    return settings->insecure_without_landlock ? OK : sandbox_prove();
}

/* Each connection is a descriptor: as many as the system lets us have. */
static void raise_descriptors(const struct server *s)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < s->limits.connections_max + SPARE_DESCRIPTORS)
        log_line(&s->log, LOG_WARN, "fewer descriptors than limits.connections", "descriptors=%llu connections=%zu",
                 (unsigned long long)limit.rlim_cur, s->limits.connections_max);
}

static err open_up(struct steward *w, const struct server_settings *settings)
{
    struct server *s = &w->server;
    char folder[FOLDER_MAX];
    TRY(signals_hold());
    /* What these load or draw on first use, they could not within the sandbox. */
    TRY(tls_prepare());
    json_seed();
    sqlite_prepare();
    TRY(server_prepare(s, settings));
    raise_descriptors(s);
    TRY(enter_sandbox(settings, folder));
    log_line(&s->log, LOG_INFO, "sandbox entered", "files=\"%s/server only\" programs=none proven=%s", settings->data,
             settings->insecure_without_landlock ? "no" : "yes");
    TRY(loop_open(machine_clock(), 16, &w->loop));
    w->signals = (struct signals){.watcher.fd = -1, .caught = caught};
    TRY(signals_open(&w->signals, w->loop));
    TRY(server_compose(s, folder));
    TRY(tell_event(s, EVENT_SERVER_STARTED));
    w->chores = (struct timer){.due = do_chores};
    w->leave = (struct timer){.due = leave};
    TRY(loop_timer_set(w->loop, &w->chores, 1));
    TRY(open_watchdog(w));
    w->lists.due = look_at_lists;
    TRY(loop_timer_set(w->loop, &w->lists, LISTS_MS));
    w->tidy.due = tidy;
    TRY(loop_timer_set(w->loop, &w->tidy, TIDY_MS));
    return tell_launcher(s);
}

int server_run(const struct server_settings *settings)
{
    struct steward w = {.signals.watcher.fd = -1};
    err failed = open_up(&w, settings);
    if (failed)
        log_line(&w.server.log, LOG_ERROR, "the server could not start", "why=\"%s\"", err_text(failed));
    else
        failed = loop_run(w.loop);
    if (!failed)
        IGNORE(tell_event(&w.server, EVENT_SERVER_STOPPED));
    watchdog_close(&w.dog);
    server_take_down(&w.server);
    if (w.loop)
        signals_close(&w.signals);
    loop_close(w.loop);
    return failed ? 1 : 0;
}
