/* The short way of verifying a client's certificate beside OpenSSL's: whatever the short way lets in, OpenSSL's must
 * let in, and what a device's certificate looks like must take the short way. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"
#include "os/tls_context.h"
#include "os/tls_verify.h"

#include <openssl/core_names.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum by { ISSUING, ROOT, OTHER, FORGED, DEVICE, ITSELF }; /* FORGED: the issuing certificate's name with another key */
enum list { NO_LIST, CURRENT_LIST, OLD_LIST, EARLY_LIST, FORGED_LIST, ROOTS_LIST, ODD_LIST, ODD_ENTRY, ODD_KEY_ID };
enum touch { UNTOUCHED, SIGNATURE_BIT, OUTER_ALGORITHM };

static const struct row {
    const char *rule;
    const char *usage, *constraints, *key_usage;
    const char *extra; /* one more extension, as "name=value" */
    long from_s, until_s;
    enum by by;
    enum touch touch;
    enum list list;
    bool revoked;
    const EVP_MD *(*digest)(void); /* NULL: SHA-256 */
    int rsa_bits;
    const char *curve; /* neither: P-256 */
    bool spelled_out;  /* the curve by its parameters */
    bool version_1;
    bool lets_in; /* the long way */
    bool is_short;
} rows[] = {
    {"a device's certificate", .usage = "clientAuth", .lets_in = true, .is_short = true},
    {"with all that ours carry", .usage = "critical,clientAuth", .key_usage = "critical,digitalSignature",
     .extra = "subjectKeyIdentifier=hash", .lets_in = true, .is_short = true},
    {"for both ends", .usage = "clientAuth,serverAuth", .lets_in = true, .is_short = true},
    {"for anything", .lets_in = true, .is_short = true},
    {"for key agreement", .key_usage = "critical,keyAgreement", .lets_in = true, .is_short = true},
    {"by the root itself", .by = ROOT, .usage = "clientAuth", .lets_in = true, .is_short = true},
    {"by SHA-384", .digest = EVP_sha384, .usage = "clientAuth", .lets_in = true, .is_short = true},
    {"an RSA key", .rsa_bits = 2048, .usage = "clientAuth", .lets_in = true, .is_short = true},
    {"an authority's", .constraints = "critical,CA:TRUE", .usage = "clientAuth", .lets_in = true},
    {"with a policy", .usage = "clientAuth", .extra = "2.5.29.32=DER:3006300406022a03", .lets_in = true},
    {"with an unknown extension", .usage = "clientAuth", .extra = "1.2.3.4=DER:0500", .lets_in = true},
    {"with an unknown critical extension", .usage = "clientAuth", .extra = "1.2.3.4=critical,DER:0500"},
    {"a proxy's", .usage = "clientAuth", .extra = "1.3.6.1.5.5.7.1.14=critical,DER:300f020101300a06082b06010505071500"},
    {"a server's", .usage = "serverAuth"},
    {"for mail", .usage = "emailProtection"},
    {"for encipherment alone", .usage = "clientAuth", .key_usage = "critical,keyEncipherment"},
    {"expired", .usage = "clientAuth", .from_s = -2 * DAY_SECONDS, .until_s = -2},
    {"not yet valid", .usage = "clientAuth", .from_s = 60, .until_s = DAY_SECONDS},
    {"by another authority", .by = OTHER, .usage = "clientAuth"},
    {"by a key of the authority's name", .by = FORGED, .usage = "clientAuth"},
    {"by a device", .by = DEVICE, .usage = "clientAuth"},
    {"by itself", .by = ITSELF, .usage = "clientAuth"},
    {"by SHA-1", .digest = EVP_sha1, .usage = "clientAuth"},
    {"a weak key", .curve = "prime192v1", .usage = "clientAuth"},
    {"a curve by its parameters", .spelled_out = true, .usage = "clientAuth"},
    {"of version 1", .version_1 = true, .lets_in = true},
    {"a bit of the signature", .touch = SIGNATURE_BIT, .usage = "clientAuth"},
    {"two names of the algorithm", .touch = OUTER_ALGORITHM, .usage = "clientAuth"},
    {"not on the list", .list = CURRENT_LIST, .usage = "clientAuth", .lets_in = true, .is_short = true},
    {"on the list", .list = CURRENT_LIST, .usage = "clientAuth", .revoked = true},
    {"an old list", .list = OLD_LIST, .usage = "clientAuth"},
    {"a list from the future", .list = EARLY_LIST, .usage = "clientAuth"},
    {"a list by another key", .list = FORGED_LIST, .usage = "clientAuth"},
    {"a list of another authority alone", .list = ROOTS_LIST, .usage = "clientAuth"},
    {"the root's device, with the root's list", .list = ROOTS_LIST, .by = ROOT, .usage = "clientAuth", .lets_in = true,
     .is_short = true},
    {"a list with an unknown critical extension", .list = ODD_LIST, .usage = "clientAuth"},
    {"a list with an unknown critical extension at another's entry", .list = ODD_ENTRY, .usage = "clientAuth"},
    {"a list that names another key", .list = ODD_KEY_ID, .usage = "clientAuth"},
};

