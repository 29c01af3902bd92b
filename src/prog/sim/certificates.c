/* What units show in their handshakes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/squad.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static const struct fault no_tls = {ERR_MEMORY, "certificates: TLS cannot be set up"};
static const struct fault bad_pem = {ERR_MALFORMED,
                                     "certificates: the state folder holds something that is no certificate or key"};

static void bio_drop(BIO **bio)
{
    BIO_free(*bio);
}

static BIO *bio_over(struct bytes pem)
{
    return BIO_new_mem_buf(pem.at, (int)pem.len);
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct unit *u = SSL_get_app_data(ssl);
    SSL_SESSION_free(u->ticket);
    u->ticket = session;
    return 1;
}

static err trust(SSL_CTX *ctx, struct bytes root_pem)
{
    SCOPED(bio_drop) BIO *bio = bio_over(root_pem);
    X509 *root = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int done = root && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root);
    X509_free(root);
    return done ? OK : &bad_pem;
}

/* All authorities but the root, which the server has. */
static err show_authorities(SSL_CTX *ctx, struct bytes pem)
{
    SCOPED(bio_drop) BIO *bio = bio_over(pem);
    X509 *one;
    while (bio && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if (!X509_NAME_cmp(X509_get_subject_name(one), X509_get_issuer_name(one)))
            X509_free(one);
        else if (!SSL_CTX_add_extra_chain_cert(ctx, one))
            return &no_tls;
    ERR_clear_error(); /* the end of the text is one */
    return OK;
}

static err context(const struct run_wishes *how, SSL_CTX **out)
{
    SSL_CTX *ctx = *out = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return &no_tls;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, how->resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                                    : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(ctx, keep_ticket);
    return trust(ctx, vault_root(how->vault));
}

/* A key and a certificate that it signed itself: well made, and of nobody that a server knows. */
static err forge(struct squad *squad)
{
    EVP_PKEY *key = squad->foreign_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *leaf = squad->foreign_leaf = X509_new();
    X509_NAME *name = leaf ? X509_get_subject_name(leaf) : NULL;
    if (!key || !name || !X509_set_version(leaf, X509_VERSION_3) || !ASN1_INTEGER_set(X509_get_serialNumber(leaf), 1) ||
        !X509_gmtime_adj(X509_getm_notBefore(leaf), -3600) || !X509_gmtime_adj(X509_getm_notAfter(leaf), 86400) ||
        !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"stranger", -1, -1, 0) ||
        !X509_set_issuer_name(leaf, name) || !X509_set_pubkey(leaf, key) || !X509_sign(leaf, key, EVP_sha256()))
        return &no_tls;
    return OK;
}

err certificates_open(struct squad *squad)
{
    TRY(context(squad->how, &squad->ctx));
    TRY(context(squad->how, &squad->naked));
    if (squad->how->chain == CHAIN_WHOLE)
        TRY(show_authorities(squad->ctx, vault_authorities(squad->how->vault)));
    return forge(squad);
}

static void forget(struct certificate_cache *cache)
{
    X509_free(cache->leaf);
    EVP_PKEY_free(cache->key);
    *cache = (struct certificate_cache){0};
}

void certificates_close(struct squad *squad)
{
    forget(&squad->cache);
    X509_free(squad->foreign_leaf);
    EVP_PKEY_free(squad->foreign_key);
    SSL_CTX_free(squad->ctx);
    SSL_CTX_free(squad->naked);
}

/* Sessions of one device come one after the other, so that the last one's is often the next one's. */
static err load(struct squad *squad, uint64_t number)
{
    struct vault_identity identity;
    if (squad->cache.number == number + 1)
        return OK;
    forget(&squad->cache);
    TRY(vault_find(squad->how->vault, number, &identity));
    SCOPED(bio_drop) BIO *leaf = bio_over(identity.leaf_pem);
    SCOPED(bio_drop) BIO *key = bio_over(identity.key_pem);
    squad->cache.leaf = leaf ? PEM_read_bio_X509(leaf, NULL, NULL, NULL) : NULL;
    squad->cache.key = key ? PEM_read_bio_PrivateKey(key, NULL, NULL, NULL) : NULL;
    if (!squad->cache.leaf || !squad->cache.key)
        return &bad_pem;
    squad->cache.number = number + 1;
    return OK;
}

static err show(struct unit *u, enum mischief_certificate which)
{
    struct squad *squad = u->squad;
    if (which == CERTIFICATE_NONE)
        return OK;
    if (which == CERTIFICATE_OWN)
        TRY(load(squad, u->number));
    X509 *leaf = which == CERTIFICATE_OWN ? squad->cache.leaf : squad->foreign_leaf;
    EVP_PKEY *key = which == CERTIFICATE_OWN ? squad->cache.key : squad->foreign_key;
    return SSL_use_certificate(u->ssl, leaf) == 1 && SSL_use_PrivateKey(u->ssl, key) == 1 ? OK : &bad_pem;
}

/* The SNI. What SSL_set_tlsext_host_name does, without its cast. */
static long name_server(SSL *ssl, const char *host)
{
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host);
}

err certificates_dress(struct unit *u)
{
    const struct mischief *mischief = part_mischief(u);
    enum mischief_certificate which = mischief ? mischief->certificate : CERTIFICATE_OWN;
    u->ssl = SSL_new(which == CERTIFICATE_OWN ? u->squad->ctx : u->squad->naked);
    if (!u->ssl || !SSL_set_app_data(u->ssl, u) || !SSL_set_fd(u->ssl, u->watcher.fd) ||
        !name_server(u->ssl, u->squad->how->host) || !SSL_set1_host(u->ssl, u->squad->how->host))
        return &no_tls;
    if (u->ticket && !mischief)
        (void)SSL_set_session(u->ssl, u->ticket);
    SSL_set_connect_state(u->ssl);
    return show(u, which);
}
