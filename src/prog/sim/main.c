/* holdfast-sim: a fleet that is not there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "device/https_client.h"
#include "device/server_address.h"
#include "os/clock.h"
#include "os/file.h"
#include "prog/sim/options.h"
#include "prog/sim/recruit.h"
#include "prog/sim/squad.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PROGRESS_MS = 200,
    PROGRESS_EVERY = 5,
    THREADS_MAX = 16,
    PORTS_EACH = 20000,
    REPORT_MAX = 65536,
    SPARE_FILES = 64
};

static enum exit_code complain(const char *why, enum exit_code code)
{
    (void)fprintf(stderr, "holdfast-sim: %s\n", why);
    return code;
}

/* The signals of an operator: held back in all threads, asked for by the one that shows progress. */
static void hold_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* True when somebody wants the end. Takes the time of one look. */
static bool asked_to_end(const sigset_t *set)
{
    const struct timespec wait = {0, PROGRESS_MS * 1000000L};
    return sigtimedwait(set, NULL, &wait) > 0;
}

/* ---- enrol */

struct enrolling {
    const struct recruit_order *order;
    struct recruit_counts counts;
    struct counter over;
    err result;
    char why[WHY_TEXT];
};

static void *enrol_all(void *argument)
{
    struct enrolling *e = argument;
    e->result = recruit(e->order, &e->counts, e->why);
    counter_add(&e->over, 1);
    return NULL;
}

static void show_enrolment(const struct enrolling *e, const char *end)
{
    (void)fprintf(stderr, "\r%llu enrolled, %llu renewed, %llu had a certificate, of %llu%s",
                  (unsigned long long)counter_read(&e->counts.enrolled),
                  (unsigned long long)counter_read(&e->counts.renewed),
                  (unsigned long long)counter_read(&e->counts.kept), (unsigned long long)e->order->units, end);
}

static enum exit_code enrol_with(const struct recruit_order *order, const sigset_t *signals)
{
    static struct enrolling enrolling;
    pthread_t thread;
    enrolling.order = order;
    if (pthread_create(&thread, NULL, enrol_all, &enrolling))
        return complain("no thread can be made", EXIT_USAGE);
    while (!counter_read(&enrolling.over)) {
        if (asked_to_end(signals))
            counter_add(&enrolling.counts.abandon, 1);
        show_enrolment(&enrolling, "");
    }
    (void)pthread_join(thread, NULL);
    show_enrolment(&enrolling, "\n");
    return enrolling.result ? complain(enrolling.why, EXIT_BAD) : EXIT_DONE;
}

static enum exit_code command_enrol(const struct options *o, const sigset_t *signals)
{
    SCOPED(buffer_drop) struct buffer root = {.max = 65536};
    SCOPED(secret_wipe) struct secret token = {.len = 0};
    struct server_address server;
    err e = server_address_read(bytes_of_text(o->server), &server);
    if (e)
        return complain(e->text, EXIT_USAGE);
    e = o->ca ? file_read(o->ca, &root) : OK;
    if (e)
        return complain(e->text, EXIT_USAGE);
    if (!fgets((char *)token.at, (int)sizeof token.at, stdin) || token.at[0] == '\n')
        return complain("a token is needed on standard input", EXIT_USAGE);
    token.at[strcspn((char *)token.at, "\r\n")] = 0;
    e = https_begin();
    if (e)
        return complain(e->text, EXIT_USAGE);
    const struct recruit_order order = {
        o->state,  server.url, buffer_view(&root),  o->ca_sha256, (const char *)token.at,
        o->prefix, o->devices, (unsigned)o->threads};
    enum exit_code code = enrol_with(&order, signals);
    https_end();
    return code;
}

/* ---- run */

