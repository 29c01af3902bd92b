/* What OpenSSL says about a certificate: the other opinion that our own reading of them is held against. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/text.h"
#include "crypto/certificate_fields.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline bool reference_date(const ASN1_TIME *date, int64_t *us)
{
    struct tm tm = {0};
    *us = 0;
    if (ASN1_TIME_check(date) != 1 || ASN1_TIME_to_tm(date, &tm) != 1)
        return false;
    *us = (int64_t)timegm(&tm) * 1000000;
    return true;
}

/* RFC 5280, 4.1.2.5.1 and 4.1.2.5.2; OpenSSL takes offsets and fractions, too. */
static inline bool reference_date_is_plain(const ASN1_TIME *date)
{
    int64_t us;
    size_t len = ASN1_STRING_type(date) == V_ASN1_UTCTIME ? 13 : 15;
    const uint8_t *at = ASN1_STRING_get0_data(date);
    return reference_date(date, &us) && (size_t)ASN1_STRING_length(date) == len && at[len - 1] == 'Z';
}

static inline bool reference_serial(const X509 *x, char out[CERTIFICATE_SERIAL_TEXT])
{
    SCOPED(buffer_drop) struct buffer hex = {.max = 64};
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    struct bytes bytes = bytes_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
    if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || !bytes.len || bytes.len > 20 || !bytes.at[0])
        return false;
    put_hex(&hex, bytes);
    return text_copy(buffer_view(&hex), out, CERTIFICATE_SERIAL_TEXT) == OK;
}

/* OpenSSL reads names whose SEQUENCEs and SETs say that they hold no elements, and keeps their bytes. */
static inline bool reference_name_is_der(const X509_NAME *name)
{
    const uint8_t *was = NULL, *is = NULL;
    size_t was_len = 0, is_len = 0;
    SCOPED(X509_NAME_end) X509_NAME *again = X509_NAME_new();
    for (int i = 0; again && i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        bool joins = i && X509_NAME_ENTRY_set(entry) == X509_NAME_ENTRY_set(X509_NAME_get_entry(name, i - 1));
        if (X509_NAME_add_entry(again, entry, -1, joins ? -1 : 0) != 1)
            return false;
    }
    return again && X509_NAME_get0_der(name, &was, &was_len) == 1 && X509_NAME_get0_der(again, &is, &is_len) == 1 &&
           bytes_equal(bytes_of(was, was_len), bytes_of(is, is_len));
}

/* OpenSSL writes a BOOLEAN as it has read it. */
static inline bool reference_extension_is_der(X509_EXTENSION *extension)
{
    SCOPED(buffer_drop) struct buffer was = {.max = CERTIFICATE_MAX};
    SCOPED(buffer_drop) struct buffer is = {.max = CERTIFICATE_MAX};
    const ASN1_ITEM *item = ASN1_ITEM_rptr(X509_EXTENSION);
    bool same = !openssl_put_der(&was, (const ASN1_VALUE *)extension, item) &&
                X509_EXTENSION_set_critical(extension, X509_EXTENSION_get_critical(extension)) == 1 &&
                !openssl_put_der(&is, (const ASN1_VALUE *)extension, item) &&
                bytes_equal(buffer_view(&was), buffer_view(&is));
    return same;
}

static inline bool reference_extensions_are_der(const X509 *x)
{
    for (int i = 0; i < X509_get_ext_count(x); i++) {
        X509_EXTENSION *copy = X509_EXTENSION_dup(X509_get_ext(x, i));
        bool same = copy && reference_extension_is_der(copy);
        X509_EXTENSION_free(copy);
        if (!same)
            return false;
    }
    return true;
}

/* A certificate of version 3 in DER, with a serial number and dates of RFC 5280: we must be able to read it. */
static inline bool reference_is_plain(X509 *x, struct bytes der)
{
    char serial[CERTIFICATE_SERIAL_TEXT];
    SCOPED(X509_end) X509 *copy = X509_dup(x);
    uint8_t *again = NULL;
    int len = copy ? i2d_re_X509_tbs(copy, &again) : -1;
    struct reader all = reader_over(der), outer = der_enter(&all, DER_SEQUENCE);
    struct der tbs = der_next(&outer);
    bool same = len > 0 && bytes_equal(tbs.whole, bytes_of(again, (size_t)len));
    (void)der_take(&outer, DER_SEQUENCE);
    (void)der_take(&outer, DER_BIT_STRING);
    der_leave(&all, &outer);
    OPENSSL_free(again);
    return same && !reader_finish(&all) && reference_extensions_are_der(x) &&
           reference_name_is_der(X509_get_issuer_name(x)) && reference_name_is_der(X509_get_subject_name(x)) &&
           X509_get_version(x) == X509_VERSION_3 && reference_serial(x, serial) &&
           reference_date_is_plain(X509_get0_notBefore(x)) && reference_date_is_plain(X509_get0_notAfter(x)) &&
           X509_get_ext_by_NID(x, NID_subject_alt_name, X509_get_ext_by_NID(x, NID_subject_alt_name, -1)) < 0;
}