struct world {
    struct party root, issuing, other, forged, device, server;
};

static struct party authority(const struct party *by, const char *name, const char *constraints)
{
    struct party p = party_make(by, &(struct leaf){.name = name, .constraints = constraints});
    X509 *signer = by ? by->certificate : p.certificate;
    extend(p.certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(p.certificate, signer, NID_subject_key_identifier, "hash");
    certify(X509_sign(p.certificate, by ? by->key : p.key, EVP_sha256()) > 0);
    BIO *chain = BIO_new(BIO_s_mem());
    buffer_drop(&p.chain_pem);
    certify(PEM_write_bio_X509(chain, p.certificate));
    pem_of(chain, &p.chain_pem);
    return p;
}

static int world_make(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->root = authority(NULL, "root", "critical,CA:TRUE");
    w->issuing = authority(&w->root, "issuing", "critical,CA:TRUE,pathlen:0");
    w->other = authority(NULL, "other", "critical,CA:TRUE");
    w->forged = authority(&w->other, "issuing", "critical,CA:TRUE,pathlen:0");
    w->device = party_make(&w->issuing, &(struct leaf){.name = "pump-1", .usage = "clientAuth"});
    w->server = party_make(&w->issuing, &(struct leaf){.name = "server", .usage = "serverAuth"});
    *state = w;
    return 0;
}

static int world_drop(void **state)
{
    struct world *w = *state;
    struct party *parties[] = {&w->root, &w->issuing, &w->other, &w->forged, &w->device, &w->server};
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++)
        party_drop(parties[i]);
    free(w);
    return 0;
}

static const struct party *signer_of(const struct world *w, enum by by)
{
    const struct party *signers[] = {&w->issuing, &w->root, &w->other, &w->forged, &w->device, NULL};
    return signers[by];
}

static void add_extra(X509 *certificate, const char *extra)
{
    char name[64];
    const char *value = strchr(extra, '=') + 1;
    X509V3_CTX ctx;
    memcpy(name, extra, (size_t)(value - 1 - extra));
    name[value - 1 - extra] = 0;
    X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf(NULL, &ctx, name, value);
    if (!e)
        fail_msg("%s", extra);
    certify(X509_add_ext(certificate, e, -1));
    X509_EXTENSION_free(e);
}

/* What a peer sends: the bytes, read again. */
static X509 *as_sent(X509 *certificate, enum touch touch)
{
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    certify(len > 0);
    const unsigned char *at = der;
    if (touch == SIGNATURE_BIT)
        der[len - 1] ^= 1;
    /* The outer name of ecdsa-with-SHA256, 1.2.840.10045.4.3.2, becomes that of SHA-384. */
    for (int i = len - 20; touch == OUTER_ALGORITHM && i > 0; i--)
        if (memcmp(der + i, "\x2a\x86\x48\xce\x3d\x04\x03\x02", 8) == 0) {
            der[i + 7] = 3;
            break;
        }
    X509 *sent = d2i_X509(NULL, &at, len);
    certify(sent != NULL);
    OPENSSL_free(der);
    return sent;
}

