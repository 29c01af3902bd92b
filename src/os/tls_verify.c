/* The short way of verifying a client's certificate, and what of it lasts over a resumption.
 *
 * The long way checks for each handshake what does not change from one to the next: that the issuing certificate is an
 * authority's, for this purpose, signed by the root, strong enough. Here that is done once, and per handshake remains
 * what concerns the leaf: its signature, its extensions, and the times of all of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_verify.h"

#include "base/memory.h"
#include "os/tls_context.h"
#include "os/tls_library.h"
#include "os/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "tls: no memory"};
static const struct fault many_anchors = {ERR_TOO_LARGE, "tls: more trust anchors than a context takes"};

enum { FINGERPRINT = 32, STRENGTH_BITS = 112 }; /* what OpenSSL asks for at our security level, 2 */

struct anchor {
    X509 *certificate; /* held */
    EVP_PKEY *key;     /* of the certificate: prepared once */
    X509 *root;        /* the certificate itself, or who signed it; borrowed from another anchor */
    X509_CRL *crl;     /* its one list, held; NULL: none, or one for the long way */
    bool takes_short_way;
    uint8_t fingerprint[FINGERPRINT]; /* SHA-256 */
};

struct tls_trust {
    size_t count;
    bool asks_crl;
    struct anchor anchors[ANCHOR_MAX];
};

/* ---- what is prepared */

/* The parts of a certificate that OpenSSL's long way treats in ways that we do not follow. */
static bool is_plain(X509 *certificate)
{
    const uint32_t odd = EXFLAG_INVALID | EXFLAG_CRITICAL | EXFLAG_PROXY | EXFLAG_V1 | EXFLAG_INVALID_POLICY |
                         EXFLAG_FRESHEST | EXFLAG_NO_FINGERPRINT;
    return X509_get_version(certificate) == X509_VERSION_3 && !(X509_get_extension_flags(certificate) & odd);
}

/* A name constraint or an address block of RFC 3779, say, is the long way's. */
static bool has_known_extensions_only(const X509 *certificate)
{
    static const int known[] = {
        NID_basic_constraints,        NID_key_usage,        NID_ext_key_usage,           NID_subject_key_identifier,
        NID_authority_key_identifier, NID_subject_alt_name, NID_crl_distribution_points, NID_info_access};
    for (int i = 0; i < X509_get_ext_count(certificate); i++) {
        int id = OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(certificate, i)));
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= known[k] == id;
        if (!found)
            return false;
    }
    return true;
}

/* RFC 5480, 2.1.1: a curve is named; one that is spelled out may be another than it looks like. */
static bool has_named_curve(const EVP_PKEY *key)
{
    int spelled_out = 0;
    return !EVP_PKEY_is_a(key, "EC") ||
           (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelled_out) == 1 &&
            !spelled_out);
}

static bool is_strong(X509 *certificate)
{
    int bits = 0;
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    return key && EVP_PKEY_get_security_bits(key) >= STRENGTH_BITS && has_named_curve(key) &&
           X509_get_signature_info(certificate, NULL, NULL, &bits, NULL) == 1 && bits >= STRENGTH_BITS;
}

static bool is_authority(X509 *certificate)
{
    return is_plain(certificate) && has_known_extensions_only(certificate) && is_strong(certificate) &&
           X509_check_ca(certificate) == 1 && X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 1) == 1;
}

/* It may sign one authority that signs leaves, or leaves. */
static bool is_root(X509 *certificate)
{
    return X509_get_extension_flags(certificate) & EXFLAG_SS && is_authority(certificate) &&
           X509_self_signed(certificate, 1) == 1;
}

static X509 *find_root(const struct tls_trust *trust, X509 *certificate)
{
    if (is_root(certificate))
        return certificate;
    for (size_t i = 0; i < trust->count; i++) {
        X509 *root = trust->anchors[i].certificate;
        long below = X509_get_pathlen(root);
        if (is_root(root) && (below < 0 || below >= 1) && X509_check_issued(root, certificate) == X509_V_OK &&
            X509_verify(certificate, trust->anchors[i].key) == 1)
            return root;
    }
    return NULL;
}

