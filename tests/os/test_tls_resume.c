/* Session tickets: what resumes, what leads to a full handshake again, and what a resumed session still knows. The
 * client is OpenSSL's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct party root, issuing, other, server, device, deep, brief;
    struct tls_engine *engine;
    struct tls_tickets *tickets;
    SSL_CTX *client;
    SSL_SESSION *session; /* the client's last one */
    unsigned sessions;
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct world *w = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(w->session);
    w->session = session;
    w->sessions++;
    return 1;
}

static int world_make(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    const struct leaf device = {.name = "pump-1", .usage = "clientAuth"};
    w->root = authority_make(NULL, "root");
    w->other = authority_make(NULL, "other");
    w->issuing = authority_make(&w->root, "issuing");
    w->server = party_make(&w->issuing, &(struct leaf){.name = "server", .usage = "serverAuth"});
    w->device = party_make(&w->issuing, &device);
    w->brief =
        party_make(&w->issuing, &(struct leaf){.name = "pump-2", .usage = "clientAuth", .from_s = -60, .until_s = 2});
    w->deep = party_make(&w->issuing, &device);
    assert_null(tls_engine_open(&w->engine));
    assert_null(tls_tickets_open(machine_dice(), &w->tickets));
    w->client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_app_data(w->client, w);
    SSL_CTX_set_session_cache_mode(w->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(w->client, keep_session);
    *state = w;
    return 0;
}

static int world_drop(void **state)
{
    struct world *w = *state;
    struct party *parties[] = {&w->root, &w->issuing, &w->other, &w->server, &w->device, &w->deep, &w->brief};
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++)
        party_drop(parties[i]);
    tls_engine_close(w->engine);
    tls_tickets_drop(w->tickets);
    SSL_SESSION_free(w->session);
    SSL_CTX_free(w->client);
    free(w);
    return 0;
}

static struct tls_options options_of(struct world *w)
{
    static struct buffer anchors;
    if (!anchors.len) {
        anchors.max = 65536;
        put_bytes(&anchors, buffer_view(&w->issuing.chain_pem));
        put_bytes(&anchors, buffer_view(&w->root.chain_pem));
    }
    return (struct tls_options){.chain_pem = buffer_view(&w->server.chain_pem),
                                .key_pem = buffer_view(&w->server.key_pem),
                                .anchors_pem = buffer_view(&anchors),
                                .tickets = w->tickets,
                                .ticket_scope = "mqtt",
                                .ticket_life_s = 3600};
}

/* One connection from its beginning to its end: whether it was resumed, and whether the server knows `who`. */
struct visit {
    int version;             /* 0: the newest */
    const struct party *who; /* NULL: nobody */
    SSL_SESSION *session;
    const struct tls_context *later; /* whose lists are asked when the connection has long gone on; may be NULL */
};

struct outcome {
    bool refused, resumed, knows, revoked;
};

static void carry_text(struct tls *tls, SSL *client)
{
    uint8_t in[64];
    size_t n;
    assert_int_equal(SSL_write(client, "hello", 5), 5);
    assert_null(tls_read(tls, in, sizeof in, &n));
    assert_true(bytes_is(bytes_of(in, n), "hello"));
    assert_null(tls_write(tls, BYTES("world"), &n));
    assert_int_equal(SSL_read(client, in, sizeof in), 5); /* takes the tickets as well */
}

static bool knows(struct tls *tls, const struct party *who)
{
    SCOPED(buffer_drop) struct buffer der = {.max = 65536};
    if (tls_peer_certificate(tls, &der))
        return !who;
    const uint8_t *at = der.at;
    X509 *seen = d2i_X509(NULL, &at, (long)der.len);
    bool same = who && X509_cmp(seen, who->certificate) == 0;
    X509_free(seen);
    return same;
}