static X509 *forge(const struct world *w, const struct row *r)
{
    const struct party *by = signer_of(w, r->by);
    const struct leaf leaf = {"pump-2",  "URI:urn:holdfast:device:pump-2", r->usage, r->constraints, r->from_s,
                              r->until_s};
    struct party p = party_make(by, &leaf);
    X509 *signer = by ? by->certificate : p.certificate;
    EVP_PKEY *key = by ? by->key : p.key;
    if (r->spelled_out) {
        EVP_PKEY *other = EVP_EC_gen("P-256");
        certify(other && EVP_PKEY_set_utf8_string_param(other, OSSL_PKEY_PARAM_EC_ENCODING, "explicit") &&
                X509_set_pubkey(p.certificate, other));
        EVP_PKEY_free(other);
    }
    if (r->rsa_bits || r->curve) {
        EVP_PKEY *other = r->curve ? EVP_EC_gen(r->curve) : EVP_RSA_gen((unsigned)r->rsa_bits);
        certify(other && X509_set_pubkey(p.certificate, other));
        EVP_PKEY_free(other);
    }
    extend(p.certificate, signer, NID_key_usage, r->key_usage);
    extend(p.certificate, signer, NID_authority_key_identifier, X509_get0_subject_key_id(signer) ? "keyid" : NULL);
    if (r->extra)
        add_extra(p.certificate, r->extra);
    if (r->version_1) {
        while (X509_get_ext_count(p.certificate))
            X509_EXTENSION_free(X509_delete_ext(p.certificate, 0));
        certify(X509_set_version(p.certificate, X509_VERSION_1));
    }
    certify(X509_sign(p.certificate, key, r->digest ? r->digest() : EVP_sha256()) > 0);
    X509 *sent = as_sent(p.certificate, r->touch);
    party_drop(&p);
    return sent;
}

/* ---- lists */

static struct buffer make_list(const struct world *w, const struct row *r, const X509 *leaf)
{
    const struct party *by = r->list == ROOTS_LIST ? &w->root : r->list == FORGED_LIST ? &w->forged : &w->issuing;
    long from = r->list == EARLY_LIST ? 3600 : r->list == OLD_LIST ? -7200 : -3600;
    struct buffer pem;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    certify(X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
            X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->certificate)) && X509_gmtime_adj(t, from) &&
            X509_CRL_set1_lastUpdate(crl, t) && X509_gmtime_adj(t, from + 5400) && X509_CRL_set1_nextUpdate(crl, t));
    for (int other = 0; other < 2; other++) { /* somebody else's, and the leaf's */
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_dup(X509_get0_serialNumber(leaf));
        certify(other || ASN1_INTEGER_set_uint64(serial, 77));
        certify(X509_REVOKED_set_serialNumber(entry, serial) && X509_REVOKED_set_revocationDate(entry, t));
        ASN1_INTEGER_free(serial);
        if (!other && r->list == ODD_ENTRY) {
            X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, "1.2.3.4", "critical,DER:0500");
            certify(e && X509_REVOKED_add_ext(entry, e, -1));
            X509_EXTENSION_free(e);
        }
        if (other && !r->revoked)
            X509_REVOKED_free(entry);
        else
            certify(X509_CRL_add0_revoked(crl, entry));
    }
    if (r->list == ODD_LIST) {
        X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, "1.2.3.4", "critical,DER:0500");
        certify(e && X509_CRL_add_ext(crl, e, -1));
        X509_EXTENSION_free(e);
    }
    if (r->list == ODD_KEY_ID) {
        X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, "2.5.29.35", "DER:3006800401020304");
        certify(e && X509_CRL_add_ext(crl, e, -1));
        X509_EXTENSION_free(e);
    }
    certify(X509_CRL_sort(crl) && X509_CRL_sign(crl, by->key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    certify(PEM_write_bio_X509_CRL(bio, crl));
    pem_of(bio, &pem);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
    return pem;
}

static struct tls_context *context_for(const struct world *w, const struct row *r, const X509 *leaf)
{
    SCOPED(buffer_drop) struct buffer anchors = {.max = 65536};
    struct buffer crl = {0};
    struct tls_context *ctx = NULL;
    put_bytes(&anchors, buffer_view(&w->issuing.chain_pem));
    put_bytes(&anchors, buffer_view(&w->root.chain_pem));
    if (r->list != NO_LIST)
        crl = make_list(w, r, leaf);
    const struct tls_options options = {.chain_pem = buffer_view(&w->server.chain_pem),
                                        .key_pem = buffer_view(&w->server.key_pem),
                                        .anchors_pem = buffer_view(&anchors),
                                        .crl_pem = buffer_view(&crl)};
    assert_null(tls_context_server(&options, &ctx));
    buffer_drop(&crl);
    return ctx;
}

/* What libssl does with a client's certificate when nobody interferes. */
static bool long_way(struct tls_context *ctx, X509 *leaf)
{
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;
    certify(store && X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(ctx->ssl), leaf, NULL));
    param = X509_STORE_CTX_get0_param(store);
    X509_VERIFY_PARAM_set_auth_level(param, SSL_CTX_get_security_level(ctx->ssl));
    certify(X509_STORE_CTX_set_default(store, "ssl_client"));
    certify(X509_VERIFY_PARAM_set1(param, SSL_CTX_get0_param(ctx->ssl)));
    bool well = X509_verify_cert(store) == 1;
    X509_STORE_CTX_free(store);
    return well;
}