struct fleet {
    struct run_wishes how;
    struct counter abandon, over;
    struct squad *squads[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    bool ready;
};

struct post {
    struct fleet *fleet;
    struct squad *squad;
};

static void *run_squad(void *argument)
{
    struct post *post = argument;
    if (squad_run(post->squad))
        counter_add(&post->fleet->abandon, 1);
    counter_add(&post->fleet->over, 1);
    return NULL;
}

static uint64_t all_units(const struct fleet *fleet)
{
    return fleet->how.units * fleet->how.sessions_per_device;
}

static void show_progress(struct fleet *fleet, unsigned look)
{
    uint64_t open = 0, connects = 0, acknowledged = 0;
    for (unsigned i = 0; i < fleet->how.threads; i++) {
        open += counter_read(&fleet->squads[i]->tally.open);
        connects += counter_read(&fleet->squads[i]->tally.connects);
        acknowledged += counter_read(&fleet->squads[i]->tally.acknowledged);
    }
    if (look % PROGRESS_EVERY == 0)
        (void)fprintf(stderr, "%llu sessions open of %llu, %llu connects, %llu messages acknowledged\n",
                      (unsigned long long)open, (unsigned long long)all_units(fleet), (unsigned long long)connects,
                      (unsigned long long)acknowledged);
    if (fleet->ready || open < all_units(fleet))
        return;
    fleet->ready = true;
    (void)puts("ready");
    (void)fflush(stdout);
}

static err run_threads(struct fleet *fleet, const sigset_t *signals)
{
    static const struct fault no_thread = {ERR_MEMORY, "no thread can be made"};
    struct post posts[THREADS_MAX];
    unsigned begun = 0;
    err e = OK;
    for (; begun < fleet->how.threads && !e; begun++) {
        posts[begun] = (struct post){fleet, fleet->squads[begun]};
        if (pthread_create(&fleet->threads[begun], NULL, run_squad, &posts[begun]))
            e = &no_thread;
    }
    begun -= e != OK;
    if (e)
        counter_add(&fleet->abandon, 1);
    for (unsigned look = 1; counter_read(&fleet->over) < begun; look++) {
        if (asked_to_end(signals))
            counter_add(&fleet->abandon, 1);
        show_progress(fleet, look);
    }
    for (unsigned i = 0; i < begun; i++)
        (void)pthread_join(fleet->threads[i], NULL);
    return e;
}

static enum exit_code report(const struct fleet *fleet, const struct options *o)
{
    SCOPED(buffer_drop) struct buffer out = {.max = REPORT_MAX};
    char head[256];
    struct tally *all = MEM_NEW(struct tally);
    if (!all)
        return complain("no memory", EXIT_USAGE);
    for (unsigned i = 0; i < fleet->how.threads; i++)
        tally_merge(all, &fleet->squads[i]->tally);
    (void)snprintf(head, sizeof head, "\"seed\":%llu,\"devices\":%llu,\"sessions_per_device\":%llu,\"profile\":\"%s\",",
                   (unsigned long long)o->seed, (unsigned long long)o->devices, (unsigned long long)o->sessions,
                   o->profile);
    if (o->json)
        tally_put_json(all, head, &out);
    else
        tally_put_text(all, &out);
    (void)fputs(buffer_text(&out), stdout);
    enum exit_code code = tally_is_good(all) ? EXIT_DONE : EXIT_BAD;
    mem_drop(all);
    return code;
}

static enum exit_code run_fleet(struct fleet *fleet, const struct options *o, const sigset_t *signals)
{
    err e = OK;
    for (unsigned i = 0; i < fleet->how.threads && !e; i++)
        e = squad_open(&fleet->how, i, &fleet->abandon, &fleet->squads[i]);
    if (!e)
        e = run_threads(fleet, signals);
    enum exit_code code = e ? complain(e->text, EXIT_USAGE) : report(fleet, o);
    for (unsigned i = 0; i < fleet->how.threads; i++)
        squad_close(fleet->squads[i]);
    return code;
}

static bool find_server(const char *host, uint16_t port, struct sockaddr_in *out)
{
    const struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &wanted, &found) || !found)
        return false;
    memcpy(out, found->ai_addr, sizeof *out);
    out->sin_port = htons(port);
    freeaddrinfo(found);
    return true;
}

/* So many connections must be allowed before the first is opened. */
static bool enough_files(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return false;
    if (limit.rlim_max < wanted + SPARE_FILES) {
        const struct rlimit more = {wanted + SPARE_FILES, wanted + SPARE_FILES};
        return !setrlimit(RLIMIT_NOFILE, &more);
    }
    limit.rlim_cur = limit.rlim_max;
    return !setrlimit(RLIMIT_NOFILE, &limit);
}

