/* TCP sockets: listen, accept, connect. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/socket.h"

#include "os/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static const struct fault bad_address = {ERR_MALFORMED, "socket: not a numeric IPv4 or IPv6 address"};
static const struct fault in_use = {ERR_EXISTS, "socket: the address and port are in use"};
static const struct fault not_ours = {ERR_ABSENT, "socket: this machine does not have the address"};
static const struct fault not_allowed = {ERR_REFUSED, "socket: the operating system does not allow it"};
static const struct fault nobody_waits = {ERR_AGAIN, "socket: no connection waits"};
static const struct fault no_room = {ERR_FULL, "socket: out of descriptors or buffers"};
static const struct fault no_host = {ERR_ABSENT, "socket: the host name has no address"};
static const struct fault no_resolver = {ERR_AGAIN, "socket: the name server does not answer"};
static const struct fault turned_away = {ERR_CLOSED, "socket: the connection was refused"};
static const struct fault unreachable = {ERR_CLOSED, "socket: the host cannot be reached"};
static const struct fault timed_out = {ERR_CLOSED, "socket: the connection timed out"};
static const struct fault peer_gone = {ERR_CLOSED, "socket: the other side closed the connection"};
static const struct fault not_now = {ERR_AGAIN, "socket: it waits for the network"};
static const struct fault under_way = {ERR_AGAIN, "socket: the connection is not made yet"};
static const struct fault failed = {ERR_IO, "socket: the operating system reported an error"};

static err fault_of(int code)
{
    static const struct {
        int code;
        err fault;
    } table[] = {
        {EADDRINUSE, &in_use},        {EADDRNOTAVAIL, &not_ours},  {EACCES, &not_allowed},
        {EPERM, &not_allowed},        {EAGAIN, &nobody_waits},     {EMFILE, &no_room},
        {ENFILE, &no_room},           {ENOBUFS, &no_room},         {ENOMEM, &no_room},
        {ECONNREFUSED, &turned_away}, {ENETUNREACH, &unreachable}, {EHOSTUNREACH, &unreachable},
        {ENETDOWN, &unreachable},     {EHOSTDOWN, &unreachable},   {EAFNOSUPPORT, &unreachable},
        {ETIMEDOUT, &timed_out},      {ECONNRESET, &peer_gone},    {EPIPE, &peer_gone},
        {ENOTCONN, &under_way},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            return table[i].fault;
    return &failed;
}

/* One storage for both families; len is what the kernel wants to hear. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    socklen_t len;
};

static err address_parse(const char *text, uint16_t port, struct address *out)
{
    *out = (struct address){.len = 0};
    if (inet_pton(AF_INET, text, &out->at.v4.sin_addr) == 1) {
        out->at.v4.sin_family = AF_INET;
        out->at.v4.sin_port = htons(port);
        out->len = sizeof out->at.v4;
        return OK;
    }
    *out = (struct address){.len = sizeof out->at.v6};
    out->at.v6.sin6_family = AF_INET6;
    out->at.v6.sin6_port = htons(port);
    return inet_pton(AF_INET6, text, &out->at.v6.sin6_addr) == 1 ? OK : &bad_address;
}

bool address_is_loopback(const char *address)
{
    struct address a;
    if (address_parse(address, 0, &a))
        return false;
    const struct in6_addr *v6 = &a.at.v6.sin6_addr;
    if (a.at.any.sa_family == AF_INET)
        return ntohl(a.at.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

/* Peers of a dual-stack socket show as ::ffff:192.0.2.7; operators know them as 192.0.2.7. */
static void address_text(const struct address *a, char out[ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";
    const struct in6_addr *v6 = &a->at.v6.sin6_addr;
    if (a->at.any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &a->at.v4.sin_addr, host, sizeof host);
        snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(a->at.v4.sin_port));
    } else if (IN6_IS_ADDR_V4MAPPED(v6)) {
        (void)inet_ntop(AF_INET, &v6->s6_addr[12], host, sizeof host);
        snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(a->at.v6.sin6_port));
    } else {
        (void)inet_ntop(AF_INET6, v6, host, sizeof host);
        snprintf(out, ADDRESS_TEXT, "[%s]:%u", host, ntohs(a->at.v6.sin6_port));
    }
}

static err turn_on(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0 ? OK : fault_of(errno);
}

