/* The launcher.
 *
 *   folders, ports -> keeper (folder keeper/, channel) -> server (same program with --serve; keeper's channel, ports)
 *   -> start-up text -> wait: a signal stops both; a failure of either stops the other and starts both anew, later each
 *   time. The ports stay bound over such a restart, so that clients wait instead of being refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/launcher.h"

#include "base/list.h"
#include "os/channel.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/log.h"
#include "os/process.h"
#include "os/signals.h"
#include "os/socket.h"
#include "prog/server/ports.h"
#include "prog/server/server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fault too_long = {ERR_TOO_LARGE, "launcher: a path is longer than 4,096 bytes"};
static const struct fault no_data = {ERR_IO, "launcher: the data folder cannot be made or entered"};
static const struct fault no_owner = {ERR_IO, "launcher: a data folder cannot be given to its user"};
static const struct fault no_user = {ERR_ABSENT,
                                     "launcher: as root it needs the users of process.user and process.keeper-user; "
                                     "make them with: adduser --system --group --no-create-home NAME"};

enum { PATH_MAX_BYTES = 4096, ARGUMENTS_MAX = 160, NAMES_MAX = 2048 };

/* Each start waits twice as long as the one before, until a pair lived steadily. A server that was ready before it
 * ended is missed by its devices and starts well, so it is not kept waiting as long as one that cannot start. */
enum { BACK_OFF_MS = 100, BACK_OFF_READY_MAX_MS = 1000, BACK_OFF_MAX_MS = 10000, STEADY_MS = 10000 };

struct launcher {
    const struct launch *launch;
    struct log log;
    char data[PATH_MAX_BYTES];
    struct identity keeper_user, server_user;
    bool root;
    struct port_wish wishes[PORTS];
    int ports[PORTS]; /* listening; -1: not wished for */
    int lock;
    struct loop *loop;
    struct signals signals;
    struct watcher report; /* the server's start-up text */
    struct timer again;
    pid_t keeper, server;
    int64_t started_ms, back_off_ms;
    bool ready; /* the present server said its start-up text */
    bool stopping;
    int status;
};

static void start_both(struct launcher *l);

/* ---- folders */

static err path_of(const struct launcher *l, const char *name, char out[PATH_MAX_BYTES])
{
    return snprintf(out, PATH_MAX_BYTES, "%s/%s", l->data, name) < PATH_MAX_BYTES ? OK : &too_long;
}

static err make_folder(const struct launcher *l, const char *name, const struct identity *owner)
{
    char path[PATH_MAX_BYTES];
    TRY(path_of(l, name, path));
    TRY(folder_make(path, 0700));
    return l->root && chown(path, owner->uid, owner->gid) ? &no_owner : OK;
}

static err find_users(struct launcher *l)
{
    const struct server_settings *set = l->launch->settings;
    l->root = geteuid() == 0;
    if (l->root &&
        (identity_find(set->keeper_user, &l->keeper_user) || identity_find(set->server_user, &l->server_user)))
        return &no_user;
    return OK;
}

static err open_data(struct launcher *l)
{
    char path[PATH_MAX_BYTES];
    TRY(find_users(l));
    TRY(folder_make(l->launch->settings->data, 0755));
    if (!realpath(l->launch->settings->data, l->data))
        return &no_data;
    TRY(path_of(l, "lock", path));
    TRY(file_lock(path, &l->lock));
    TRY(make_folder(l, "server", &l->server_user));
    return make_folder(l, "keeper", &l->keeper_user);
}

/* ---- the keeper */

struct names {
    char dns[NAMES_MAX], addresses[NAMES_MAX];
};

static void add_name(struct names *names, struct bytes name)
{
    char text[256];
    unsigned char address[sizeof(struct in6_addr)];
    if (!name.len || name.len >= sizeof text)
        return;
    memcpy(text, name.at, name.len);
    text[name.len] = 0;
    bool numeric = inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
    char *list = numeric ? names->addresses : names->dns;
    size_t len = strlen(list);
    snprintf(list + len, NAMES_MAX - len, "%s%s", len ? "," : "", text);
}

static void collect_names(const struct server_settings *set, struct names *names)
{
    *names = (struct names){"", ""};
    add_name(names, bytes_of_text(set->public_host));
    for (struct bytes rest = bytes_of_text(set->public_names); rest.len;) {
        struct bytes name = bytes_cut(&rest, ' ');
        if (!bytes_is(name, set->public_host))
            add_name(names, name);
    }
}

