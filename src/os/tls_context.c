/* TLS contexts: protocol versions, ciphers, own certificate, and how the peer's is verified. All comes from memory,
 * since the process may be sandboxed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_context.h"

#include "os/tls_library.h"
#include "os/tls_revoked.h"
#include "os/tls_socket.h"
#include "os/tls_verify.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "tls: no memory"};
static const struct fault broken_library = {ERR_IO, "tls: OpenSSL did not start as asked"};
static const struct fault bad_chain = {ERR_MALFORMED, "tls: the certificate chain is not PEM"};
static const struct fault no_chain = {ERR_MALFORMED, "tls: a server needs a certificate and its key"};
static const struct fault weak_chain = {ERR_REFUSED, "tls: OpenSSL refuses a certificate of the chain (too weak?)"};
static const struct fault bad_key = {ERR_MALFORMED, "tls: the private key is not unencrypted PEM"};
static const struct fault foreign_key = {ERR_REFUSED, "tls: the private key does not belong to the certificate"};
static const struct fault bad_anchors = {ERR_MALFORMED, "tls: the trust anchors are not PEM certificates"};
static const struct fault no_anchors = {ERR_MALFORMED, "tls: there is no trust anchor to verify the peer with"};
static const struct fault bad_lists = {ERR_MALFORMED, "tls: the revocation lists are not PEM"};
static const struct fault bad_scope = {ERR_MALFORMED, "tls: tickets need a scope of 1 to 32 bytes and a life"};
static const struct fault bad_name = {ERR_MALFORMED, "tls: not a name that a server can have"};
static const struct fault lax_client = {ERR_MALFORMED, "tls: a client always verifies its server"};
static const struct fault bad_alpn = {ERR_TOO_LARGE, "tls: the ALPN name is too long"};

/* AES-128 first: 128 bits are what the rest of a handshake gives, and its keys are the shortest that a connection
 * keeps. */
static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* TLS 1.2: forward secrecy and AEAD only. TLS 1.3 has nothing else. */
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

enum {
    SECURITY_LEVEL = 2,         /* 112 bits: no RSA under 2048, no SHA-1 signatures */
    CHAIN_DEPTH = 4,            /* intermediates between the leaf and an anchor */
    PEER_CHAIN_MAX = 32 * 1024, /* bytes of certificates that a peer may send before it is known */
    PEM_MAX = 1024 * 1024,
};

err tls_prepare(void)
{
    return OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
                                OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_LOAD_CONFIG,
                            NULL)
               ? OK
               : &broken_library;
}

static void drop_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void drop_certificate(X509 **certificate)
{
    X509_free(*certificate);
}

static void drop_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

/* OpenSSL would ask on the terminal otherwise. */
static int no_passphrase(char *out, int room, int writing, void *arg)
{
    return -1;
}

static err pem_open(struct bytes pem, err fault, BIO **out)
{
    ERR_clear_error();
    if (!pem.len || pem.len > PEM_MAX)
        return fault;
    *out = BIO_new_mem_buf(pem.at, (int)pem.len);
    return *out ? OK : &no_memory;
}

/* The PEM reader found nothing more to read. */
static bool ends_here(unsigned long why)
{
    return ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE;
}

/* The next certificate; *out is NULL when there is none any more. */
static err pem_next(BIO *pem, err fault, X509 **out)
{
    *out = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL);
    if (*out)
        return OK;
    bool ended = ends_here(ERR_peek_last_error());
    ERR_clear_error();
    return ended ? OK : fault;
}

static err use_chain(SSL_CTX *ssl, struct bytes pem)
{
    SCOPED(drop_bio) BIO *in = NULL;
    TRY(pem_open(pem, &bad_chain, &in));
    for (unsigned count = 0;; count++) {
        SCOPED(drop_certificate) X509 *certificate = NULL;
        TRY(pem_next(in, &bad_chain, &certificate));
        if (!certificate)
            return count ? OK : &bad_chain;
        long used = count ? SSL_CTX_add1_chain_cert(ssl, certificate) : SSL_CTX_use_certificate(ssl, certificate);
        if (used != 1)
            return &weak_chain;
    }
}

static err use_key(SSL_CTX *ssl, struct bytes pem)
{
    SCOPED(drop_bio) BIO *in = NULL;
    TRY(pem_open(pem, &bad_key, &in));
    SCOPED(drop_key) EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
    if (!key)
        return &bad_key;
    return SSL_CTX_use_PrivateKey(ssl, key) == 1 && SSL_CTX_check_private_key(ssl) == 1 ? OK : &foreign_key;
}

static err use_identity(SSL_CTX *ssl, const struct tls_options *options)
{
    if (!options->chain_pem.len && !options->key_pem.len)
        return OK;
    TRY(use_chain(ssl, options->chain_pem));
    return use_key(ssl, options->key_pem);
}

