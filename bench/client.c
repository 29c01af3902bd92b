/* The load generator's clients. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, READ_ROOM = 256 * 1024, BUFFER_MAX = 64 * 1024 * 1024, IDENTIFIER_ROOM = 96, PATH_ROOM = 512 };

struct clients {
    struct client_options how;
    const struct client_events *events;
    void *self;
    void (*extra)(void *self);
    int epoll;
    struct sockaddr_in to;
    SSL_CTX **identities; /* one for each device; one alone without certificates */
    size_t count;
    struct client *each;
    uint8_t scratch[READ_ROOM];
};

_Noreturn void give_up(const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    (void)fputs("mqtt-bench: ", stderr);
    (void)vfprintf(stderr, format, rest);
    (void)fputc('\n', stderr);
    va_end(rest);
    exit(1);
}

static void *insist(void *memory)
{
    if (!memory)
        give_up("no memory");
    return memory;
}

/* ---- TLS */

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct client *c = SSL_get_app_data(ssl);
    SSL_SESSION_free(c->session);
    c->session = session;
    return 1;
}

/* As the agent: to a broker that names our issuer among its anchors the leaf goes alone (RFC 8446, 4.4.2). */
static int choose_chain(SSL *ssl, void *arg)
{
    const STACK_OF(X509_NAME) *anchors = SSL_get0_peer_CA_list(ssl);
    const X509 *leaf = SSL_get_certificate(ssl);
    for (int i = 0; leaf && i < sk_X509_NAME_num(anchors); i++)
        if (X509_NAME_cmp(sk_X509_NAME_value(anchors, i), X509_get_issuer_name(leaf)) == 0) {
            SSL_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);
            return SSL_clear_chain_certs(ssl) == 1;
        }
    return 1;
}

static SSL_CTX *identity(const struct client_options *how, unsigned device)
{
    char certificate[PATH_ROOM], key[PATH_ROOM];
    SSL_CTX *ctx = insist(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_ticket);
    if (how->tls_version &&
        !(SSL_CTX_set_min_proto_version(ctx, how->tls_version) && SSL_CTX_set_max_proto_version(ctx, how->tls_version)))
        give_up("this TLS version cannot be had");
    if (SSL_CTX_load_verify_locations(ctx, how->ca, NULL) != 1)
        give_up("%s: no authority in it", how->ca);
    SSL_CTX_set_cert_cb(ctx, choose_chain, NULL);
    if (!how->folder)
        return ctx;
    (void)snprintf(certificate, sizeof certificate, "%s/%s%u.pem", how->folder, how->prefix, device);
    (void)snprintf(key, sizeof key, "%s/%s%u.key", how->folder, how->prefix, device);
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        give_up("%s: no certificate, or none for %s", certificate, key);
    return ctx;
}

static void begin_tls(struct clients *all, struct client *c)
{
    c->ssl = insist(SSL_new(all->identities[c->number % all->how.devices]));
    SSL_set_app_data(c->ssl, c);
    if (!SSL_set_fd(c->ssl, c->fd) ||
        !SSL_ctrl(c->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t) "localhost") ||
        !SSL_set1_host(c->ssl, "localhost"))
        give_up("TLS cannot begin");
    if (c->session)
        (void)SSL_set_session(c->ssl, c->session);
    SSL_set_connect_state(c->ssl);
}

bool client_resumed(const struct client *c)
{
    return c->ssl && SSL_session_reused(c->ssl);
}

/* ---- all of them */

struct clients *clients_open(const struct client_options *options, size_t count, const struct client_events *events,
                             void *self)
{
    struct clients *all = insist(MEM_NEW(struct clients));
    *all = (struct clients){.how = *options, .events = events, .self = self, .count = count};
    all->each = insist(mem_take(count, sizeof *all->each));
    for (size_t i = 0; i < count; i++)
        all->each[i] = (struct client){.fd = -1, .number = (uint32_t)i, .in.max = BUFFER_MAX, .out.max = BUFFER_MAX};
    all->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(options->port)};
    if (inet_pton(AF_INET, options->host, &all->to.sin_addr) != 1)
        give_up("%s: no IPv4 address", options->host);
    all->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!options->ca)
        return all;
    all->identities = insist(mem_take(options->devices, sizeof(SSL_CTX *)));
    for (unsigned i = 0; i < options->devices; i++)
        all->identities[i] = identity(options, i);
    return all;
}

struct client *clients_at(struct clients *all, size_t number)
{
    return &all->each[number];
}

