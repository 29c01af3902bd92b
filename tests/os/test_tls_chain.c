/* What a client shows of its chain: the leaf alone to a server that trusts its issuer, all of it to any other. The
 * server is OpenSSL's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"
#include "os/file.h"
#include "os/tls.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct party root, issuing, server, device;
    struct tls_context *client;
};

static int world_make(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct buffer chain = {.max = 65536};
    w->root = authority_make(NULL, "root");
    w->issuing = authority_make(&w->root, "issuing");
    w->server = party_make(
        &w->root, &(struct leaf){.name = "server", .usage = "serverAuth", .alternatives = "DNS:server.example"});
    w->device = party_make(&w->issuing, &(struct leaf){.name = "pump-1", .usage = "clientAuth"});
    put_bytes(&chain, buffer_view(&w->device.chain_pem));
    put_bytes(&chain, buffer_view(&w->issuing.chain_pem));
    assert_null(tls_context_client(&(struct tls_options){.chain_pem = buffer_view(&chain),
                                                         .key_pem = buffer_view(&w->device.key_pem),
                                                         .anchors_pem = buffer_view(&w->root.chain_pem),
                                                         .server_name = "server.example"},
                                   &w->client));
    buffer_drop(&chain);
    *state = w;
    return 0;
}

static int world_drop(void **state)
{
    struct world *w = *state;
    struct party *parties[] = {&w->root, &w->issuing, &w->server, &w->device};
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++)
        party_drop(parties[i]);
    tls_context_drop(w->client);
    free(w);
    return 0;
}

/* Trusts and names the anchors that are not NULL. */
static SSL *open_server(const struct world *w, int version, const struct party *const anchors[2], int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    certify(SSL_CTX_use_certificate(ctx, w->server.certificate) && SSL_CTX_use_PrivateKey(ctx, w->server.key) &&
            SSL_CTX_set_max_proto_version(ctx, version));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    for (int i = 0; i < 2; i++)
        if (anchors[i])
            certify(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), anchors[i]->certificate) &&
                    SSL_CTX_add_client_CA(ctx, anchors[i]->certificate));
    SSL *server = SSL_new(ctx);
    certify(server && SSL_set_fd(server, fd));
    SSL_CTX_free(ctx); /* the server holds it */
    return server;
}

/* How many certificates came behind the leaf; -1: the handshake failed. */
static int shown(const struct world *w, int version, const struct party *const anchors[2])
{
    struct tls *client;
    int fd[2], count = -1;
    err e = OK;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    SSL *server = open_server(w, version, anchors, fd[1]);
    assert_null(tls_open(w->client, fd[0], &client));
    for (int i = 0; i < 8 && (!e || err_is(e, ERR_AGAIN)) && !SSL_is_init_finished(server); i++) {
        e = tls_handshake(client);
        (void)SSL_accept(server);
    }
    if (SSL_is_init_finished(server))
        count = sk_X509_num(SSL_get_peer_cert_chain(server));
    tls_close(client);
    SSL_free(server);
    fd_close(&fd[0]);
    fd_close(&fd[1]);
    return count;
}

static void a_server_that_names_the_issuer_sees_the_leaf_alone(void **state)
{
    struct world *w = *state;
    const struct {
        const char *rule;
        const struct party *anchors[2];
        int shown;
    } rows[] = {
        {"root and issuing, as ours", {&w->root, &w->issuing}, 0},
        {"the root alone", {&w->root, NULL}, 1},
    };
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int k = 0; k < 2; k++) {
            int count = shown(w, versions[k], rows[i].anchors);
            if (count != rows[i].shown)
                fail_msg("%s, version %x: %d behind the leaf", rows[i].rule, (unsigned)versions[k], count);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_server_that_names_the_issuer_sees_the_leaf_alone)};
    return cmocka_run_group_tests(tests, world_make, world_drop);
}