static void the_short_way_agrees_with_the_long_one(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        X509 *leaf = forge(*state, r);
        struct tls_context *ctx = context_for(*state, r, leaf);
        bool is_short = tls_trust_finds(ctx->trust, leaf) != NO_ANCHOR, lets_in = long_way(ctx, leaf);
        if (is_short && !lets_in)
            fail_msg("%s: the short way lets in what OpenSSL does not", r->rule);
        if (is_short != r->is_short || lets_in != r->lets_in)
            fail_msg("%s: short %d, long %d", r->rule, is_short, lets_in);
        tls_context_drop(ctx);
        X509_free(leaf);
    }
}

/* No bit of a certificate can be changed so that the short way lets it in. */
static void no_changed_bit_is_let_in(void **state)
{
    const struct world *w = *state;
    const struct row plain = {.rule = "", .usage = "clientAuth"};
    X509 *leaf = forge(w, &plain);
    struct tls_context *ctx = context_for(w, &plain, leaf);
    unsigned char *der = NULL;
    int len = i2d_X509(leaf, &der);
    assert_int_not_equal(tls_trust_finds(ctx->trust, leaf), NO_ANCHOR);
    for (int bit = 0; bit < len * 8; bit++) {
        const unsigned char *at = der;
        der[bit / 8] ^= (unsigned char)(1 << bit % 8);
        X509 *changed = d2i_X509(NULL, &at, len);
        if (changed && tls_trust_finds(ctx->trust, changed) != NO_ANCHOR && !long_way(ctx, changed))
            fail_msg("bit %d", bit);
        X509_free(changed);
        der[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    OPENSSL_free(der);
    X509_free(leaf);
    tls_context_drop(ctx);
}

/* Anchors that the long way treats in ways of its own never take the short one. */
static void odd_anchors_take_the_long_way(void **state)
{
    const struct world *w = *state;
    static const struct {
        const char *rule, *root, *issuing, *extra;
        bool expired;
    } odd[] = {
        {"a root that may sign leaves only", "critical,CA:TRUE,pathlen:0", "critical,CA:TRUE", NULL, false},
        {"name constraints", "critical,CA:TRUE", "critical,CA:TRUE", "nameConstraints=critical,excluded;DNS:x.test",
         false},
        {"no authority", "critical,CA:TRUE", "critical,CA:FALSE", NULL, false},
        {"a purpose", "critical,CA:TRUE", "critical,CA:TRUE", "extendedKeyUsage=serverAuth", false},
        {"expired", "critical,CA:TRUE", "critical,CA:TRUE", NULL, true},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        SCOPED(buffer_drop) struct buffer anchors = {.max = 65536};
        struct party root = authority(NULL, "root", odd[i].root);
        struct leaf leaf = {.name = "issuing", .constraints = odd[i].issuing};
        if (odd[i].expired) {
            leaf.from_s = -DAY_SECONDS;
            leaf.until_s = -1;
        }
        struct party issuing = party_make(&root, &leaf);
        if (odd[i].extra)
            add_extra(issuing.certificate, odd[i].extra);
        certify(X509_sign(issuing.certificate, root.key, EVP_sha256()) > 0);
        BIO *bio = BIO_new(BIO_s_mem());
        certify(PEM_write_bio_X509(bio, issuing.certificate));
        buffer_drop(&issuing.chain_pem);
        pem_of(bio, &issuing.chain_pem);
        put_bytes(&anchors, buffer_view(&issuing.chain_pem));
        put_bytes(&anchors, buffer_view(&root.chain_pem));
        struct party device = party_make(&issuing, &(struct leaf){.name = "pump-1", .usage = "clientAuth"});
        struct tls_context *ctx = NULL;
        assert_null(tls_context_server(&(struct tls_options){.chain_pem = buffer_view(&w->server.chain_pem),
                                                             .key_pem = buffer_view(&w->server.key_pem),
                                                             .anchors_pem = buffer_view(&anchors)},
                                       &ctx));
        X509 *sent = as_sent(device.certificate, UNTOUCHED);
        if (tls_trust_finds(ctx->trust, sent) != NO_ANCHOR)
            fail_msg("%s", odd[i].rule);
        X509_free(sent);
        tls_context_drop(ctx);
        party_drop(&root);
        party_drop(&issuing);
        party_drop(&device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_way_agrees_with_the_long_one),
        cmocka_unit_test(no_changed_bit_is_let_in),
        cmocka_unit_test(odd_anchors_take_the_long_way),
    };
    return cmocka_run_group_tests(tests, world_make, world_drop);
}