static void watch(struct clients *all, struct client *c, uint32_t events)
{
    if (c->watched == events)
        return;
    struct epoll_event event = {events, {.ptr = c}};
    if (epoll_ctl(all->epoll, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event))
        give_up("epoll: %s", strerror(errno));
    c->watched = events;
}

void clients_watch(struct clients *all, int fd, void (*ready)(void *self))
{
    struct epoll_event event = {EPOLLIN, {.ptr = NULL}};
    all->extra = ready;
    if (epoll_ctl(all->epoll, EPOLL_CTL_ADD, fd, &event))
        give_up("epoll: %s", strerror(errno));
}

void clients_start(struct clients *all, struct client *c)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        give_up("socket %u: %s", c->number, strerror(errno));
    if (all->how.sources) {
        struct sockaddr_in from = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(0x7F000001 + c->number % all->how.sources)};
        (void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from))
            give_up("bind: %s", strerror(errno));
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(c->fd, (struct sockaddr *)&all->to, sizeof all->to) && errno != EINPROGRESS)
        give_up("connect: %s", strerror(errno));
    c->phase = CLIENT_CONNECTING;
    watch(all, c, EPOLLOUT);
}

void clients_stop(struct clients *all, struct client *c)
{
    if (c->ssl)
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* otherwise the ticket is worth nothing */
    SSL_free(c->ssl);
    (void)close(c->fd);
    buffer_drop(&c->in);
    buffer_drop(&c->out);
    c->ssl = NULL;
    c->fd = -1;
    c->watched = 0;
    c->out_done = 0;
    c->phase = CLIENT_OFF;
}

static void lost(struct clients *all, struct client *c, const char *how)
{
    if (!all->events->closed)
        give_up("client %u: %s%s%s", c->number, how, errno ? ": " : "", errno ? strerror(errno) : "");
    clients_stop(all, c);
    all->events->closed(all->self, c);
}

/* ---- out */

/* How many of the bytes the connection took; 0: none at the moment. */
static size_t push(struct clients *all, struct client *c, struct bytes in)
{
    ssize_t sent = c->ssl ? SSL_write(c->ssl, in.at, (int)in.len) : write(c->fd, in.at, in.len);
    if (sent > 0)
        return (size_t)sent;
    bool again = c->ssl ? SSL_get_error(c->ssl, (int)sent) == SSL_ERROR_WANT_WRITE : errno == EAGAIN;
    if (!again && !all->events->closed)
        give_up("client %u: the broker takes nothing any more", c->number);
    return 0;
}

void client_send(struct clients *all, struct client *c, struct bytes in)
{
    size_t sent = c->out.len ? 0 : push(all, c, in);
    if (sent == in.len)
        return;
    put_bytes(&c->out, bytes_from(in, sent));
    if (buffer_finish(&c->out))
        give_up("client %u: the broker reads too slowly", c->number);
    watch(all, c, EPOLLIN | EPOLLOUT);
}

static void flush(struct clients *all, struct client *c)
{
    c->out_done += c->out.len ? push(all, c, bytes_from(buffer_view(&c->out), c->out_done)) : 0;
    if (c->out_done < c->out.len)
        return;
    buffer_drop(&c->out);
    c->out_done = 0;
    watch(all, c, EPOLLIN);
}

static void greet(struct clients *all, struct client *c)
{
    char id[IDENTIFIER_ROOM];
    bool five = all->how.version == 5;
    SCOPED(buffer_drop) struct buffer out = {.max = 256};
    int len = snprintf(id, sizeof id, "%s%u", all->how.prefix, c->number);
    put_u8(&out, PACKET_CONNECT << 4);
    put_u8(&out, (uint8_t)(10 + five + 2 + len));
    put_bytes(&out, BYTES("\0\4MQTT"));
    put_u8(&out, (uint8_t)all->how.version);
    put_u8(&out, 2); /* clean */
    put_u16(&out, (uint16_t)all->how.keep_alive);
    if (five)
        put_u8(&out, 0);
    put_u16(&out, (uint16_t)len);
    put_text(&out, id);
    c->phase = CLIENT_GREETING;
    client_send(all, c, buffer_view(&out));
}

void client_subscribe(struct clients *all, struct client *c, const char *const *filters, size_t count, unsigned qos)
{
    SCOPED(buffer_drop) struct buffer body = {.max = BUFFER_MAX}, out = {.max = BUFFER_MAX};
    put_u16(&body, 1);
    if (all->how.version == 5)
        put_u8(&body, 0);
    for (size_t i = 0; i < count; i++) {
        put_u16(&body, (uint16_t)strlen(filters[i]));
        put_text(&body, filters[i]);
        put_u8(&body, (uint8_t)qos);
    }
    put_u8(&out, PACKET_SUBSCRIBE << 4 | 2);
    size_t left = body.len;
    for (; left > 127; left >>= 7)
        put_u8(&out, (uint8_t)(left | 128));
    put_u8(&out, (uint8_t)left);
    put_bytes(&out, buffer_view(&body));
    client_send(all, c, buffer_view(&out));
}

