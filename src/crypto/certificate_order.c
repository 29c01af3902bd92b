/* Issuing certificates. Read top down: certificate_issue is the order of the fields in RFC 5280, 4.1. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate_order.h"

#include "base/text.h"
#include "crypto/openssl.h"

#include <string.h>
#include <time.h>

static const struct fault bad_name = {ERR_MALFORMED, "certificate: a name that is no URI, DNS name or address"};
static const struct fault bad_times = {ERR_MALFORMED, "certificate: it would end before it begins"};
static const struct fault outlives = {ERR_MALFORMED, "certificate: it would outlive its issuer"};
static const struct fault not_the_issuer = {ERR_MALFORMED, "certificate: the key is not the issuer's"};
static const struct fault too_many_names = {ERR_TOO_LARGE, "certificate: too many names"};

enum { SERIAL_BYTES = 16, KEY_ID_BYTES = 20, KEY_USAGE_SIGN = 0, KEY_USAGE_CERT_SIGN = 5, KEY_USAGE_CRL_SIGN = 6 };

static const struct role {
    long path_length; /* authorities only */
    int authority;    /* basicConstraints, CA */
    int purpose;      /* NID of the one extended key usage; end entities only */
} roles[] = {
    [CERTIFICATE_CLIENT] = {0, 0, NID_client_auth},
    [CERTIFICATE_SERVER] = {0, 0, NID_server_auth},
    [CERTIFICATE_ISSUING] = {0, 1, NID_undef},
    [CERTIFICATE_ROOT] = {1, 1, NID_undef},
};

enum critical { PLAIN = 0, CRITICAL = 1 };

static err add(X509 *x, int nid, void *value, enum critical critical)
{
    return X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_APPEND) == 1 ? OK : openssl_failed(&openssl_trouble);
}

static err set_serial(X509 *x, const struct dice *dice)
{
    uint8_t bytes[SERIAL_BYTES];
    dice->fill(dice, bytes, sizeof bytes);
    bytes[0] = (bytes[0] & 0x3F) | 0x40; /* positive, and always of the same length */
    SCOPED(BIGNUM_end) BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    if (!number || !BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)))
        return openssl_failed(&openssl_trouble);
    return OK;
}

static err set_times(X509 *x, const X509 *issuer, const struct certificate_order *order)
{
    time_t from = (time_t)(order->not_before_us / 1000000), to = (time_t)(order->not_after_us / 1000000);
    if (from >= to)
        return &bad_times;
    /* ASN1_TIME_set writes UTCTime until 2049 and GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
    SCOPED(ASN1_TIME_end) ASN1_TIME *before = ASN1_TIME_set(NULL, from);
    SCOPED(ASN1_TIME_end) ASN1_TIME *after = ASN1_TIME_set(NULL, to);
    if (!before || !after || X509_set1_notBefore(x, before) != 1 || X509_set1_notAfter(x, after) != 1)
        return openssl_failed(&openssl_trouble);
    return issuer && ASN1_TIME_compare(after, X509_get0_notAfter(issuer)) > 0 ? &outlives : OK;
}

static err set_names(X509 *x, const X509 *issuer, const struct certificate_order *order)
{
    SCOPED(X509_NAME_end) X509_NAME *subject = NULL;
    TRY(openssl_make_name(order->common_name, order->organization, &subject));
    if (X509_set_subject_name(x, subject) != 1 ||
        X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject) != 1)
        return openssl_failed(&openssl_trouble);
    return OK;
}

static err set_key(X509 *x, struct bytes public_key)
{
    SCOPED(EVP_PKEY_end) EVP_PKEY *pkey = NULL;
    TRY(openssl_read_public(public_key, &pkey));
    return X509_set_pubkey(x, pkey) == 1 ? OK : openssl_failed(&openssl_trouble);
}

static err add_constraints(X509 *x, const struct role *role)
{
    SCOPED(BASIC_CONSTRAINTS_end) BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    if (!constraints)
        return openssl_failed(&openssl_trouble);
    constraints->ca = role->authority ? 0xff : 0; /* DER knows one TRUE only (X.690, 11.1), and strict readers insist */
    if (role->authority) {
        constraints->pathlen = ASN1_INTEGER_new();
        if (!constraints->pathlen || ASN1_INTEGER_set(constraints->pathlen, role->path_length) != 1)
            return openssl_failed(&openssl_trouble);
    }
    return add(x, NID_basic_constraints, constraints, CRITICAL);
}

static err add_usage(X509 *x, const struct role *role)
{
    SCOPED(ASN1_BIT_STRING_end) ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    bool set = usage && (role->authority ? ASN1_BIT_STRING_set_bit(usage, KEY_USAGE_CERT_SIGN, 1) == 1 &&
                                               ASN1_BIT_STRING_set_bit(usage, KEY_USAGE_CRL_SIGN, 1) == 1
                                         : ASN1_BIT_STRING_set_bit(usage, KEY_USAGE_SIGN, 1) == 1);
    if (!set)
        return openssl_failed(&openssl_trouble);
    return add(x, NID_key_usage, usage, CRITICAL);
}

static err add_purpose(X509 *x, const struct role *role)
{
    if (role->authority)
        return OK;
    SCOPED(EXTENDED_KEY_USAGE_end) EXTENDED_KEY_USAGE *purposes = EXTENDED_KEY_USAGE_new();
    if (!purposes || sk_ASN1_OBJECT_push(purposes, OBJ_nid2obj(role->purpose)) <= 0)
        return openssl_failed(&openssl_trouble);
    return add(x, NID_ext_key_usage, purposes, PLAIN);
}

