/* The composition of the server, ground floor first; taken down in reverse. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/compose.h"

#include "base/memory.h"
#include "base/text.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "os/clock.h"
#include "os/socket.h"
#include "prog/server/console_assets.h"
#include "prog/server/health.h"
#include "store/sqlite.h"
#include "trust/account.h"
#include "trust/signin_limit.h"

#include <string.h>
#include <unistd.h>

static const struct fault no_memory = {ERR_MEMORY, "server: no memory"};
static const struct fault no_root = {ERR_MALFORMED, "server: the keeper's chain has no root"};

enum {
    KEEPER_WAIT_MS = 30000,
    CHAIN_MAX = 65536,
    DESK_WAITING_MAX = 4096,
    QUOTA_BUCKETS_MAX = 100000,
};

/* ---- before the sandbox */

static void take_limits(struct server *s)
{
    const struct server_settings *set = s->settings;
    s->limits = (struct door_limits){
        .connections_max = set->connections_max,
        .packet_max = set->mqtt_packet_max,
        .body_max = set->http_body_max,
        .subscriptions_max = set->mqtt_subscriptions_max,
        .sessions_max = set->mqtt_sessions_max,
        .sessions_per_owner = set->mqtt_sessions_per_owner,
        .will_max = set->mqtt_will_max,
        .queue = {.messages_max = set->mqtt_queue_messages,
                  .bytes_max = set->mqtt_queue_bytes,
                  .policy = (enum overflow_policy)set->mqtt_queue_policy},
        .queue_total_bytes = set->mqtt_queue_total,
        .expiry_max_s = (uint32_t)set->mqtt_session_expiry_max,
        .stream_bytes_max = set->mqtt_queue_bytes,
        .receive_max = (uint16_t)set->mqtt_receive_max,
        .keep_alive_max_s = (uint16_t)set->mqtt_keep_alive_max,
        .handshakes_max = set->handshakes,
        .handshakes_per_s = (uint32_t)set->handshake_rate,
        .handshake_ms = (int64_t)set->handshake_time * 1000,
        .body_ms = (int64_t)set->body_time * 1000,
        .idle_ms = (int64_t)set->idle_time * 1000,
        .stall_ms = (int64_t)set->stall_time * 1000,
    };
}

static err take_assets(struct server *s)
{
    struct asset *at = mem_take(console_assets_count, sizeof *at);
    if (!at)
        return &no_memory;
    for (size_t i = 0; i < console_assets_count; i++) {
        const struct console_asset *from = &console_assets[i];
        at[i] = (struct asset){from->path, from->type, from->etag, from->gzip_etag, from->body, from->gzip};
    }
    s->assets = (struct assets){at, console_assets_count};
    return OK;
}

/* The root is the last certificate of the chain. */
static err take_root(struct server *s)
{
    struct bytes pem = buffer_view(&s->chain_pem);
    struct buffer der = {.max = CERTIFICATE_MAX};
    err failed = OK;
    bool found = false;
    while (!failed) {
        struct buffer next = {.max = CERTIFICATE_MAX};
        failed = certificate_next_pem(&pem, &next);
        if (!failed) {
            buffer_drop(&der);
            der = next;
            found = true;
        }
    }
    s->root_pem = (struct buffer){.max = CHAIN_MAX};
    failed = !found ? &no_root : digest_sha256_text(buffer_view(&der), s->facts.root_sha256);
    if (!failed)
        failed = certificate_put_pem(buffer_view(&der), &s->root_pem);
    buffer_drop(&der);
    return failed;
}

err server_prepare(struct server *s, const struct server_settings *settings)
{
    s->settings = settings;
    s->log = (struct log){machine_clock(), "holdfastd", (enum log_level)settings->log_level};
    s->chain_pem = (struct buffer){.max = CHAIN_MAX};
    floor_relay_open(&s->relay);
    take_limits(s);
    TRY(take_assets(s));
    TRY(keeper_client_open(SERVER_KEEPER, KEEPER_WAIT_MS, &s->chain_pem, &s->keeper));
    return take_root(s);
}

