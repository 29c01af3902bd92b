/* A BIO over a socket. MSG_DONTWAIT keeps a loop from waiting even when somebody has made the socket blocking;
 * MSG_NOSIGNAL turns a peer that went away into EPIPE. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

static struct tls_socket *socket_of(BIO *bio)
{
    return BIO_get_data(bio);
}

static bool may_pass(int code)
{
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

static int receive(BIO *bio, void *out, size_t room, size_t *got)
{
    ssize_t len = recv(socket_of(bio)->fd, out, room, MSG_DONTWAIT);
    BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY | BIO_FLAGS_IN_EOF);
    if (len == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    if (len < 0 && may_pass(errno))
        BIO_set_retry_read(bio);
    *got = len > 0 ? (size_t)len : 0;
    return len > 0;
}

static int socket_read(BIO *bio, char *out, size_t room, size_t *got)
{
    struct tls_socket *s = socket_of(bio);
    if (!s->len && !s->room)
        return receive(bio, out, room, got);
    if (!s->len) {
        s->at = s->room;
        if (!receive(bio, s->room, s->room_len, &s->len))
            return 0;
    }
    *got = s->len < room ? s->len : room;
    memcpy(out, s->at, *got);
    s->at += *got;
    s->len -= *got;
    BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY | BIO_FLAGS_IN_EOF);
    return 1;
}

static int socket_write(BIO *bio, const char *in, size_t len, size_t *taken)
{
    ssize_t done = send(socket_of(bio)->fd, in, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (done < 0 && may_pass(errno))
        BIO_set_retry_write(bio);
    *taken = done > 0 ? (size_t)done : 0;
    return done > 0;
}

static long socket_control(BIO *bio, int what, long number, void *pointer)
{
    switch (what) {
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    case BIO_CTRL_FLUSH: /* nothing is held back */
        return 1;
    default:
        return 0;
    }
}

BIO_METHOD *tls_socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "holdfast socket");
    if (!method)
        return NULL;
    if (BIO_meth_set_read_ex(method, socket_read) && BIO_meth_set_write_ex(method, socket_write) &&
        BIO_meth_set_ctrl(method, socket_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

BIO *tls_socket_over(const BIO_METHOD *method, struct tls_socket *socket)
{
    BIO *bio = BIO_new(method);
    if (bio) {
        BIO_set_data(bio, socket);
        BIO_set_init(bio, 1);
    }
    return bio;
}
