/* holdfast-agent run: puts the agent together, lets it run, and takes it apart in reverse. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/memory.h"
#include "base/text.h"
#include "device/https_client.h"
#include "os/clock.h"
#include "os/file.h"
#include "prog/agent/agent.h"
#include "prog/agent/commands.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    MAILBOX_MAX = 16,
    LAST_WORDS_MS = 2000, /* how long the end waits for what is still to be sent */
    LAST_LOOK_MS = 20,
};

static const struct fault no_signals = {ERR_IO, "agent: signals cannot be received"};

void agent_again(struct agent *a, struct timer *timer, int64_t after_ms)
{
    if (!loop_timer_set(a->loop, timer, after_ms))
        return;
    log_line(a->log, LOG_ERROR, "no memory for a timer", "ending");
    loop_stop(a->loop);
}

bool agent_says_anew(char said[WHY_TEXT], const char *why)
{
    char now[WHY_TEXT];
    why_say(now, "%s", why);
    if (!strcmp(said, now))
        return false;
    memcpy(said, now, sizeof now);
    return true;
}

/* The end waits until the spool is empty, as long as there is somebody who takes what is in it. */
static void see_whether_said(struct timer *self)
{
    struct agent *a = CONTAINER(self, struct agent, last_words);
    struct spool_counts counts;
    spool_read_counts(a->spool, &counts);
    if (counts.records && a->outbound.state == LINK_CONNECTED && monotonic_ms(a->clock) < a->stop_by_ms)
        agent_again(a, self, LAST_LOOK_MS);
    else
        loop_stop(a->loop);
}

static void stop_in_order(struct agent *a, int signal)
{
    a->stop_by_ms = monotonic_ms(a->clock) + LAST_WORDS_MS;
    loop_timer_clear(a->loop, &a->pulse.timer);
    loop_timer_clear(a->loop, &a->pulse.inventory_timer);
    loop_timer_clear(a->loop, &a->outbound.reopen);
    care_stop(a);
    SCOPED(buffer_drop) struct buffer detail = {.max = 128};
    put_format(&detail, "\"signal\":%d", signal);
    report_event(&a->reporter, &(struct report){"agent.stopped", SEVERITY_INFO, buffer_view(&detail)});
    err e = spool_sync(a->spool);
    if (e)
        log_line(a->log, LOG_ERROR, "spool not synced", "why=\"%s\"", e->text);
    if (a->outbound.link)
        link_wake(a->outbound.link);
    see_whether_said(&a->last_words);
}

static void take_signal(struct watcher *self, uint32_t events)
{
    struct agent *a = CONTAINER(self, struct agent, signals);
    struct signalfd_siginfo info;
    if (read(self->fd, &info, sizeof info) != sizeof info)
        return;
    if (a->stop_by_ms) /* asked twice: no more waiting */
        loop_stop(a->loop);
    else
        stop_in_order(a, (int)info.ssi_signo);
}

/* Blocked before there is a second thread, so that all of them inherit it. */
static err watch_signals(struct agent *a)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return &no_signals;
    a->signals = (struct watcher){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = take_signal};
    a->last_words.due = see_whether_said;
    return a->signals.fd < 0 ? &no_signals : loop_watch(a->loop, &a->signals, EPOLLIN);
}

static err open_spool(struct agent *a)
{
    char folder[512];
    struct spool_counts counts;
    snprintf(folder, sizeof folder, "%s/spool", a->settings->folder);
    TRY(spool_open(&(struct spool_options){.folder = folder, .bytes_max = a->settings->spool_max}, &a->spool));
    spool_read_counts(a->spool, &counts);
    if (counts.records)
        log_line(a->log, LOG_INFO, "messages wait from before", "count=%llu", (unsigned long long)counts.records);
    return OK;
}

static void say_hello(struct agent *a)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = 256}, document = {.max = 1024};
    put_format(&detail, "\"version\":\"%s\"", HOLDFAST_VERSION);
    report_event(&a->reporter, &(struct report){"agent.started", SEVERITY_INFO, buffer_view(&detail)});
    put_format(&document, "{\"agent\":{\"version\":\"%s\",\"interval_s\":%llu,\"spool_max\":%llu}}", HOLDFAST_VERSION,
               (unsigned long long)a->settings->interval, (unsigned long long)a->settings->spool_max);
    report_document(&a->reporter, buffer_view(&document));
}

static err agent_open(struct agent *a)
{
    TRY(loop_open(a->clock, MAILBOX_MAX, &a->loop));
    TRY(watch_signals(a));
    TRY(open_spool(a));
    TRY(worker_start(a->loop, &a->worker));
    a->reporter = (struct reporter){.spool = a->spool, .clock = a->clock, .log = a->log, .device = a->credentials.id};
    say_hello(a);
    TRY(outbound_start(a));
    TRY(care_start(a));
    return pulse_start(a);
}

/* The worker first: its last answers go to the loop's mailbox, which opens them while all that they touch is there. */
static void agent_close(struct agent *a)
{
    a->stop_by_ms = a->stop_by_ms ? a->stop_by_ms : 1;
    care_stop(a);
    worker_stop(a->worker);
    if (a->loop)
        mailbox_deliver(loop_mailbox(a->loop));
    outbound_stop(a);
    if (a->spool)
        outbound_leave_state(a, "the agent was stopped");
    loop_close(a->loop);
    spool_close(a->spool);
    fd_close(&a->signals.fd);
    care_drop(a);
    credentials_drop(&a->credentials);
}

static err agent_run(struct agent *a)
{
    err e = agent_open(a);
    if (!e)
        e = loop_run(a->loop);
    agent_close(a);
    return e;
}

static enum exit_code complain(const struct log *log, const char *what, const char *why, enum exit_code code)
{
    log_line(log, LOG_ERROR, what, "why=\"%s\"", why);
    return code;
}

static enum exit_code run_in_folder(struct agent *a)
{
    SCOPED(fd_close) int lock = -1;
    char why[WHY_TEXT] = "";
    err e = folder_lock(a->settings->folder, &lock);
    if (e)
        return complain(a->log, "the folder cannot be used", e->text, EXIT_FAILED);
    e = credentials_load(a->settings->folder, &a->credentials, why);
    if (e && !credentials_exist(a->settings->folder))
        return complain(a->log, "not enrolled", why, EXIT_NOT_ENROLLED);
    if (e)
        return complain(a->log, "the identity cannot be read", why, EXIT_FAILED);
    log_line(a->log, LOG_INFO, "started", "device=%s server=%s version=%s", a->credentials.id,
             a->credentials.server.url, HOLDFAST_VERSION);
    e = https_begin();
    if (!e)
        e = agent_run(a);
    https_end();
    return e ? complain(a->log, "ended", e->text, EXIT_FAILED) : EXIT_DONE;
}

enum exit_code command_run(const struct options *options, const struct agent_settings *settings)
{
    const struct log log = {machine_clock(), "holdfast-agent", (enum log_level)settings->log_level};
    struct agent *a = MEM_NEW(struct agent);
    if (!a)
        return complain(&log, "not started", "no memory", EXIT_FAILED);
    a->settings = settings;
    a->log = &log;
    a->clock = machine_clock();
    a->dice = machine_dice();
    a->site = (struct site){.root = "", .folder = settings->folder};
    a->signals.fd = -1;
    enum exit_code code = run_in_folder(a);
    mem_drop(a);
    return code;
}