/* Servers also name their anchors to the peer (RFC 8446, 4.2.4), so that a browser offers no certificate of others. */
static err use_anchors(SSL_CTX *ssl, struct bytes pem)
{
    SCOPED(drop_bio) BIO *in = NULL;
    TRY(pem_open(pem, pem.len ? &bad_anchors : &no_anchors, &in));
    for (unsigned count = 0;; count++) {
        SCOPED(drop_certificate) X509 *anchor = NULL;
        TRY(pem_next(in, &bad_anchors, &anchor));
        if (!anchor)
            return count ? OK : &bad_anchors;
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), anchor) != 1 || SSL_CTX_add_client_CA(ssl, anchor) != 1)
            return &bad_anchors;
    }
}

/* For the peer's certificate alone: lists of those who sign authorities are seldom made, since their keys lie in a
 * safe. */
static err use_lists(SSL_CTX *ssl, struct bytes pem)
{
    SCOPED(drop_bio) BIO *in = NULL;
    if (!pem.len)
        return OK;
    TRY(pem_open(pem, &bad_lists, &in));
    for (unsigned count = 0;; count++) {
        X509_CRL *list = PEM_read_bio_X509_CRL(in, NULL, no_passphrase, NULL);
        if (!list)
            break;
        int added = X509_STORE_add_crl(SSL_CTX_get_cert_store(ssl), list);
        X509_CRL_free(list); /* the store holds it */
        if (added != 1)
            return &bad_lists;
    }
    if (!ends_here(ERR_peek_last_error()))
        return &bad_lists;
    ERR_clear_error();
    return X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_CRL_CHECK) == 1 ? OK : &broken_library;
}

/* The certificate must be made for what the peer does with it, not only be signed by an anchor. */
static err verify_peer(SSL_CTX *ssl, const struct tls_options *options, int mode, int purpose)
{
    TRY(use_anchors(ssl, options->anchors_pem));
    TRY(use_lists(ssl, options->crl_pem));
    SSL_CTX_set_verify(ssl, mode, NULL);
    SSL_CTX_set_verify_depth(ssl, CHAIN_DEPTH);
    return X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(ssl), purpose) == 1 ? OK : &broken_library;
}