/* ---- in */

static void on_packet(struct clients *all, struct client *c, const struct packet *packet)
{
    if (c->phase == CLIENT_OPEN) {
        all->events->packet(all->self, c, packet);
        return;
    }
    if (packet->type != PACKET_CONNACK || packet->body.len < 2 || packet->body.at[1])
        give_up("client %u: CONNECT was refused with 0x%02x", c->number, packet->body.len > 1 ? packet->body.at[1] : 0);
    c->phase = CLIENT_OPEN;
    all->events->open(all->self, c);
}

static size_t take_packets(struct clients *all, struct client *c, struct bytes in)
{
    size_t used = 0;
    while (in.len - used >= 2 && c->phase) {
        const uint8_t *at = in.at + used;
        size_t head = 1, size = 0;
        unsigned shift = 0;
        while (head < in.len - used && at[head] & 128 && head < 4) {
            size |= (size_t)(at[head++] & 127) << shift;
            shift += 7;
        }
        if (head == in.len - used)
            break;
        size |= (size_t)at[head++] << shift;
        if (head + size > in.len - used)
            break;
        const struct packet packet = {at[0] >> 4, at[0] & 15, bytes_of(at + head, size)};
        used += head + size;
        on_packet(all, c, &packet);
    }
    return used;
}

/* False when nothing more is to be had now. */
static bool read_once(struct clients *all, struct client *c)
{
    size_t old = c->in.len, room = READ_ROOM - old;
    if (old)
        memcpy(all->scratch, c->in.at, old);
    errno = 0;
    ssize_t got = c->ssl ? SSL_read(c->ssl, all->scratch + old, (int)room) : read(c->fd, all->scratch + old, room);
    if (got <= 0) {
        bool again = c->ssl ? SSL_get_error(c->ssl, (int)got) == SSL_ERROR_WANT_READ : got < 0 && errno == EAGAIN;
        if (!again)
            lost(all, c, "the broker closed");
        return false;
    }
    size_t len = old + (size_t)got, used = take_packets(all, c, bytes_of(all->scratch, len));
    if (!c->phase)
        return false;
    buffer_drop(&c->in);
    if (used < len)
        put_bytes(&c->in, bytes_of(all->scratch + used, len - used));
    if (c->in.len > READ_ROOM / 2)
        give_up("client %u: a packet that is too large", c->number);
    return c->ssl != NULL;
}

static void read_all(struct clients *all, struct client *c)
{
    while (read_once(all, c))
        ;
    if (c->phase && c->out.len && !(c->watched & EPOLLOUT)) {
        flush(all, c); /* acknowledgements */
        watch(all, c, c->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

static void shake(struct clients *all, struct client *c)
{
    ERR_clear_error();
    int done = SSL_connect(c->ssl);
    if (done == 1) {
        watch(all, c, EPOLLIN);
        greet(all, c);
        return;
    }
    int why = SSL_get_error(c->ssl, done);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        watch(all, c, why == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT);
    else
        lost(all, c,
             ERR_peek_last_error() ? ERR_reason_error_string(ERR_peek_last_error()) : "the handshake was cut off");
}

static void connected(struct clients *all, struct client *c)
{
    int trouble = 0;
    socklen_t len = sizeof trouble;
    (void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &trouble, &len);
    if (trouble)
        give_up("connect: %s", strerror(trouble));
    if (all->how.ca) {
        c->phase = CLIENT_SHAKING;
        begin_tls(all, c);
        shake(all, c);
        return;
    }
    watch(all, c, EPOLLIN);
    greet(all, c);
}

static void ready(struct clients *all, struct client *c, uint32_t events)
{
    if (c->phase == CLIENT_CONNECTING) {
        connected(all, c);
    } else if (c->phase == CLIENT_SHAKING) {
        shake(all, c);
    } else {
        if (events & EPOLLOUT)
            flush(all, c);
        if (events & ~(uint32_t)EPOLLOUT)
            read_all(all, c);
    }
}

void clients_wait(struct clients *all, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(all->epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct client *c = events[i].data.ptr;
        if (!c)
            all->extra(all->self);
        else if (c->phase)
            ready(all, c, events[i].events);
    }
}