/* One entry of a kind that is not understood spoils the list for everybody (RFC 5280, 5.3). */
static bool has_plain_entries(X509_CRL *crl)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        for (int k = 0; k < X509_REVOKED_get_ext_count(entry); k++)
            if (X509_EXTENSION_get_critical(X509_REVOKED_get_ext(entry, k)))
                return false;
    }
    return true;
}

/* Which of an authority's keys signed it, when it says so. */
static bool names_key_of(X509_CRL *crl, X509 *authority)
{
    int place = 0;
    AUTHORITY_KEYID *id = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, &place, NULL);
    bool fits = id ? X509_check_akid(authority, id) == X509_V_OK : place == -1; /* -1: it has none */
    AUTHORITY_KEYID_free(id);
    return fits;
}

static bool is_plain_list(X509_CRL *crl, const struct anchor *anchor)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *e = X509_CRL_get_ext(crl, i);
        int id = OBJ_obj2nid(X509_EXTENSION_get_object(e));
        if (X509_EXTENSION_get_critical(e) || (id != NID_crl_number && id != NID_authority_key_identifier))
            return false;
    }
    return has_plain_entries(crl) && names_key_of(crl, anchor->certificate) && X509_CRL_get0_nextUpdate(crl) &&
           X509_get_key_usage(anchor->certificate) & KU_CRL_SIGN && X509_CRL_verify(crl, anchor->key) == 1;
}

/* Its only list: with several, which of them counts is the long way's to say. */
static void find_list(struct anchor *anchor, STACK_OF(X509_OBJECT) * objects)
{
    X509_CRL *found = NULL;
    unsigned lists = 0;
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509_CRL *crl = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
        if (!crl || X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(anchor->certificate)) != 0)
            continue;
        found = crl;
        lists++;
    }
    if (lists == 1 && is_plain_list(found, anchor) && X509_CRL_up_ref(found) == 1)
        anchor->crl = found;
}

static err add_anchor(struct tls_trust *trust, X509 *certificate)
{
    unsigned len = FINGERPRINT;
    if (trust->count == ANCHOR_MAX)
        return &many_anchors;
    struct anchor *anchor = &trust->anchors[trust->count];
    if (X509_up_ref(certificate) != 1)
        return &no_memory;
    trust->count++;
    anchor->certificate = certificate;
    anchor->key = X509_get_pubkey(certificate);
    return anchor->key && X509_digest(certificate, EVP_sha256(), anchor->fingerprint, &len) == 1 ? OK : &no_memory;
}

static void prepare(const struct tls_trust *trust, struct anchor *anchor, STACK_OF(X509_OBJECT) * objects)
{
    anchor->root = is_authority(anchor->certificate) ? find_root(trust, anchor->certificate) : NULL;
    if (trust->asks_crl)
        find_list(anchor, objects);
    anchor->takes_short_way = anchor->root && (!trust->asks_crl || anchor->crl);
}

static err trust_fill(struct tls_trust *trust, STACK_OF(X509_OBJECT) * objects)
{
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (certificate)
            TRY(add_anchor(trust, certificate));
    }
    for (size_t i = 0; i < trust->count; i++)
        prepare(trust, &trust->anchors[i], objects);
    return OK;
}

err tls_trust_open(SSL_CTX *ctx, struct tls_trust **out)
{
    struct tls_trust *trust = MEM_NEW(struct tls_trust);
    if (!trust)
        return &no_memory;
    trust->asks_crl = X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(ctx)) & X509_V_FLAG_CRL_CHECK;
    err failed = trust_fill(trust, X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx)));
    ERR_clear_error();
    if (failed)
        tls_trust_drop(trust);
    else
        *out = trust;
    return failed;
}

void tls_trust_drop(struct tls_trust *trust)
{
    if (!trust)
        return;
    for (size_t i = 0; i < trust->count; i++) {
        X509_free(trust->anchors[i].certificate);
        EVP_PKEY_free(trust->anchors[i].key);
        X509_CRL_free(trust->anchors[i].crl);
    }
    mem_drop(trust);
}

/* ---- what is asked of each leaf */