static SSL *open_client(struct world *w, const struct visit *v, int fd)
{
    SSL *client = SSL_new(w->client);
    assert_int_equal(SSL_set_fd(client, fd), 1);
    if (v->version)
        assert_int_equal(SSL_set_max_proto_version(client, v->version), 1);
    if (v->who)
        assert_true(SSL_use_certificate(client, v->who->certificate) == 1 &&
                    SSL_use_PrivateKey(client, v->who->key) == 1);
    if (v->session) { /* a copy: OpenSSL's clients use a ticket once */
        SSL_SESSION *copy = SSL_SESSION_dup(v->session);
        assert_int_equal(SSL_set_session(client, copy), 1);
        SSL_SESSION_free(copy);
    }
    return client;
}

static struct outcome visit(struct world *w, struct tls_context *ctx, const struct visit *v)
{
    struct outcome out = {0};
    struct tls *tls;
    int fd[2];
    err e = OK;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    assert_null(tls_accept(ctx, w->engine, fd[0], &tls));
    SSL *client = open_client(w, v, fd[1]);
    do {
        (void)SSL_connect(client);
        e = tls_handshake(tls);
    } while (err_is(e, ERR_AGAIN));
    out.refused = e != OK;
    if (!e) {
        out.knows = knows(tls, v->who);
        out.resumed = tls_resumed(tls);
        assert_int_equal(SSL_connect(client), 1);
        assert_int_equal(SSL_session_reused(client), out.resumed);
        carry_text(tls, client);
        out.revoked = v->later && tls_peer_is_revoked(tls, v->later);
    }
    tls_close(tls);
    SSL_set_shutdown(client, SSL_SENT_SHUTDOWN); /* for OpenSSL's books: the session is good */
    SSL_free(client);
    fd_close(&fd[0]);
    fd_close(&fd[1]);
    return out;
}

static void expect(struct outcome o, bool resumed, const char *rule)
{
    if (o.refused || o.resumed != resumed || !o.knows)
        fail_msg("%s: refused %d, resumed %d, knows the client %d", rule, o.refused, o.resumed, o.knows);
}

static struct tls_context *open_context(const struct tls_options *options)
{
    struct tls_context *ctx = NULL;
    assert_null(tls_context_server(options, &ctx));
    return ctx;
}

static void sessions_are_resumed_and_know_the_client(void **state)
{
    struct world *w = *state;
    for (int layer = 0; layer < 2; layer++) {
        struct tls_options options = options_of(w);
        options.records = (enum tls_record_layer)layer;
        struct tls_context *ctx = open_context(&options);
        unsigned before = w->sessions;
        expect(visit(w, ctx, &(struct visit){.who = &w->device}), false, "first");
        for (int i = 0; i < 5; i++)
            expect(visit(w, ctx, &(struct visit){.who = &w->device, .session = w->session}), true, "again");
        assert_int_equal(w->sessions - before, 6); /* a new ticket each time (RFC 8446, C.4) */
        tls_context_drop(ctx);
    }
}

static void tickets_outlive_a_context_and_end_with_their_key(void **state)
{
    struct world *w = *state;
    const struct tls_options options = options_of(w);
    struct tls_context *ctx = open_context(&options);
    expect(visit(w, ctx, &(struct visit){.who = &w->device}), false, "first");
    tls_context_drop(ctx);
    ctx = open_context(&options);
    SSL_SESSION *old = SSL_SESSION_dup(w->session);
    expect(visit(w, ctx, &(struct visit){.who = &w->device, .session = old}), true, "another context");
    for (int i = 1; i < TICKET_KEYS; i++) {
        tls_tickets_rotate(w->tickets, machine_dice());
        expect(visit(w, ctx, &(struct visit){.who = &w->device, .session = old}), true, "a key before");
    }
    SSL_SESSION *newer = SSL_SESSION_dup(w->session);
    tls_tickets_rotate(w->tickets, machine_dice());
    expect(visit(w, ctx, &(struct visit){.who = &w->device, .session = old}), false, "one rotation more");
    expect(visit(w, ctx, &(struct visit){.who = &w->device, .session = newer}), true, "sealed behind the rotation");
    SSL_SESSION_free(old);
    SSL_SESSION_free(newer);
    tls_context_drop(ctx);
}