err socket_listen(const char *address, uint16_t port, int *fd_out)
{
    struct address a;
    TRY(address_parse(address, port, &a));
    SCOPED(fd_close) int fd = socket(a.at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fault_of(errno);
    TRY(turn_on(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    if (a.at.any.sa_family == AF_INET6) /* "::" takes IPv4 too, whatever the machine's default is */
        TRY(turn_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0));
    if (bind(fd, &a.at.any, a.len) != 0 || listen(fd, SOMAXCONN) != 0)
        return fault_of(errno);
    *fd_out = fd_give(&fd);
    return OK;
}

err socket_port(int fd, uint16_t *out)
{
    struct address a = {.len = sizeof a.at};
    if (getsockname(fd, &a.at.any, &a.len) != 0)
        return fault_of(errno);
    *out = ntohs(a.at.any.sa_family == AF_INET6 ? a.at.v6.sin6_port : a.at.v4.sin_port);
    return OK;
}

/* accept(2): Linux passes errors of a connection that is dead already; the next one may be fine. */
static bool is_about_one_connection(int code)
{
    static const int codes[] = {EINTR,  ECONNABORTED, EPROTO,     ENETDOWN,    ENOPROTOOPT, EHOSTDOWN,
                                ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

err socket_accept(int listener, int *fd_out, char peer[ADDRESS_TEXT])
{
    struct address a;
    int fd;
    do {
        a = (struct address){.len = sizeof a.at};
        fd = accept4(listener, &a.at.any, &a.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && is_about_one_connection(errno));
    if (fd < 0)
        return fault_of(errno);
    IGNORE(turn_on(fd, IPPROTO_TCP, TCP_NODELAY, 1)); /* slower without, and still right */
    address_text(&a, peer);
    *fd_out = fd;
    return OK;
}

/* MSG_DONTWAIT keeps a loop from waiting even when somebody has made the socket blocking. */
err socket_read(int fd, uint8_t *out, size_t room, size_t *got)
{
    ssize_t len = recv(fd, out, room, MSG_DONTWAIT);
    *got = len > 0 ? (size_t)len : 0;
    if (len > 0)
        return OK;
    return len < 0 && (errno == EAGAIN || errno == EINTR) ? &not_now : &peer_gone;
}

err socket_write(int fd, struct bytes in, size_t *taken)
{
    ssize_t len = send(fd, in.at, in.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    *taken = len > 0 ? (size_t)len : 0;
    if (len >= 0)
        return OK;
    return errno == EAGAIN || errno == EINTR ? &not_now : &peer_gone;
}

void socket_finish(int fd)
{
    (void)shutdown(fd, SHUT_WR); /* fails when the other side is gone already: reading tells */
}

void socket_abandon(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* fails only for what is no socket */
}

err socket_discard(int fd, size_t room)
{
    ssize_t len = recv(fd, NULL, room, MSG_TRUNC | MSG_DONTWAIT); /* tcp(7): without copying */
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
        return &peer_gone;
    return OK;
}

static err resolve(const char *host, uint16_t port, struct addrinfo **out)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int trouble = getaddrinfo(host, service, &hints, out);
    /* RFC 6761, 6.3: "localhost" is the loopback, also on a system whose files do not say so. No name gives its
     * addresses. */
    if (trouble && strcasecmp(host, "localhost") == 0)
        trouble = getaddrinfo(NULL, service, &hints, out);
    switch (trouble) {
    case 0:
        return OK;
    case EAI_AGAIN:
        return &no_resolver;
    default:
        return &no_host;
    }
}

static void drop_addresses(struct addrinfo **list)
{
    if (*list)
        freeaddrinfo(*list);
}

static err start_connect(const struct addrinfo *to, int *fd_out)
{
    SCOPED(fd_close) int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fault_of(errno);
    IGNORE(turn_on(fd, IPPROTO_TCP, TCP_NODELAY, 1));
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS && errno != EINTR)
        return fault_of(errno);
    *fd_out = fd_give(&fd);
    return OK;
}

err socket_connect_attempt(const char *host, uint16_t port, unsigned attempt, int *fd_out)
{
    SCOPED(drop_addresses) struct addrinfo *list = NULL;
    TRY(resolve(host, port, &list));
    unsigned count = 0;
    for (const struct addrinfo *a = list; a; a = a->ai_next)
        count++;
    const struct addrinfo *chosen = list;
    for (unsigned skip = count ? attempt % count : 0; skip; skip--)
        chosen = chosen->ai_next;
    return chosen ? start_connect(chosen, fd_out) : &no_host;
}

err socket_connect(const char *host, uint16_t port, int *fd_out)
{
    return socket_connect_attempt(host, port, 0, fd_out);
}

err socket_connected(int fd)
{
    int code = 0;
    socklen_t len = sizeof code;
    struct address peer = {.len = sizeof peer.at};
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0)
        return fault_of(errno);
    if (code)
        return fault_of(code);
    return getpeername(fd, &peer.at.any, &peer.len) == 0 ? OK : fault_of(errno);
}
