/* Marks of revoked certificates: the first eight bytes of a SHA-256, in order. That two certificates share one by
 * chance is as likely as one in 2^64 times their number; then a session ends that could have gone on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_revoked.h"

#include "base/memory.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "tls: no memory"};
static const struct fault foreign = {ERR_REFUSED, "tls: a revocation list is signed by none of the anchors"};
static const struct fault stale = {ERR_EXPIRED, "tls: a revocation list is over, or not valid yet"};

struct tls_revoked {
    err judgement;
    size_t count;
    uint64_t *marks; /* ascending */
};

/* ---- marks */

static uint64_t mark_of(const X509_NAME *issuer, const ASN1_INTEGER *serial)
{
    const uint8_t *name = NULL;
    uint8_t hash[EVP_MAX_MD_SIZE];
    uint64_t mark = 0;
    size_t name_len = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (digest && X509_NAME_get0_der(issuer, &name, &name_len) == 1 &&
        EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(digest, name, name_len) == 1 &&
        EVP_DigestUpdate(digest, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)) == 1 &&
        EVP_DigestFinal_ex(digest, hash, NULL) == 1) {
        memcpy(&mark, hash, sizeof mark);
        mark += !mark;
    }
    EVP_MD_CTX_free(digest);
    return mark;
}

uint64_t tls_revoked_mark(const X509 *certificate)
{
    uint64_t mark = mark_of(X509_get_issuer_name(certificate), X509_get0_serialNumber(certificate));
    ERR_clear_error();
    return mark;
}

/* ---- lists */

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static bool is_signed(X509_CRL *list, STACK_OF(X509_OBJECT) * objects)
{
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *by = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        EVP_PKEY *key = by ? X509_get0_pubkey(by) : NULL;
        if (key && X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(by)) == 0 &&
            X509_CRL_verify(list, key) == 1)
            return true;
    }
    return false;
}

static err judge(X509_CRL *list, STACK_OF(X509_OBJECT) * objects)
{
    const ASN1_TIME *until = X509_CRL_get0_nextUpdate(list);
    if (!is_signed(list, objects))
        return &foreign;
    bool current =
        X509_cmp_current_time(X509_CRL_get0_lastUpdate(list)) < 0 && until && X509_cmp_current_time(until) > 0;
    return current ? OK : &stale;
}

/* Adds what the list names. One that is over still names them. */
static err add_list(struct tls_revoked *revoked, X509_CRL *list)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);
    int more = sk_X509_REVOKED_num(entries);
    if (more <= 0)
        return OK;
    uint64_t *grown = mem_grow(revoked->marks, revoked->count + (size_t)more, sizeof *grown);
    if (!grown)
        return &no_memory;
    revoked->marks = grown;
    for (int i = 0; i < more; i++) {
        uint64_t mark =
            mark_of(X509_CRL_get_issuer(list), X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, i)));
        if (!mark)
            return &no_memory;
        revoked->marks[revoked->count++] = mark;
    }
    return OK;
}

static err fill(struct tls_revoked *revoked, STACK_OF(X509_OBJECT) * objects)
{
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509_CRL *list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
        err why = list ? judge(list, objects) : OK;
        if (why && (!revoked->judgement || err_is(why, ERR_REFUSED)))
            revoked->judgement = why;
        if (list && !err_is(why, ERR_REFUSED))
            TRY(add_list(revoked, list));
    }
    if (revoked->count)
        qsort(revoked->marks, revoked->count, sizeof *revoked->marks, by_value);
    return OK;
}

static bool has_lists(STACK_OF(X509_OBJECT) * objects)
{
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++)
        if (X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i)))
            return true;
    return false;
}

err tls_revoked_open(X509_STORE *store, struct tls_revoked **out)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    *out = NULL;
    if (!has_lists(objects))
        return OK;
    struct tls_revoked *revoked = MEM_NEW(struct tls_revoked);
    if (!revoked)
        return &no_memory;
    err failed = fill(revoked, objects);
    ERR_clear_error();
    if (failed)
        tls_revoked_drop(revoked);
    else
        *out = revoked;
    return failed;
}

void tls_revoked_drop(struct tls_revoked *revoked)
{
    if (revoked)
        mem_drop(revoked->marks);
    mem_drop(revoked);
}

bool tls_revoked_names(const struct tls_revoked *revoked, uint64_t mark)
{
    return revoked && mark && revoked->count &&
           bsearch(&mark, revoked->marks, revoked->count, sizeof mark, by_value) != NULL;
}

err tls_revoked_judge(const struct tls_revoked *revoked)
{
    return revoked ? revoked->judgement : OK;
}