static void foreign_tickets_lead_to_a_full_handshake(void **state)
{
    struct world *w = *state;
    struct tls_options options = options_of(w), none = options, other_scope = options, other_keys = options;
    struct tls_tickets *keys;
    assert_null(tls_tickets_open(machine_dice(), &keys));
    none.tickets = NULL;
    other_scope.ticket_scope = "http";
    other_keys.tickets = keys;
    static const char *const rules[] = {"no tickets at all", "another listener", "another process"};
    const struct tls_options *cases[] = {&none, &other_scope, &other_keys};
    for (size_t i = 0; i < 3; i++) {
        struct tls_context *ctx = open_context(&options), *other = open_context(cases[i]);
        expect(visit(w, ctx, &(struct visit){.who = &w->device}), false, "first");
        expect(visit(w, other, &(struct visit){.who = &w->device, .session = w->session}), false, rules[i]);
        tls_context_drop(ctx);
        tls_context_drop(other);
    }
    tls_tickets_drop(keys);
}

/* A ticket that was given to nobody, or to somebody with other anchors, does not stand in for a certificate. */
static void a_ticket_is_worth_what_its_handshake_was(void **state)
{
    struct world *w = *state;
    struct tls_options required = options_of(w), asked = required, elsewhere = required;
    asked.peer = TLS_PEER_ASKED;
    elsewhere.anchors_pem = buffer_view(&w->other.chain_pem);
    struct tls_context *strict = open_context(&required), *lax = open_context(&asked),
                       *foreign = open_context(&elsewhere);
    expect(visit(w, lax, &(struct visit){.who = NULL}), false, "nobody");
    expect(visit(w, lax, &(struct visit){.who = NULL, .session = w->session}), true, "nobody again");
    assert_true(visit(w, strict, &(struct visit){.who = NULL, .session = w->session}).refused);
    expect(visit(w, strict, &(struct visit){.who = &w->device, .session = w->session}), false,
           "now with a certificate");
    /* Who holds the session's secret is who it was given to, whatever other certificate it would show. */
    assert_false(visit(w, strict, &(struct visit){.who = &w->brief, .session = w->session}).knows);
    expect(visit(w, strict, &(struct visit){.who = &w->device}), false, "the device");
    assert_true(visit(w, foreign, &(struct visit){.who = &w->device, .session = w->session}).refused);
    tls_context_drop(strict);
    tls_context_drop(lax);
    tls_context_drop(foreign);
}

/* The life of a list, in seconds from now; {0}: an hour. */
struct life {
    long from, until;
};

