/* holdfast-bridge run: puts the bridge together, lets it run, and takes it apart in reverse. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/memory.h"
#include "device/https_client.h"
#include "os/clock.h"
#include "os/file.h"
#include "prog/bridge/bridge.h"
#include "prog/bridge/commands.h"

#include <signal.h>

enum { MAILBOX_MAX = 16 };

/* Nothing is waited for: what is taken is on disk, and what is not is still the source's. */
static void caught(struct signals *self, int signal)
{
    struct bridge *b = CONTAINER(self, struct bridge, signals);
    if (signal != SIGTERM && signal != SIGINT)
        return;
    log_line(b->log, LOG_INFO, "stopping", "signal=%d", signal);
    b->stopping = true;
    loop_stop(b->loop);
}

static void renewed(struct renewer *self)
{
    struct bridge *b = CONTAINER(self, struct bridge, renewer);
    if (!b->stopping)
        side_use_credentials(&b->sides[MAPPING_LOCAL]);
}

static void tell_waiting(const struct bridge *b)
{
    struct spool_counts out, in;
    spool_read_counts(b->sides[MAPPING_LOCAL].crossing.spool, &out);
    spool_read_counts(b->sides[MAPPING_REMOTE].crossing.spool, &in);
    if (out.records || in.records)
        log_line(b->log, LOG_INFO, "messages wait from before", "out=%llu in=%llu", (unsigned long long)out.records,
                 (unsigned long long)in.records);
}

static err bridge_open(struct bridge *b)
{
    TRY(loop_open(b->clock, MAILBOX_MAX, &b->loop));
    TRY(signals_open(&b->signals, b->loop));
    TRY(worker_start(b->loop, &b->worker));
    TRY(side_open(b, MAPPING_LOCAL));
    TRY(side_open(b, MAPPING_REMOTE));
    tell_waiting(b);
    TRY(side_connect(&b->sides[MAPPING_LOCAL]));
    TRY(side_connect(&b->sides[MAPPING_REMOTE]));
    b->renewer = (struct renewer){.loop = b->loop,
                                  .worker = b->worker,
                                  .clock = b->clock,
                                  .dice = b->dice,
                                  .log = b->log,
                                  .folder = b->plan->set.folder,
                                  .credentials = &b->credentials,
                                  .renewed = renewed};
    TRY(renewer_start(&b->renewer));
    return report_start(b);
}

/* The worker first: its last answers go to the loop's mailbox, which opens them while all that they touch is there. */
static void bridge_close(struct bridge *b)
{
    b->stopping = true;
    renewer_stop(&b->renewer);
    worker_stop(b->worker);
    if (b->loop)
        mailbox_deliver(loop_mailbox(b->loop));
    side_close(&b->sides[MAPPING_LOCAL]);
    side_close(&b->sides[MAPPING_REMOTE]);
    signals_close(&b->signals);
    loop_close(b->loop);
    side_drop(&b->sides[MAPPING_LOCAL]);
    side_drop(&b->sides[MAPPING_REMOTE]);
    renewer_drop(&b->renewer);
    report_drop(b);
}

static err bridge_run(struct bridge *b)
{
    err e = bridge_open(b);
    if (!e)
        e = loop_run(b->loop);
    if (!e)
        report_last(b);
    bridge_close(b);
    return e;
}

static enum exit_code complain(const struct log *log, const char *what, const char *why, enum exit_code code)
{
    log_line(log, LOG_ERROR, what, "why=\"%s\"", why);
    return code;
}

static enum exit_code run_in_folder(struct bridge *b)
{
    SCOPED(fd_close) int lock = -1;
    char why[WHY_TEXT] = "";
    const char *folder = b->plan->set.folder;
    err e = folder_lock(folder, &lock);
    if (e)
        return complain(b->log, "the folder cannot be used", e->text, EXIT_FAILED);
    e = credentials_load(folder, &b->credentials, why);
    if (e)
        return complain(b->log, "not enrolled", why, credentials_exist(folder) ? EXIT_FAILED : EXIT_NOT_ENROLLED);
    if (remote_access_read(&b->plan->set, &b->access, why))
        return complain(b->log, "the settings cannot be used", why, EXIT_USAGE);
    if (b->plan->set.remote_plain)
        log_line(b->log, LOG_WARN, "the other broker is reached without encryption", "host=%s",
                 b->plan->set.remote_host);
    log_line(b->log, LOG_INFO, "started", "device=%s local=%s remote=%s:%u mappings=%zu version=%s", b->credentials.id,
             b->credentials.server.url, b->plan->set.remote_host, b->plan->set.remote_port, b->plan->count,
             HOLDFAST_VERSION);
    e = https_begin();
    if (!e)
        e = bridge_run(b);
    https_end();
    return e ? complain(b->log, "ended", e->text, EXIT_FAILED) : EXIT_DONE;
}

enum exit_code command_run(const struct bridge_plan *plan)
{
    const struct log log = {machine_clock(), "holdfast-bridge", (enum log_level)plan->set.log_level};
    struct bridge *b = MEM_NEW(struct bridge);
    if (!b || signals_hold())
        return complain(&log, "not started", "no memory, or signals cannot be held back", EXIT_FAILED);
    b->plan = plan;
    b->log = &log;
    b->clock = machine_clock();
    b->dice = machine_dice();
    b->signals = (struct signals){.watcher = {.fd = -1}, .caught = caught};
    enum exit_code code = run_in_folder(b);
    remote_access_drop(&b->access);
    credentials_drop(&b->credentials);
    mem_drop(b);
    return code;
}