static err verify_clients(struct tls_context *ctx, const struct tls_options *options)
{
    static const int modes[] = {
        [TLS_PEER_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        [TLS_PEER_ASKED] = SSL_VERIFY_PEER,
    };
    if (options->peer == TLS_PEER_ANONYMOUS)
        return OK;
    TRY(verify_peer(ctx->ssl, options, modes[options->peer], X509_PURPOSE_SSL_CLIENT));
    TRY(tls_revoked_open(SSL_CTX_get_cert_store(ctx->ssl), &ctx->revoked));
    return tls_trust_open(ctx->ssl, &ctx->trust);
}

static bool is_address(const char *name)
{
    struct in6_addr any;
    return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

static err verify_server(struct tls_context *ctx, const struct tls_options *options)
{
    const char *name = options->server_name;
    if (options->peer != TLS_PEER_REQUIRED)
        return &lax_client;
    if (!name || !*name)
        return &bad_name;
    TRY(verify_peer(ctx->ssl, options, SSL_VERIFY_PEER, X509_PURPOSE_SSL_SERVER));
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx->ssl);
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 ? OK : &bad_name;
    /* RFC 9525, 6.3: the subject's common name is no identity of a server any more. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ctx->server_name = mem_text(bytes_of_text(name));
    if (!ctx->server_name)
        return &no_memory;
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 ? OK : &bad_name;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                       unsigned offered_len, void *arg)
{
    const struct tls_context *ctx = arg;
    struct reader r = reader_over(bytes_of(offered, offered_len));
    while (r.left.len) {
        struct bytes name = read_view(&r, read_u8(&r));
        if (!r.spoiled && bytes_equal(name, bytes_of(ctx->alpn + 1, ctx->alpn[0]))) {
            *out = ctx->alpn + 1;
            *out_len = ctx->alpn[0];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static err set_alpn(struct tls_context *ctx, const char *name)
{
    size_t len = name ? strlen(name) : 0;
    if (len > ALPN_MAX)
        return &bad_alpn;
    if (!len)
        return OK;
    ctx->alpn[0] = (uint8_t)len;
    memcpy(ctx->alpn + 1, name, len);
    ctx->alpn_len = len + 1;
    return OK;
}

/* Without tickets no session is resumed: a full handshake proves the certificate anew, and nothing outlives a
 * connection. Read-ahead halves the reads, since a record's head is not fetched alone. */
static err set_protocol(SSL_CTX *ssl)
{
    char groups[] = "X25519:P-256:P-384"; /* OpenSSL's macro takes no constant */
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    SSL_CTX_set_max_cert_list(ssl, PEER_CHAIN_MAX);
    SSL_CTX_set_read_ahead(ssl, 1);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 && SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
                   SSL_CTX_set_cipher_list(ssl, ciphers) == 1 && SSL_CTX_set_ciphersuites(ssl, suites) == 1 &&
                   SSL_CTX_set1_groups_list(ssl, groups) == 1
               ? OK
               : &broken_library;
}

static err context_open(const SSL_METHOD *method, const struct tls_options *options, struct tls_context **out)
{
    ERR_clear_error();
    struct tls_context *ctx = MEM_NEW(struct tls_context);
    if (!ctx)
        return &no_memory;
    *out = ctx;
    atomic_init(&ctx->holders, 1);
    /* By its name, since the thread's default is another one while a ticket is read: os/tls_verify.c. */
    ctx->ssl = SSL_CTX_new_ex(OSSL_LIB_CTX_get0_global_default(), NULL, method);
    ctx->socket = tls_socket_method();
    if (!ctx->ssl || !ctx->socket)
        return &no_memory;
    TRY(set_protocol(ctx->ssl));
    TRY(set_alpn(ctx, options->alpn));
    return use_identity(ctx->ssl, options);
}

/* Gives the context when all went well, and drops it otherwise. */
static err context_finish(struct tls_context *ctx, err e, struct tls_context **out)
{
    ERR_clear_error();
    if (e)
        tls_context_drop(ctx);
    else
        *out = ctx;
    return e;
}

/* A ticket must not open a door that asks for less, or for another proof, than the one that gave it. */
static err use_tickets(struct tls_context *ctx, const struct tls_options *options)
{
    const char *scope = options->ticket_scope;
    if (!options->tickets)
        return OK;
    size_t len = scope ? strlen(scope) : 0;
    if (!len || len > SSL_MAX_SID_CTX_LENGTH || !options->ticket_life_s || options->ticket_life_s > TICKET_LIFE_MAX_S)
        return &bad_scope;
    ctx->tickets = tls_tickets_share(options->tickets);
    ctx->ticket_life_s = options->ticket_life_s;
    return SSL_CTX_set_session_id_context(ctx->ssl, (const uint8_t *)scope, (unsigned)len) == 1 ? OK : &broken_library;
}

static err server_open(const struct tls_options *options, struct tls_context **out)
{
    TRY(options->chain_pem.len ? OK : &no_chain);
    TRY(context_open(TLS_server_method(), options, out));
    if ((*out)->alpn_len)
        SSL_CTX_set_alpn_select_cb((*out)->ssl, choose_alpn, *out);
    (*out)->peer = options->peer;
    if (options->records == TLS_RECORDS_OWN)
        SSL_CTX_set_keylog_callback((*out)->ssl, library_note_secret);
    TRY(verify_clients(*out, options));
    TRY(use_tickets(*out, options));
    return tls_verify_install(*out);
}

/* What the server trusts it need not be shown (RFC 8446, 4.4.2): where it names our issuer among its anchors, the leaf
 * goes alone. That saves it reading a certificate, which is a fifth of its handshake. */
static int choose_chain(SSL *ssl, void *arg)
{
    const STACK_OF(X509_NAME) *anchors = SSL_get0_peer_CA_list(ssl);
    const X509 *leaf = SSL_get_certificate(ssl);
    for (int i = 0; leaf && i < sk_X509_NAME_num(anchors); i++)
        if (X509_NAME_cmp(sk_X509_NAME_value(anchors, i), X509_get_issuer_name(leaf)) == 0) {
            SSL_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN); /* or OpenSSL would look for the issuer in its store */
            return SSL_clear_chain_certs(ssl) == 1;
        }
    return 1;
}

static err client_open(const struct tls_options *options, struct tls_context **out)
{
    TRY(context_open(TLS_client_method(), options, out));
    SSL_CTX_set_cert_cb((*out)->ssl, choose_chain, NULL);
    /* Zero is success here, other than in the rest of OpenSSL. */
    if ((*out)->alpn_len && SSL_CTX_set_alpn_protos((*out)->ssl, (*out)->alpn, (unsigned)(*out)->alpn_len) != 0)
        return &no_memory;
    return verify_server(*out, options);
}

err tls_context_server(const struct tls_options *options, struct tls_context **out)
{
    struct tls_context *ctx = NULL;
    err e = server_open(options, &ctx);
    return context_finish(ctx, e, out);
}

err tls_context_client(const struct tls_options *options, struct tls_context **out)
{
    struct tls_context *ctx = NULL;
    err e = client_open(options, &ctx);
    return context_finish(ctx, e, out);
}

err tls_context_judge_lists(const struct tls_context *ctx)
{
    return tls_revoked_judge(ctx->revoked);
}

struct tls_context *tls_context_share(struct tls_context *ctx)
{
    atomic_fetch_add_explicit(&ctx->holders, 1, memory_order_relaxed);
    return ctx;
}

void tls_context_drop(struct tls_context *ctx)
{
    if (!ctx || atomic_fetch_sub_explicit(&ctx->holders, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(ctx->ssl);
    tls_trust_drop(ctx->trust);
    tls_revoked_drop(ctx->revoked);
    tls_tickets_drop(ctx->tickets);
    (void)OSSL_PROVIDER_unload(ctx->nothing);
    OSSL_LIB_CTX_free(ctx->blind);
    BIO_meth_free(ctx->socket);
    mem_drop(ctx->server_name);
    mem_drop(ctx);
}