static struct buffer list_by(const struct party *by, const struct party *revoked, struct life life)
{
    struct buffer pem;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    certify(X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
            X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->certificate)) && X509_gmtime_adj(t, life.from) &&
            X509_CRL_set1_lastUpdate(crl, t) && X509_gmtime_adj(t, life.until) && X509_CRL_set1_nextUpdate(crl, t));
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        certify(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->certificate)) &&
                X509_REVOKED_set_revocationDate(entry, t) && X509_CRL_add0_revoked(crl, entry));
    }
    certify(X509_CRL_sign(crl, by->key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    certify(PEM_write_bio_X509_CRL(bio, crl));
    pem_of(bio, &pem);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
    return pem;
}

static struct buffer list_with(const struct world *w, const struct party *revoked)
{
    return list_by(&w->issuing, revoked, (struct life){-60, 3600});
}

/* A new list is a new context: whoever is on it gets in neither with a ticket nor without. */
static void revocation_ends_tickets(void **state)
{
    struct world *w = *state;
    struct buffer empty = list_with(w, NULL), full = list_with(w, &w->device);
    struct tls_options before = options_of(w), after = before;
    before.crl_pem = buffer_view(&empty);
    after.crl_pem = buffer_view(&full);
    struct tls_context *ctx = open_context(&before), *revoked = open_context(&after);
    expect(visit(w, ctx, &(struct visit){.who = &w->device}), false, "first");
    expect(visit(w, ctx, &(struct visit){.who = &w->device, .session = w->session}), true, "again");
    assert_true(visit(w, revoked, &(struct visit){.who = &w->device, .session = w->session}).refused);
    assert_true(visit(w, revoked, &(struct visit){.who = &w->device}).refused);
    expect(visit(w, revoked, &(struct visit){.who = &w->deep}), false, "another device");
    tls_context_drop(ctx);
    tls_context_drop(revoked);
    buffer_drop(&empty);
    buffer_drop(&full);
}

static void a_live_connection_is_asked_whether_it_is_revoked(void **state)
{
    struct world *w = *state;
    struct buffer empty = list_with(w, NULL), full = list_with(w, &w->device);
    struct tls_options options = options_of(w);
    for (int layer = 0; layer < 2; layer++) {
        options.records = (enum tls_record_layer)layer;
        options.crl_pem = (struct bytes){NULL, 0};
        struct tls_context *none = open_context(&options);
        options.crl_pem = buffer_view(&empty);
        struct tls_context *nobody = open_context(&options);
        options.crl_pem = buffer_view(&full);
        struct tls_context *device = open_context(&options);
        assert_true(visit(w, none, &(struct visit){.who = &w->device, .later = device}).revoked);
        struct outcome again =
            visit(w, none, &(struct visit){.who = &w->device, .later = device, .session = w->session});
        assert_true(again.resumed && again.revoked);
        assert_false(visit(w, none, &(struct visit){.who = &w->device, .later = nobody}).revoked);
        assert_false(visit(w, none, &(struct visit){.who = &w->device, .later = none}).revoked);
        assert_false(visit(w, none, &(struct visit){.who = &w->deep, .later = device}).revoked);
        tls_context_drop(none);
        tls_context_drop(nobody);
        tls_context_drop(device);
    }
    buffer_drop(&empty);
    buffer_drop(&full);
}

static void lists_are_judged(void **state)
{
    struct world *w = *state;
    const struct {
        const char *rule;
        const struct party *by;
        struct life life;
        enum fault_kind kind; /* 0: OK */
        bool names;           /* the device, all the same */
    } rows[] = {
        {"a good one", &w->issuing, {-60, 3600}, 0, true},
        {"over", &w->issuing, {-3600, -60}, ERR_EXPIRED, true},
        {"not valid yet", &w->issuing, {60, 3600}, ERR_EXPIRED, true},
        {"another authority's", &w->other, {-60, 3600}, ERR_REFUSED, false},
    };
    struct tls_options options = options_of(w);
    struct tls_context *none = open_context(&options);
    assert_null(tls_context_judge_lists(none));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer list = list_by(rows[i].by, &w->device, rows[i].life);
        options.crl_pem = buffer_view(&list);
        struct tls_context *ctx = open_context(&options);
        err judged = tls_context_judge_lists(ctx);
        bool names = visit(w, none, &(struct visit){.who = &w->device, .later = ctx}).revoked;
        if ((judged ? judged->kind : 0) != rows[i].kind || names != rows[i].names)
            fail_msg("%s: %s, names the device: %d", rows[i].rule, err_text(judged), names);
        tls_context_drop(ctx);
        buffer_drop(&list);
    }
    tls_context_drop(none);
}

static void wait_until_after(const ASN1_TIME *time)
{
    struct tm when;
    uint64_t count;
    assert_int_equal(ASN1_TIME_to_tm(time, &when), 1);
    const struct itimerspec due = {.it_value = {.tv_sec = timegm(&when) + 1, .tv_nsec = 1000000}};
    SCOPED(fd_close) int timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
    assert_int_equal(timerfd_settime(timer, TFD_TIMER_ABSTIME, &due, NULL), 0);
    assert_int_equal(read(timer, &count, sizeof count), (ssize_t)sizeof count);
}