static inline bool reference_agrees_on_facts(X509 *x, struct bytes der, const struct certificate_facts *facts)
{
    SCOPED(buffer_drop) struct buffer key = {.max = CERTIFICATE_MAX};
    struct certificate_facts theirs = {.serial = ""};
    if (!reference_serial(x, theirs.serial) || !reference_date(X509_get0_notBefore(x), &theirs.not_before_us) ||
        !reference_date(X509_get0_notAfter(x), &theirs.not_after_us) ||
        openssl_put_der(&key, (const ASN1_VALUE *)X509_get_X509_PUBKEY(x), ASN1_ITEM_rptr(X509_PUBKEY)) ||
        key_fingerprint(buffer_view(&key), theirs.key_fingerprint) || digest_sha256_text(der, theirs.fingerprint))
        return false;
    /* A name in T.61 or UTF-16 is none for us. */
    IGNORE(openssl_common_name(X509_get_subject_name(x), theirs.common_name, sizeof theirs.common_name));
    bool same_name = !facts->common_name[0] || strcmp(facts->common_name, theirs.common_name) == 0;
    return same_name && strcmp(facts->serial, theirs.serial) == 0 && facts->not_before_us == theirs.not_before_us &&
           facts->not_after_us == theirs.not_after_us && strcmp(facts->fingerprint, theirs.fingerprint) == 0 &&
           /* We take the key's bytes as they lie, OpenSSL as it would write them. */
           (strcmp(facts->key_fingerprint, theirs.key_fingerprint) == 0 || !reference_is_plain(x, der));
}

static inline bool reference_is_uri(const GENERAL_NAME *name, const char *prefix)
{
    return name->type == GEN_URI &&
           bytes_starts(bytes_of(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
                                 (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier)),
                        prefix);
}

/* How many URIs with the prefix; -1: the names cannot be read. *found is the last one, lent by names. */
static inline int reference_uris(const GENERAL_NAMES *names, const char *prefix, struct bytes *found)
{
    int count = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (!reference_is_uri(name, prefix))
            continue;
        *found = bytes_of(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
                          (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
        count++;
    }
    return count;
}

/* What we found is what OpenSSL finds, when it can read the names at all. */
static inline bool reference_agrees_on_uri(X509 *x, const char *prefix, err ours, const char *rest)
{
    int state = 0;
    struct bytes found = {NULL, 0};
    SCOPED(GENERAL_NAMES_end) GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &state, NULL);
    ERR_clear_error();
    if (!names)
        return state == -1 ? err_is(ours, ERR_ABSENT)
                           : true; /* unreadable names end the handshake before we are asked */
    int count = reference_uris(names, prefix, &found);
    if (count != 1)
        return ours && (count > 1 || err_is(ours, ERR_ABSENT) || err_is(ours, ERR_MALFORMED));
    return ours ? err_is(ours, ERR_MALFORMED) : bytes_is(bytes_from(found, strlen(prefix)), rest);
}

/* The whole comparison: where both read it, they read the same; what is plain, we read. */
static inline const char *reference_disagrees(struct bytes der, const char *prefix)
{
    struct certificate_facts facts;
    char rest[65] = "";
    SCOPED(X509_end) X509 *x = NULL;
    err read = certificate_read(der, &facts), uri = certificate_uri(der, prefix, rest, sizeof rest);
    if (openssl_read_certificate(der, &x))
        return NULL; /* a handshake refuses it */
    if (read && reference_is_plain(x, der))
        return "a plain certificate is refused";
    if (!read && !reference_agrees_on_facts(x, der, &facts))
        return "other facts";
    if (!read && !reference_agrees_on_uri(x, prefix, uri, rest))
        return "another URI";
    return NULL;
}