/* The leftmost 160 bits of the SHA-256 of the key's bits (RFC 7093, 2, method 1). */
static err key_id(const X509 *x, ASN1_OCTET_STRING *out)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (X509_pubkey_digest(x, EVP_sha256(), hash, &len) != 1 || len < KEY_ID_BYTES ||
        ASN1_OCTET_STRING_set(out, hash, KEY_ID_BYTES) != 1)
        return openssl_failed(&openssl_trouble);
    return OK;
}

static err add_key_ids(X509 *x, X509 *issuer)
{
    SCOPED(ASN1_OCTET_STRING_end) ASN1_OCTET_STRING *own = ASN1_OCTET_STRING_new();
    SCOPED(AUTHORITY_KEYID_end) AUTHORITY_KEYID *above = AUTHORITY_KEYID_new();
    if (!own || !above)
        return openssl_failed(&openssl_trouble);
    TRY(key_id(x, own));
    /* What the issuer calls its own key, however it computed that (RFC 5280, 4.2.1.1). */
    const ASN1_OCTET_STRING *theirs = issuer ? X509_get0_subject_key_id(issuer) : own;
    above->keyid = theirs ? ASN1_OCTET_STRING_dup(theirs) : NULL;
    if (!above->keyid)
        return openssl_failed(&not_the_issuer);
    TRY(add(x, NID_subject_key_identifier, own, PLAIN));
    return add(x, NID_authority_key_identifier, above, PLAIN);
}

static bool is_dns_name(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i], letter = c | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
    }
    return text.len && text.len <= 253 && text.at[0] != '.' && text.at[0] != '-';
}

static bool is_uri(struct bytes text)
{
    size_t colon;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] >= 0x7F)
            return false;
    return text.len <= 512 && bytes_find(text, ':', &colon) && colon > 0;
}

/* The value of one alternative name; NULL: it is none of its kind. The caller owns it. */
static ASN1_STRING *name_value(const struct certificate_name *name)
{
    char address[64];
    ASN1_STRING *value = NULL;
    switch (name->kind) {
    case CERTIFICATE_NAME_ADDRESS:
        return text_copy(name->text, address, sizeof address) ? NULL : a2i_IPADDRESS(address);
    case CERTIFICATE_NAME_DNS:
        value = is_dns_name(name->text) ? ASN1_IA5STRING_new() : NULL;
        break;
    case CERTIFICATE_NAME_URI:
        value = is_uri(name->text) ? ASN1_IA5STRING_new() : NULL;
        break;
    }
    if (value && ASN1_STRING_set(value, name->text.at, (int)name->text.len) == 1)
        return value;
    ASN1_STRING_free(value);
    return NULL;
}

static err push_name(GENERAL_NAMES *names, const struct certificate_name *from)
{
    static const int types[] = {
        [CERTIFICATE_NAME_URI] = GEN_URI, [CERTIFICATE_NAME_DNS] = GEN_DNS, [CERTIFICATE_NAME_ADDRESS] = GEN_IPADD};
    SCOPED(GENERAL_NAME_end) GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = name ? name_value(from) : NULL;
    if (!value)
        return openssl_failed(name ? &bad_name : &openssl_trouble);
    GENERAL_NAME_set0_value(name, types[from->kind], value);
    if (sk_GENERAL_NAME_push(names, name) <= 0)
        return openssl_failed(&openssl_trouble);
    name = NULL;
    return OK;
}

static err add_alternative_names(X509 *x, const struct certificate_order *order)
{
    if (!order->name_count)
        return OK; /* an empty extension is forbidden (RFC 5280, 4.2.1.6) */
    if (order->name_count > CERTIFICATE_NAMES_MAX)
        return &too_many_names;
    SCOPED(GENERAL_NAMES_end) GENERAL_NAMES *names = GENERAL_NAMES_new();
    if (!names)
        return openssl_failed(&openssl_trouble);
    for (size_t i = 0; i < order->name_count; i++)
        TRY(push_name(names, &order->names[i]));
    return add(x, NID_subject_alt_name, names, PLAIN);
}

static err add_extensions(X509 *x, X509 *issuer, const struct certificate_order *order)
{
    const struct role *role = &roles[order->role];
    TRY(add_constraints(x, role));
    TRY(add_usage(x, role));
    TRY(add_purpose(x, role));
    TRY(add_key_ids(x, issuer));
    return add_alternative_names(x, order);
}

static err read_issuer(const struct certificate_order *order, X509 **out)
{
    if (order->role == CERTIFICATE_ROOT)
        return OK;
    TRY(openssl_read_certificate(order->issuer, out));
    bool fits = X509_check_private_key(*out, order->issuer_key->pkey) == 1 && X509_check_ca(*out) == 1;
    return fits ? OK : openssl_failed(&not_the_issuer);
}

err certificate_issue(const struct certificate_order *order, struct buffer *out)
{
    SCOPED(X509_end) X509 *issuer = NULL; /* NULL: itself */
    SCOPED(X509_end) X509 *x = X509_new();
    TRY(read_issuer(order, &issuer));
    if (!x || X509_set_version(x, X509_VERSION_3) != 1)
        return openssl_failed(&openssl_trouble);
    TRY(set_serial(x, order->dice));
    TRY(set_times(x, issuer, order));
    TRY(set_names(x, issuer, order));
    TRY(set_key(x, order->public_key));
    TRY(add_extensions(x, issuer, order));
    if (order->role == CERTIFICATE_ROOT && X509_check_private_key(x, order->issuer_key->pkey) != 1)
        return openssl_failed(&not_the_issuer);
    if (X509_sign(x, order->issuer_key->pkey, openssl_digest_for(order->issuer_key)) <= 0)
        return openssl_failed(&openssl_trouble);
    return openssl_put_der(out, (const ASN1_VALUE *)x, ASN1_ITEM_rptr(X509));
}