/* ---- within the sandbox */

static struct sqlite_options store_options(const struct server *s)
{
    return (struct sqlite_options){.folder = s->folder, .bytes_max = s->settings->store_bytes, .log = s->log};
}

err server_open_reader(struct server *s, struct store_reader **out)
{
    struct sqlite_options options = store_options(s);
    return sqlite_reader_open(&options, out);
}

static err open_store(struct server *s)
{
    struct sqlite_options options = store_options(s);
    TRY(sqlite_writer_open(&options, &s->writer));
    TRY(clerk_start(&(struct clerk_options){.writer = s->writer,
                                            .clock = machine_clock(),
                                            .sink = &s->relay.sink,
                                            .log = s->log,
                                            .queue_max = s->settings->store_queue,
                                            .batch_max = s->settings->store_batch},
                    &s->clerk));
    return clerk_recorder(s->clerk, NULL, &s->recorder);
}

static err open_floor(struct server *s)
{
    const struct server_settings *set = s->settings;
    policy_open(&s->policy, set->mqtt_insecure_anonymous ? POLICY_ANONYMOUS : POLICY_STRICT, set->policy_bridges);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t loops = set->loops ? set->loops : processors > 0 ? (size_t)processors : 1;
    return floor_open(&(struct floor_options){.loops = loops < FLOOR_LOOPS_MAX ? loops : FLOOR_LOOPS_MAX,
                                              .clock = machine_clock(),
                                              .dice = machine_dice(),
                                              .log = &s->log,
                                              .limits = &s->limits,
                                              .assets = &s->assets,
                                              .clerk = s->clerk,
                                              .rule = &s->policy.rule,
                                              .retained = {.messages_max = set->mqtt_retained_messages,
                                                           .bytes_max = set->mqtt_retained_bytes},
                                              .quota = {.device_messages_per_s = (uint32_t)set->device_rate,
                                                        .operator_calls_per_s = (uint32_t)set->operator_rate,
                                                        .address_calls_per_s = (uint32_t)set->address_rate,
                                                        .anonymous_messages_per_s = (uint32_t)set->anonymous_rate,
                                                        .buckets_max = QUOTA_BUCKETS_MAX}},
                      &s->floor);
}

/* "host", or "[2001:db8::1]". */
static void put_host(struct buffer *out, const char *host)
{
    put_format(out, strchr(host, ':') ? "[%s]" : "%s", host);
}

static err take_addresses(struct server *s)
{
    SCOPED(buffer_drop) struct buffer url = {.max = sizeof s->public_url};
    SCOPED(buffer_drop) struct buffer mqtt = {.max = sizeof s->mqtt_address};
    uint16_t http_port, mqtt_port;
    TRY(socket_port(SERVER_PORTS + PORT_HTTP, &http_port));
    TRY(socket_port(SERVER_PORTS + PORT_MQTT, &mqtt_port));
    put_text(&url, "https://");
    put_host(&url, s->settings->public_host);
    if (http_port != 443)
        put_format(&url, ":%u", http_port);
    put_host(&mqtt, s->settings->public_host);
    put_format(&mqtt, ":%u", mqtt_port);
    TRY(text_copy(buffer_view(&mqtt), s->mqtt_address, sizeof s->mqtt_address));
    return text_copy(buffer_view(&url), s->public_url, sizeof s->public_url);
}

static err take_facts(struct server *s)
{
    TRY(take_addresses(s));
    s->facts.public_url = s->public_url;
    s->facts.mqtt_address = s->mqtt_address;
    s->facts.version = HOLDFAST_VERSION;
    s->facts.started_us = wall_us(machine_clock());
    s->facts.root_pem = buffer_view(&s->root_pem);
    s->facts.chain_pem = buffer_view(&s->chain_pem);
    s->facts.device_lifetime_s = (uint32_t)s->settings->certificate_life;
    return OK;
}