/* The ticket's life is the certificate's at most, and the certificate is looked at again. */
static void an_expired_certificate_ends_tickets(void **state)
{
    struct world *w = *state;
    const struct tls_options options = options_of(w);
    struct tls_context *ctx = open_context(&options);
    struct outcome first = visit(w, ctx, &(struct visit){.who = &w->brief});
    if (!first.refused) { /* a slow machine: it has expired by now */
        assert_true(SSL_SESSION_get_ticket_lifetime_hint(w->session) <= 3);
        wait_until_after(X509_get0_notAfter(w->brief.certificate));
        assert_int_equal(SSL_SESSION_set_timeout(w->session, 3600), 1); /* a client that does not care */
        assert_true(visit(w, ctx, &(struct visit){.who = &w->brief, .session = w->session}).refused);
    }
    tls_context_drop(ctx);
}

static void older_versions_get_no_ticket(void **state)
{
    struct world *w = *state;
    const struct tls_options options = options_of(w);
    struct tls_context *ctx = open_context(&options);
    expect(visit(w, ctx, &(struct visit){.who = &w->device, .version = TLS1_2_VERSION}), false, "TLS 1.2");
    SSL_SESSION *old = SSL_SESSION_dup(w->session);
    assert_false(SSL_SESSION_get_protocol_version(old) == TLS1_2_VERSION && SSL_SESSION_has_ticket(old));
    expect(visit(w, ctx, &(struct visit){.who = &w->device, .version = TLS1_2_VERSION, .session = old}), false,
           "again");
    SSL_SESSION_free(old);
    tls_context_drop(ctx);
}

static void ticket_options_are_checked(void **state)
{
    struct world *w = *state;
    struct tls_options bad[4];
    struct tls_context *ctx;
    for (size_t i = 0; i < 4; i++)
        bad[i] = options_of(w);
    bad[0].ticket_scope = NULL;
    bad[1].ticket_scope = "a scope that is longer than thirty-two bytes";
    bad[2].ticket_life_s = 0;
    bad[3].ticket_life_s = TICKET_LIFE_MAX_S + 1;
    for (size_t i = 0; i < 4; i++)
        assert_true(err_is(tls_context_server(&bad[i], &ctx), ERR_MALFORMED));
    tls_tickets_drop(NULL);
}

/* ---- who is not admitted */

static void a_refusal_is_a_valid_alert(void **state)
{
    struct world *w = *state;
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    SSL *client = open_client(w, &(struct visit){.who = &w->device}, fd[1]);
    assert_int_equal(SSL_connect(client), -1); /* its hello is out */
    tls_refuse(fd[0]);
    fd_close(&fd[0]);
    assert_int_equal(SSL_connect(client), -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
    ERR_clear_error();
    SSL_free(client);
    fd_close(&fd[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_resumed_and_know_the_client),
        cmocka_unit_test(tickets_outlive_a_context_and_end_with_their_key),
        cmocka_unit_test(foreign_tickets_lead_to_a_full_handshake),
        cmocka_unit_test(a_ticket_is_worth_what_its_handshake_was),
        cmocka_unit_test(revocation_ends_tickets),
        cmocka_unit_test(a_live_connection_is_asked_whether_it_is_revoked),
        cmocka_unit_test(lists_are_judged),
        cmocka_unit_test(an_expired_certificate_ends_tickets),
        cmocka_unit_test(older_versions_get_no_ticket),
        cmocka_unit_test(ticket_options_are_checked),
        cmocka_unit_test(a_refusal_is_a_valid_alert),
    };
    return cmocka_run_group_tests(tests, world_make, world_drop);
}