/* holdfast-keeper stands beside holdfastd, unless a setting says otherwise. */
static err keeper_program(const struct launcher *l, char out[PATH_MAX_BYTES])
{
    const char *said = l->launch->settings->keeper_program;
    if (said[0])
        return snprintf(out, PATH_MAX_BYTES, "%s", said) < PATH_MAX_BYTES ? OK : &too_long;
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX_BYTES - sizeof "/holdfast-keeper");
    if (len <= 0)
        return &too_long;
    out[len] = 0;
    char *slash = strrchr(out, '/');
    memcpy(slash + 1, "holdfast-keeper", sizeof "holdfast-keeper");
    return OK;
}

static err start_keeper(struct launcher *l, int channel)
{
    const struct server_settings *set = l->launch->settings;
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    char program[PATH_MAX_BYTES], folder[PATH_MAX_BYTES], passphrase_file[PATH_MAX_BYTES];
    struct names names;
    const char *said = getenv("HOLDFAST_ROOT_PASSPHRASE_FILE");
    collect_names(set, &names);
    TRY(keeper_program(l, program));
    TRY(path_of(l, "keeper", folder));
    if (snprintf(passphrase_file, sizeof passphrase_file, "HOLDFAST_ROOT_PASSPHRASE_FILE=%s", said ? said : "") >=
        (int)sizeof passphrase_file)
        return &too_long;
    const char *arguments[] = {"holdfast-keeper",
                               "--folder",
                               ".",
                               "--names",
                               names.dns,
                               "--addresses",
                               names.addresses,
                               "--log-level",
                               levels[set->log_level],
                               set->insecure_without_landlock ? "--insecure-without-landlock" : NULL,
                               NULL};
    const char *environment[] = {said ? passphrase_file : NULL, NULL};
    return process_start(&(struct process_options){.program = program,
                                                   .arguments = arguments,
                                                   .environment = environment,
                                                   .folder = folder,
                                                   .identity = l->root ? &l->keeper_user : NULL,
                                                   .descriptors = &(struct process_descriptor){channel, SERVER_KEEPER},
                                                   .descriptor_count = 1},
                         &l->keeper);
}

/* ---- the server */

static err start_server(struct launcher *l, int keeper, int report)
{
    const char *arguments[ARGUMENTS_MAX + 2];
    size_t count = 0;
    while (count < ARGUMENTS_MAX && l->launch->arguments[count]) {
        arguments[count] = l->launch->arguments[count];
        count++;
    }
    arguments[count] = "--serve";
    arguments[count + 1] = NULL;
    struct process_descriptor descriptors[2 + PORTS] = {{keeper, SERVER_KEEPER}, {report, SERVER_LAUNCHER}};
    size_t used = 2;
    for (int i = 0; i < PORTS; i++)
        if (l->ports[i] >= 0)
            descriptors[used++] = (struct process_descriptor){l->ports[i], SERVER_PORTS + i};
    return process_start(&(struct process_options){.program = "/proc/self/exe",
                                                   .arguments = arguments,
                                                   .environment = (const char *const *)environ,
                                                   .descriptors = descriptors,
                                                   .descriptor_count = used},
                         &l->server);
}

/* ---- what people see */

static void remind_of_root_key(const struct launcher *l)
{
    char path[PATH_MAX_BYTES];
    if (path_of(l, "keeper/offline/root-key.pem", path) || !file_exists(path))
        return;
    printf("  TAKE OFFLINE      %s/keeper/offline/\n"
           "                    The root key and its passphrase lie there since the first start. The server does not "
           "need\n"
           "                    them: move both to two different places that are not on this machine.\n",
           l->data);
}

static void told(struct watcher *watcher, uint32_t events)
{
    struct launcher *l = CONTAINER(watcher, struct launcher, report);
    SCOPED(buffer_wipe) struct buffer text = {.max = CHANNEL_MESSAGE_MAX};
    err failed = channel_receive(watcher->fd, &text, 0);
    if (err_is(failed, ERR_AGAIN))
        return;
    loop_unwatch(l->loop, watcher);
    fd_close(&watcher->fd);
    watcher->fd = -1;
    if (failed)
        return; /* it ended before it was ready; its end is reported too */
    l->ready = true;
    printf("%s", buffer_text(&text));
    remind_of_root_key(l);
    fflush(stdout);
}

/* ---- life of both */

static err start(struct launcher *l)
{
    SCOPED(fd_close) int for_keeper = -1;
    SCOPED(fd_close) int for_server = -1;
    SCOPED(fd_close) int report = -1;
    int ours;
    l->started_ms = loop_now_ms(l->loop);
    l->ready = false;
    TRY(channel_pair(&for_keeper, &for_server));
    TRY(channel_pair(&ours, &report));
    l->report.fd = ours;
    TRY(loop_watch(l->loop, &l->report, EPOLLIN));
    TRY(start_keeper(l, for_keeper));
    return start_server(l, for_server, report);
}