static struct run_wishes wishes_of(const struct options *o, const struct vault *vault)
{
    return (struct run_wishes){
        .plan = {o->seed, o->mixture, (uint32_t)(o->arrive_s * 1000), (uint32_t)(o->interval_s * 1000)},
        .vault = vault,
        .units = o->devices,
        .sessions_per_device = (uint32_t)o->sessions,
        .first_session = (uint32_t)o->first_session,
        .at_once = (uint32_t)o->at_once,
        .threads = (uint32_t)o->threads,
        .storm_ms = (uint32_t)(o->storm_s * 1000),
        .patience_ms = (uint32_t)(o->patience_s * 1000),
        .parts = o->messages,
        .run_ms = (int64_t)(o->seconds * 1000),
        .mute = o->mute ? MUTE_IDLE : MUTE_NEVER,
        .resume = o->resume ? RESUME_TICKETS : RESUME_NEVER,
        .chain = o->leaf_only ? CHAIN_LEAF : CHAIN_WHOLE,
    };
}

static enum exit_code run_with(const struct options *o, const struct vault *vault, const sigset_t *signals)
{
    static struct fleet fleet;
    char why[WHY_TEXT];
    struct server_address mqtt;
    fleet.how = wishes_of(o, vault);
    if (server_address_read_pair(bytes_of_text(o->mqtt), &mqtt) || !find_server(mqtt.host, mqtt.port, &fleet.how.to))
        return complain("--mqtt: not HOST:PORT, or no such host", EXIT_USAGE);
    if (vault_count(vault) < o->devices) {
        why_say(why, "%s holds %llu devices; `holdfast-sim enrol --devices %llu` makes the others", o->state,
                (unsigned long long)vault_count(vault), (unsigned long long)o->devices);
        return complain(why, EXIT_NOT_ENROLLED);
    }
    uint64_t wanted = all_units(&fleet);
    if (!enough_files(wanted)) {
        why_say(why, "%llu connections are more than this process may open (ulimit -n)", (unsigned long long)wanted);
        return complain(why, EXIT_USAGE);
    }
    bool loopback = ntohl(fleet.how.to.sin_addr.s_addr) >> 24 == 127;
    fleet.how.host = mqtt.host;
    fleet.how.sources = o->sources ? (uint32_t)o->sources : loopback ? (uint32_t)(wanted / PORTS_EACH) + 1 : 0;
    return run_fleet(&fleet, o, signals);
}

static enum exit_code command_run(const struct options *o, const sigset_t *signals)
{
    struct vault *vault = NULL;
    char why[WHY_TEXT] = "";
    if (vault_open(o->state, &vault, why))
        return complain(why, EXIT_USAGE);
    enum exit_code code = run_with(o, vault, signals);
    vault_close(vault);
    return code;
}

/* ---- plan */

static enum exit_code command_plan(const struct options *o)
{
    const struct plan_wishes wishes = {o->seed, o->mixture, (uint32_t)(o->arrive_s * 1000),
                                       (uint32_t)(o->interval_s * 1000)};
    for (uint64_t unit = 0; unit < o->devices * o->sessions; unit++) {
        SCOPED(buffer_drop) struct buffer line = {.max = 1024};
        const struct plan plan = plan_of(&wishes, unit);
        plan_put(&plan, unit, &line);
        (void)fputs(buffer_text(&line), stdout);
    }
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct options options;
    char why[WHY_TEXT] = "";
    sigset_t signals;
    umask(077);
    hold_signals(&signals);
    if (options_read(argc, argv, &options, why)) {
        (void)fprintf(stderr, "holdfast-sim: %s\nTry holdfast-sim --help.\n", why);
        return EXIT_USAGE;
    }
    switch (options.command) {
    case COMMAND_HELP:
        options_print_help(stdout);
        return EXIT_DONE;
    case COMMAND_VERSION:
        (void)puts("holdfast-sim " HOLDFAST_VERSION);
        return EXIT_DONE;
    case COMMAND_ENROL:
        return command_enrol(&options, &signals);
    case COMMAND_RUN:
        return command_run(&options, &signals);
    case COMMAND_PLAN:
        return command_plan(&options);
    }
    return EXIT_USAGE;
}