/* As OpenSSL: a time that cannot be read is none. */
static bool is_between(const ASN1_TIME *from, const ASN1_TIME *until)
{
    return X509_cmp_current_time(from) < 0 && X509_cmp_current_time(until) > 0;
}

static bool is_valid_now(const X509 *certificate)
{
    return is_between(X509_get0_notBefore(certificate), X509_get0_notAfter(certificate));
}

/* Valid by the clock, and not on the list. */
static bool still_stands(const struct tls_trust *trust, const struct anchor *anchor, X509 *leaf)
{
    X509_REVOKED *revoked = NULL;
    if (!is_valid_now(leaf) || !is_valid_now(anchor->certificate))
        return false;
    if (anchor->root != anchor->certificate && !is_valid_now(anchor->root))
        return false;
    return !trust->asks_crl ||
           (is_between(X509_CRL_get0_lastUpdate(anchor->crl), X509_CRL_get0_nextUpdate(anchor->crl)) &&
            X509_CRL_get0_by_cert(anchor->crl, &revoked, leaf) == 0);
}

/* The one anchor of the issuer's name and key identifier. Of two that fit, the long way picks. */
static int find_issuer(const struct tls_trust *trust, X509 *leaf)
{
    int found = NO_ANCHOR;
    for (size_t i = 0; i < trust->count; i++)
        if (X509_check_issued(trust->anchors[i].certificate, leaf) == X509_V_OK) {
            if (found != NO_ANCHOR)
                return NO_ANCHOR;
            found = (int)i;
        }
    return found;
}

static bool is_clients_leaf(X509 *leaf)
{
    return X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) == 1 && is_plain(leaf) &&
           !(X509_get_extension_flags(leaf) & (EXFLAG_CA | EXFLAG_SI | EXFLAG_SS)) && has_known_extensions_only(leaf) &&
           is_strong(leaf);
}

int tls_trust_finds(const struct tls_trust *trust, X509 *leaf)
{
    int found = find_issuer(trust, leaf);
    if (found == NO_ANCHOR)
        return NO_ANCHOR;
    const struct anchor *anchor = &trust->anchors[found];
    bool stands = anchor->takes_short_way && is_clients_leaf(leaf) && still_stands(trust, anchor, leaf) &&
                  X509_verify(leaf, anchor->key) == 1;
    ERR_clear_error();
    return stands ? found : NO_ANCHOR;
}

static struct tls_library *library_of(X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    return ssl ? SSL_get_app_data(ssl) : NULL;
}

/* For SSL_CTX_set_cert_verify_callback. */
static int verify(X509_STORE_CTX *store, void *arg)
{
    const struct tls_context *ctx = arg;
    struct tls_library *library = library_of(store);
    int anchor = tls_trust_finds(ctx->trust, X509_STORE_CTX_get0_cert(store));
    if (anchor == NO_ANCHOR || !library)
        return X509_verify_cert(store) == 1;
    library->anchor = anchor;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* ---- tickets */

/* OpenSSL reads a session when it opens a ticket, and also while it seals one, and each time decodes the public key of
 * the client's certificate in it, which nobody asks for: with 3.0 that takes longer than the rest of a resumption. So
 * while it does that the thread's default library context is one that has no decoders: the certificate is read as
 * always, and its key stays bytes. What else happens meanwhile names its context or has fetched what it needs. */
static void look_away(const struct tls_context *ctx)
{
    (void)OSSL_LIB_CTX_set0_default(ctx->blind);
}

static void look_again(void)
{
    (void)OSSL_LIB_CTX_set0_default(OSSL_LIB_CTX_get0_global_default());
}

void tls_verify_end(const struct tls_context *ctx)
{
    if (ctx->blind)
        look_again();
}

/* What a ticket says besides the session: the fingerprint of the anchor that vouched for the client; empty for nobody.
 */
static const struct anchor *anchor_by(const struct tls_trust *trust, struct bytes fingerprint, int *number)
{
    for (size_t i = 0; trust && i < trust->count; i++)
        if (bytes_equal(bytes_of(trust->anchors[i].fingerprint, FINGERPRINT), fingerprint)) {
            *number = (int)i;
            return trust->anchors[i].takes_short_way ? &trust->anchors[i] : NULL;
        }
    return NULL;
}

static long seconds_left(const X509 *leaf)
{
    int days = 0, seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)) != 1)
        return 0;
    return days > TICKET_LIFE_MAX_S / 86400 ? TICKET_LIFE_MAX_S : days * 86400L + seconds;
}

