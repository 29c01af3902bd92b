/* The yardstick of the benchmarks: a broker that does nothing but wait, read, match and write. */
/* SPDX-License-Identifier: Apache-2.0 */

/* One thread, one epoll. A turn takes what the kernel says is ready, reads each of those sockets once, appends every
 * matching PUBLISH to the output of its subscribers, and ends with one write for each peer that has output. Topics are
 * matched whole, by a hash table. There is nothing else: no limits, no policy, no session that outlives its connection,
 * no store, no wildcards, no check of UTF-8, no QoS 2, no retained messages, no TLS. It trusts its clients, and takes
 * all of them to speak the same MQTT version as the first: a PUBLISH of QoS 0 leaves with the very bytes that it came
 * with. A broker that does more than this for the same price has not been measured yet.
 *
 *   floor-broker PORT        listens on 127.0.0.1; PORT 0 lets the kernel pick; prints the port */
#include "base/memory.h"
#include "base/table.h"
#include "os/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, READ_ROOM = 256 * 1024, TOPICS_MAX = 4 * 1024 * 1024, PACKET_MAX = 128 * 1024 };
enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, SUBSCRIBE = 8, SUBACK, PINGREQ = 12, PINGRESP, DISCONNECT };

/* Bytes that grow and are used up from the front. */
struct heap {
    uint8_t *at;
    size_t begin, end, room;
};

struct topic;

struct peer {
    int fd;
    uint8_t version;
    bool dirty, waits; /* it stands in the list of this turn; epoll tells when it takes more */
    uint16_t last_id;
    struct heap in, out;
    struct peer *next_dirty;
    struct topic **topics; /* that it subscribes to */
    size_t topic_count, topic_room;
};

struct subscriber {
    struct peer *peer;
    uint8_t qos;
};

struct topic {
    struct table_node node; /* its key stands behind the struct */
    struct subscriber *all;
    size_t count, room;
};

struct broker {
    int epoll, listener;
    struct table topics;
    struct peer *dirty;
    uint8_t scratch[READ_ROOM];
};

static void *insist(void *memory)
{
    if (memory)
        return memory;
    (void)fputs("floor-broker: no memory\n", stderr);
    exit(1);
}

/* ---- output */

static uint8_t *heap_reserve(struct heap *h, size_t len)
{
    if (h->room - h->end < len) {
        if (h->begin)
            memmove(h->at, h->at + h->begin, h->end - h->begin);
        h->end -= h->begin;
        h->begin = 0;
        if (h->room - h->end < len) {
            h->room = h->room * 2 > h->end + len ? h->room * 2 : h->end + len + 64;
            h->at = insist(mem_grow(h->at, h->room, 1));
        }
    }
    uint8_t *at = h->at + h->end;
    h->end += len;
    return at;
}

static void heap_drop(struct heap *h)
{
    mem_drop(h->at);
    *h = (struct heap){0};
}

/* Room for len bytes at the end of what the peer will be sent when the turn ends. */
static inline uint8_t *send_room(struct broker *b, struct peer *p, size_t len)
{
    if (!p->dirty) {
        p->dirty = true;
        p->next_dirty = b->dirty;
        b->dirty = p;
    }
    return heap_reserve(&p->out, len);
}

static inline void send_bytes(struct broker *b, struct peer *p, struct bytes in)
{
    memcpy(send_room(b, p, in.len), in.at, in.len);
}

/* ---- subscriptions */

static struct topic *topic_of(struct broker *b, struct bytes name)
{
    struct topic *t = (struct topic *)(void *)table_find(&b->topics, name);
    if (t)
        return t;
    t = insist(mem_take(1, sizeof *t + name.len));
    uint8_t *key = (uint8_t *)(t + 1);
    memcpy(key, name.at, name.len);
    if (table_add(&b->topics, &t->node, bytes_of(key, name.len)))
        insist(NULL);
    return t;
}

static void subscribe(struct broker *b, struct peer *p, struct bytes filter, uint8_t qos)
{
    struct topic *t = topic_of(b, filter);
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 1;
        t->all = insist(mem_grow(t->all, t->room, sizeof *t->all));
    }
    t->all[t->count++] = (struct subscriber){p, qos};
    if (p->topic_count == p->topic_room) {
        p->topic_room = p->topic_room ? p->topic_room * 2 : 1;
        p->topics = insist(mem_grow(p->topics, p->topic_room, sizeof(struct topic *)));
    }
    p->topics[p->topic_count++] = t;
}