static err open_desk(struct server *s)
{
    struct store_reader *readers[16 + 1] = {NULL};
    struct signin_limit *limit = NULL;
    TRY(take_facts(s));
    s->health = server_health();
    struct api api = {.recorder = s->recorder,
                      .issuer = keeper_client_issuer(s->keeper),
                      .herald = floor_herald(s->floor),
                      .board = floor_board(s->floor),
                      .clock = machine_clock(),
                      .dice = machine_dice(),
                      .health = &s->health,
                      .facts = &s->facts};
    for (size_t i = 0; i <= s->settings->queries; i++)
        TRY(server_open_reader(s, &readers[i]));
    TRY(signin_limit_open(&limit));
    return query_desk_start(&(struct query_desk_options){.api = &api,
                                                         .readers = readers,
                                                         .count = s->settings->queries,
                                                         .waiting_max = DESK_WAITING_MAX,
                                                         .signin_limit = limit},
                            &s->desk);
}

/* Operators stay signed in over a restart: their sessions are on the disk. */
struct session_list {
    struct session_rows rows;
    struct session_record *at;
    size_t count;
};

static bool take_session(struct session_rows *self, const struct session_record *session)
{
    struct session_list *list = CONTAINER(self, struct session_list, rows);
    struct session_record *grown = mem_grow(list->at, list->count + 1, sizeof *grown);
    if (!grown)
        return false;
    list->at = grown;
    list->at[list->count++] = *session;
    return true;
}

static err open_doors(struct server *s)
{
    struct session_list sessions = {.rows = {take_session}};
    struct store_reader *reader;
    struct port_wish wishes[PORTS];
    int ports[PORTS];
    port_wishes(s->settings, wishes);
    for (int i = 0; i < PORTS; i++)
        ports[i] = wishes[i].open ? SERVER_PORTS + i : -1;
    TRY(server_open_reader(s, &reader));
    err failed = reader->list_sessions(reader, wall_us(machine_clock()), &sessions.rows);
    if (!failed)
        failed = floor_start(s->floor, &(struct floor_doors){.desk = s->desk,
                                                             .ports = ports,
                                                             .tls = s->tls.contexts,
                                                             .sessions = sessions.at,
                                                             .session_count = sessions.count,
                                                             .reader = reader});
    reader->close(reader);
    if (sessions.at)
        mem_wipe(sessions.at, sessions.count * sizeof *sessions.at);
    mem_drop(sessions.at);
    return failed;
}

static err open_port_tls(struct server *s)
{
    SCOPED(buffer_drop) struct buffer path = {.max = sizeof s->lists_path};
    put_format(&path, "%s/crl.pem", s->folder);
    TRY(text_copy(buffer_view(&path), s->lists_path, sizeof s->lists_path));
    return port_tls_open(&s->tls, &(struct port_tls_options){.settings = s->settings,
                                                             .issuer = keeper_client_issuer(s->keeper),
                                                             .chain_pem = buffer_view(&s->chain_pem),
                                                             .lists_path = s->lists_path,
                                                             .clock = machine_clock(),
                                                             .dice = machine_dice()});
}

err server_compose(struct server *s, const char *folder)
{
    TRY(text_copy(bytes_of_text(folder), s->folder, sizeof s->folder));
    TRY(open_port_tls(s));
    TRY(open_store(s));
    TRY(open_floor(s));
    TRY(open_desk(s));
    atomic_store(&s->relay.floor, s->floor);
    return open_doors(s);
}

/* First the threads, each while those that it may wait for still run: the query threads wait for the loops (the herald)
 * and for the store, the loops' sessions ask the store to remember that they ended. Then the memory: the last answers
 * of the desk and of the store are for the floor, and what the floor makes of them may be for the store again. */
void server_take_down(struct server *s)
{
    query_desk_stop(s->desk);
    if (s->floor)
        floor_stop(s->floor);
    query_desk_close(s->desk);
    clerk_stop(s->clerk);
    floor_close(s->floor);
    clerk_close(s->clerk);
    if (s->writer)
        s->writer->close(s->writer);
    port_tls_close(&s->tls);
    keeper_client_close(s->keeper);
    mem_drop((void *)(uintptr_t)s->assets.at);
    buffer_drop(&s->chain_pem);
    buffer_drop(&s->root_pem);
}