/* For SSL_CTX_set_session_ticket_cb: before a ticket is sealed. */
static int fill_ticket(SSL *ssl, void *arg)
{
    const struct tls_context *ctx = arg;
    const struct tls_library *library = SSL_get_app_data(ssl);
    SSL_SESSION *session = SSL_get_session(ssl);
    X509 *leaf = SSL_SESSION_get0_peer(session);
    long left = leaf ? seconds_left(leaf) : TICKET_LIFE_MAX_S, life = (long)ctx->ticket_life_s;
    if (leaf && library->anchor == NO_ANCHOR)
        return 0;
    (void)SSL_SESSION_set_timeout(session, left < life ? left : life);
    int filled = SSL_SESSION_set1_ticket_appdata(
        session, leaf ? ctx->trust->anchors[library->anchor].fingerprint : NULL, leaf ? FINGERPRINT : 0);
    look_away(ctx); /* until the key is asked for */
    return filled;
}

static bool may_resume(const struct tls_context *ctx, SSL *ssl, SSL_SESSION *session)
{
    struct tls_library *library = SSL_get_app_data(ssl);
    void *at = NULL;
    size_t len = 0;
    int number = NO_ANCHOR;
    X509 *leaf = SSL_SESSION_get0_peer(session);
    if (SSL_version(ssl) != TLS1_3_VERSION || !library)
        return false;
    if (!leaf)
        return ctx->peer != TLS_PEER_REQUIRED;
    if (SSL_SESSION_get0_ticket_appdata(session, &at, &len) != 1)
        return false;
    const struct anchor *anchor = anchor_by(ctx->trust, bytes_of(at, len), &number);
    if (!anchor || !still_stands(ctx->trust, anchor, leaf))
        return false;
    library->anchor = number;
    return true;
}

/* For SSL_CTX_set_session_ticket_cb: a ticket that does not stand any more leads to a full handshake. */
static SSL_TICKET_RETURN judge_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len,
                                      SSL_TICKET_STATUS status, void *arg)
{
    look_again();
    bool opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    bool resumes = opened && may_resume(arg, ssl, session);
    ERR_clear_error();
    return resumes ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_IGNORE;
}

/* TLS 1.2 gets no ticket: there it would go over the wire in the clear, and its key would open what was recorded. */
static int ticket_key(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH], EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int sealing)
{
    const struct tls_library *library = SSL_get_app_data(ssl);
    look_again();
    if (!library || SSL_version(ssl) != TLS1_3_VERSION)
        return 0;
    int done = tls_tickets_key(library->ctx->tickets, name, iv, cipher, mac, sealing);
    if (done == 1 && !sealing)
        look_away(library->ctx); /* until the ticket is judged */
    return done;
}

bool tls_verify_allows_ticket(const struct tls_context *ctx, const SSL *ssl, int anchor)
{
    if (!ctx->tickets || SSL_version(ssl) != TLS1_3_VERSION)
        return false;
    return anchor != NO_ANCHOR || !SSL_SESSION_get0_peer(SSL_get_session(ssl));
}

static err open_blind(struct tls_context *ctx)
{
    ctx->blind = OSSL_LIB_CTX_new();
    ctx->nothing = ctx->blind ? OSSL_PROVIDER_load(ctx->blind, "null") : NULL;
    return ctx->nothing ? OK : &no_memory;
}

err tls_verify_install(struct tls_context *ctx)
{
    if (ctx->trust)
        SSL_CTX_set_cert_verify_callback(ctx->ssl, verify, ctx);
    if (!ctx->tickets)
        return OK;
    (void)SSL_CTX_clear_options(ctx->ssl, SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl, ticket_key);
    (void)SSL_CTX_set_session_ticket_cb(ctx->ssl, fill_ticket, judge_ticket, ctx);
    (void)SSL_CTX_set_timeout(ctx->ssl, (long)ctx->ticket_life_s);
    return open_blind(ctx);
}