static void kill_both(struct launcher *l, int signal)
{
    if (l->server > 0)
        kill(l->server, signal);
    else if (l->keeper > 0)
        kill(l->keeper, SIGTERM); /* it ends by itself when the server's end of the channel closes; this is for haste */
}

static void come_again(struct launcher *l)
{
    int64_t most_ms = l->ready ? BACK_OFF_READY_MAX_MS : BACK_OFF_MAX_MS;
    if (loop_now_ms(l->loop) - l->started_ms > STEADY_MS)
        l->back_off_ms = BACK_OFF_MS;
    if (l->back_off_ms > most_ms)
        l->back_off_ms = most_ms;
    log_line(&l->log, LOG_WARN, "starting again", "in_ms=%lld", (long long)l->back_off_ms);
    if (loop_timer_set(l->loop, &l->again, l->back_off_ms))
        loop_stop(l->loop);
    l->back_off_ms *= 2;
}

static void forget_report(struct launcher *l)
{
    if (l->report.fd < 0)
        return;
    loop_unwatch(l->loop, &l->report);
    fd_close(&l->report.fd);
    l->report.fd = -1;
}

static void one_ended(struct launcher *l, const struct process_end *end)
{
    char text[PROCESS_END_TEXT];
    const char *which = end->pid == l->server ? "server" : "keeper";
    process_end_text(end, text);
    if (!l->stopping)
        log_line(&l->log, LOG_ERROR, "a process ended", "which=%s how=\"%s\"", which, text);
    if (end->pid == l->server) {
        l->server = 0;
        l->status = end->code;
    } else {
        l->keeper = 0;
    }
    if (l->server || l->keeper) { /* neither is of use without the other */
        kill_both(l, SIGTERM);
        return;
    }
    forget_report(l);
    if (l->stopping)
        loop_stop(l->loop);
    else
        come_again(l);
}

static void caught(struct signals *signals, int signal)
{
    struct launcher *l = CONTAINER(signals, struct launcher, signals);
    struct process_end end;
    if (signal == SIGCHLD) {
        while (!process_reap(0, &end))
            one_ended(l, &end);
        return;
    }
    if (signal != SIGTERM && signal != SIGINT)
        return;
    l->stopping = true;
    loop_timer_clear(l->loop, &l->again);
    if (l->server || l->keeper)
        kill_both(l, SIGTERM);
    else
        loop_stop(l->loop);
}

static void again(struct timer *timer)
{
    start_both(CONTAINER(timer, struct launcher, again));
}

static void start_both(struct launcher *l)
{
    err failed = start(l);
    if (!failed)
        return;
    log_line(&l->log, LOG_ERROR, "could not start", "why=\"%s\"", err_text(failed));
    l->status = 1;
    forget_report(l);
    if (l->server || l->keeper)
        kill_both(l, SIGTERM); /* its end brings us back */
    else
        come_again(l);
}

static err bind_ports(struct launcher *l)
{
    enum port at;
    err failed = ports_bind(l->wishes, l->ports, &at);
    if (failed)
        log_line(&l->log, LOG_ERROR, "a port could not be opened", "port=\"%s\" address=%s:%u", l->wishes[at].name,
                 l->wishes[at].address, l->wishes[at].number);
    return failed;
}

static err open_up(struct launcher *l)
{
    TRY(signals_hold());
    TRY(open_data(l));
    TRY(bind_ports(l));
    TRY(loop_open(machine_clock(), 16, &l->loop));
    return signals_open(&l->signals, l->loop);
}

int launcher_run(const struct launch *launch)
{
    struct launcher l = {.launch = launch,
                         .lock = -1,
                         .back_off_ms = BACK_OFF_MS,
                         .signals = {.watcher.fd = -1, .caught = caught},
                         .report = {-1, told},
                         .again = {.due = again},
                         .log = {machine_clock(), "launcher", (enum log_level)launch->settings->log_level}};
    /* The server's user must be able to pass through the data folder; what is secret has its own mode. */
    umask(022);
    port_wishes(launch->settings, l.wishes);
    for (int i = 0; i < PORTS; i++)
        l.ports[i] = -1;
    err failed = open_up(&l);
    if (failed) {
        fprintf(stderr, "holdfastd: %s (data %s, MQTT %s:%u, HTTPS %s:%u)\n", err_text(failed), launch->settings->data,
                launch->settings->mqtt_address, launch->settings->mqtt_port, launch->settings->http_address,
                launch->settings->http_port);
    } else {
        start_both(&l);
        failed = loop_run(l.loop);
    }
    signals_close(&l.signals);
    loop_close(l.loop);
    for (int i = 0; i < PORTS; i++)
        fd_close(&l.ports[i]);
    fd_close(&l.lock);
    return failed ? 1 : l.status;
}