static void unsubscribe_all(struct peer *p)
{
    for (size_t i = 0; i < p->topic_count; i++) {
        struct topic *t = p->topics[i];
        for (size_t j = 0; j < t->count; j++)
            if (t->all[j].peer == p)
                t->all[j--] = t->all[--t->count];
    }
    mem_drop(p->topics);
}

/* ---- packets in */

static uint16_t two(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static bool on_connect(struct broker *b, struct peer *p, struct bytes body)
{
    if (body.len < 10 || body.at[1] != 4)
        return false;
    p->version = body.at[6];
    send_bytes(b, p, p->version == 5 ? BYTES("\x20\x03\0\0\0") : BYTES("\x20\x02\0\0"));
    return true;
}

static bool on_subscribe(struct broker *b, struct peer *p, struct bytes body)
{
    uint8_t granted[PACKET_MAX / 4];
    size_t count = 0, at = p->version == 5 ? 3 : 2; /* no properties are expected */
    while (at + 2 <= body.len && count < sizeof granted) {
        size_t len = two(body.at + at);
        if (at + 2 + len + 1 > body.len)
            return false;
        granted[count] = (body.at[at + 2 + len] & 3) > 0;
        subscribe(b, p, bytes_of(body.at + at + 2, len), granted[count++]);
        at += 3 + len;
    }
    size_t size = count + 2 + (p->version == 5);
    uint8_t head[8] = {SUBACK << 4, (uint8_t)(size & 127)};
    size_t used = 2;
    if (size > 127) {
        head[1] |= 128;
        head[used++] = (uint8_t)(size >> 7 & 127);
    }
    if (size > 16383) {
        head[2] |= 128;
        head[used++] = (uint8_t)(size >> 14);
    }
    send_bytes(b, p, bytes_of(head, used));
    send_bytes(b, p, bytes_of(body.at, 2));
    if (p->version == 5)
        send_bytes(b, p, BYTES("\0"));
    send_bytes(b, p, bytes_of(granted, count));
    return true;
}

/* A PUBLISH with QoS 1: the same bytes behind another packet id. */
static inline void deliver_once(struct broker *b, struct peer *to, struct bytes whole, size_t id_at)
{
    uint8_t *at = send_room(b, to, whole.len);
    memcpy(at, whole.at, whole.len);
    if (!++to->last_id)
        to->last_id = 1;
    at[id_at] = (uint8_t)(to->last_id >> 8);
    at[id_at + 1] = (uint8_t)to->last_id;
}

/* A PUBLISH with QoS 1 for somebody who asked for QoS 0: without its packet id, which makes it two bytes shorter. */
static void deliver_plain(struct broker *b, struct peer *to, struct bytes body, size_t id_at)
{
    size_t size = body.len - 2, used = 1;
    uint8_t head[5] = {PUBLISH << 4};
    for (; size > 127; size >>= 7)
        head[used++] = (uint8_t)(size | 128);
    head[used++] = (uint8_t)size;
    send_bytes(b, to, bytes_of(head, used));
    send_bytes(b, to, bytes_first(body, id_at));
    send_bytes(b, to, bytes_from(body, id_at + 2));
}

static bool on_publish(struct broker *b, struct peer *p, struct bytes whole, struct bytes body)
{
    size_t len = body.len >= 2 ? two(body.at) : SIZE_MAX - 2;
    uint8_t qos = whole.at[0] >> 1 & 3;
    if (body.len < 2 + len + (qos ? 2u : 0u))
        return false;
    const struct topic *t = (const struct topic *)(const void *)table_find(&b->topics, bytes_of(body.at + 2, len));
    for (size_t i = 0; t && i < t->count; i++) {
        if (!qos)
            send_bytes(b, t->all[i].peer, whole);
        else if (t->all[i].qos)
            deliver_once(b, t->all[i].peer, whole, whole.len - body.len + 2 + len);
        else
            deliver_plain(b, t->all[i].peer, body, 2 + len);
    }
    if (qos) {
        const uint8_t ack[4] = {PUBACK << 4, 2, body.at[2 + len], body.at[3 + len]};
        send_bytes(b, p, bytes_of(ack, sizeof ack));
    }
    return true;
}

static bool on_packet(struct broker *b, struct peer *p, struct bytes whole, struct bytes body)
{
    switch (whole.at[0] >> 4) {
    case PUBLISH:
        return on_publish(b, p, whole, body);
    case PUBACK:
        return true;
    case CONNECT:
        return on_connect(b, p, body);
    case SUBSCRIBE:
        return on_subscribe(b, p, body);
    case PINGREQ:
        send_bytes(b, p, BYTES("\xd0\0"));
        return true;
    default:
        return false;
    }
}

/* Takes whole packets; returns how many bytes they were, or SIZE_MAX when the peer is to go. */
static size_t take_packets(struct broker *b, struct peer *p, struct bytes in)
{
    size_t used = 0;
    while (in.len - used >= 2) {
        const uint8_t *at = in.at + used;
        size_t head = 1, size = 0;
        unsigned shift = 0;
        while (head < in.len - used && at[head] & 128 && head < 4) {
            size |= (size_t)(at[head++] & 127) << shift;
            shift += 7;
        }
        if (head == in.len - used)
            break;
        size |= (size_t)(at[head++] & 127) << shift;
        if (size > PACKET_MAX)
            return SIZE_MAX;
        if (head + size > in.len - used)
            break;
        if (!on_packet(b, p, bytes_of(at, head + size), bytes_of(at + head, size)))
            return SIZE_MAX;
        used += head + size;
    }
    return used;
}

/* ---- peers */

static void drop_peer(struct broker *b, struct peer *p)
{
    for (struct peer **at = &b->dirty; *at; at = &(*at)->next_dirty)
        if (*at == p) {
            *at = p->next_dirty;
            break;
        }
    unsubscribe_all(p);
    (void)close(p->fd);
    heap_drop(&p->in);
    heap_drop(&p->out);
    mem_drop(p);
}

/* Reads once: what is left beyond the room is told again by epoll in the next turn. */
static bool read_peer(struct broker *b, struct peer *p)
{
    size_t old = p->in.end;
    if (old)
        memcpy(b->scratch, p->in.at, old);
    ssize_t got = read(p->fd, b->scratch + old, READ_ROOM - old);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    size_t len = old + (size_t)got, used = take_packets(b, p, bytes_of(b->scratch, len));
    if (used == SIZE_MAX)
        return false;
    heap_drop(&p->in);
    if (used < len)
        memcpy(heap_reserve(&p->in, len - used), b->scratch + used, len - used);
    return true;
}

static void watch(struct broker *b, struct peer *p, int how, uint32_t events)
{
    struct epoll_event event = {events, {.ptr = p}};
    (void)epoll_ctl(b->epoll, how, p->fd, &event);
}

static void write_peer(struct broker *b, struct peer *p)
{
    struct heap *out = &p->out;
    ssize_t sent = write(p->fd, out->at + out->begin, out->end - out->begin);
    if (sent > 0)
        out->begin += (size_t)sent;
    else if (sent < 0 && errno != EAGAIN)
        out->begin = out->end; /* reading will tell that it is gone */
    bool left = out->begin < out->end;
    if (!left)
        out->begin = out->end = 0;
    if (left != p->waits)
        watch(b, p, EPOLL_CTL_MOD, left ? EPOLLIN | EPOLLOUT : EPOLLIN);
    p->waits = left;
}

static void write_all(struct broker *b)
{
    while (b->dirty) {
        struct peer *p = b->dirty;
        b->dirty = p->next_dirty;
        p->dirty = false;
        if (!p->waits)
            write_peer(b, p);
    }
}

static void accept_all(struct broker *b)
{
    int fd;
    while ((fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct peer *p = insist(MEM_NEW(struct peer));
        p->fd = fd;
        watch(b, p, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void turn(struct broker *b)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(b->epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
        struct peer *p = events[i].data.ptr;
        if (!p) {
            accept_all(b);
            continue;
        }
        if (events[i].events & EPOLLOUT)
            write_peer(b, p);
        if (events[i].events & ~(uint32_t)EPOLLOUT && !read_peer(b, p))
            drop_peer(b, p);
    }
    write_all(b);
}

int main(int argc, char **argv)
{
    static struct broker b; /* too large for the stack */
    uint16_t port = 0;
    struct epoll_event event = {EPOLLIN, {.ptr = NULL}};
    table_open(&b.topics, TOPICS_MAX, 0);
    b.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (argc != 2 || socket_listen("127.0.0.1", (uint16_t)strtoul(argv[1], NULL, 10), &b.listener) ||
        socket_port(b.listener, &port) || epoll_ctl(b.epoll, EPOLL_CTL_ADD, b.listener, &event)) {
        (void)fputs("usage: floor-broker PORT (one that is free)\n", stderr);
        return 2;
    }
    (void)printf("%u\n", port);
    (void)fflush(stdout);
    for (;;)
        turn(&b);
}
