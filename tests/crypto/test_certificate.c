/* Certificates: issued ones are what RFC 5280 asks for; read ones are judged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate.h"

#include "base/memory.h"
#include "crypto/authority.h"

#include <openssl/x509v3.h>
#include <unistd.h>

#define URI "urn:holdfast:device:"

static struct test_authority authority;

static int open_authority(void **state)
{
    test_authority_open(&authority);
    return 0;
}

static int close_authority(void **state)
{
    test_authority_close(&authority);
    return 0;
}

static struct certificate_order leaf_order(const struct certificate_name *names, size_t count)
{
    return (struct certificate_order){.role = CERTIFICATE_CLIENT,
                                      .common_name = BYTES("pump-1"),
                                      .names = names,
                                      .name_count = count,
                                      .issuer_key = authority.issuing_key,
                                      .issuer = buffer_view(&authority.issuing)};
}

static err issue_leaf(struct certificate_order order, struct buffer *out)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    TRY(key_generate(KEY_P256, &key));
    return test_authority_issue(&authority, order, key, out);
}

#define DEVICE ((struct certificate_name[]){{CERTIFICATE_NAME_URI, BYTES(URI "pump-1")}})

static void facts(void **state)
{
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct certificate_facts facts;
    char id[65];
    assert_ok(issue_leaf(leaf_order(DEVICE, 1), &der));
    assert_ok(certificate_read(buffer_view(&der), &facts));
    assert_string_equal(facts.common_name, "pump-1");
    assert_int_equal(facts.not_before_us, TEST_NOW_US - DAY_US);
    assert_int_equal(facts.not_after_us, TEST_NOW_US + 30 * DAY_US);
    assert_int_equal(strlen(facts.serial), 32);
    assert_int_equal(strlen(facts.fingerprint), 64);
    assert_ok(certificate_uri(buffer_view(&der), URI, id, sizeof id));
    assert_string_equal(id, "pump-1");
    assert_kind(certificate_uri(buffer_view(&der), URI, id, 6), ERR_MALFORMED); /* no room for the NUL */
    assert_kind(certificate_uri(buffer_view(&der), "urn:other:", id, sizeof id), ERR_ABSENT);
}

static void exactly_one_device_uri(void **state)
{
    const struct certificate_name none[] = {{CERTIFICATE_NAME_DNS, BYTES("pump-1.example")}};
    const struct certificate_name two[] = {{CERTIFICATE_NAME_URI, BYTES(URI "a")},
                                           {CERTIFICATE_NAME_URI, BYTES(URI "b")}};
    const struct certificate_name mixed[] = {{CERTIFICATE_NAME_URI, BYTES("https://a.example")},
                                             {CERTIFICATE_NAME_URI, BYTES(URI "b")}};
    const struct {
        const struct certificate_name *names;
        size_t count;
        enum fault_kind expected;
    } rows[] = {{NULL, 0, ERR_ABSENT}, {none, 1, ERR_ABSENT}, {two, 2, ERR_MALFORMED}, {mixed, 2, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
        char id[65];
        assert_ok(issue_leaf(leaf_order(rows[i].names, rows[i].count), &der));
        err e = certificate_uri(buffer_view(&der), URI, id, sizeof id);
        assert_int_equal(e ? e->kind : 0, rows[i].expected);
    }
}

static X509 *parse(const struct buffer *der)
{
    const unsigned char *at = der->at;
    X509 *x = d2i_X509(NULL, &at, (long)der->len);
    assert_non_null(x);
    return x;
}

static void assert_critical(X509 *x, int nid, int expected)
{
    int place = X509_get_ext_by_NID(x, nid, -1);
    assert_true(place >= 0);
    assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(x, place)), expected);
}

/* In DER a BOOLEAN that is true is 0xff (X.690, 11.1); OpenSSL reads any other value too, strict readers do not. */
static void assert_constraints(X509 *x, struct bytes der)
{
    ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(X509_get_ext(x, X509_get_ext_by_NID(x, NID_basic_constraints, -1)));
    assert_true(bytes_equal(bytes_of(ASN1_STRING_get0_data(data), (size_t)ASN1_STRING_length(data)), der));
}

/* RFC 5280, 4.2.1: each extension, where it must be and how. */
static void profiles(void **state)
{
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    assert_ok(issue_leaf(leaf_order(DEVICE, 1), &der));
    const struct {
        const struct buffer *der;
        long path_length; /* -1: no authority */
        uint32_t usage, purpose;
        struct bytes constraints;
    } rows[] = {
        {&authority.root, 1, KU_KEY_CERT_SIGN | KU_CRL_SIGN, UINT32_MAX, BYTES("\x30\x06\x01\x01\xff\x02\x01\x01")},
        {&authority.issuing, 0, KU_KEY_CERT_SIGN | KU_CRL_SIGN, UINT32_MAX, BYTES("\x30\x06\x01\x01\xff\x02\x01\x00")},
        {&der, -1, KU_DIGITAL_SIGNATURE, XKU_SSL_CLIENT, BYTES("\x30\x00")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        X509 *x = parse(rows[i].der);
        assert_int_equal(X509_get_version(x), X509_VERSION_3);
        assert_critical(x, NID_basic_constraints, 1);
        assert_constraints(x, rows[i].constraints);
        assert_critical(x, NID_key_usage, 1);
        assert_critical(x, NID_subject_key_identifier, 0);
        assert_critical(x, NID_authority_key_identifier, 0);
        assert_int_equal(X509_get_pathlen(x), rows[i].path_length);
        assert_int_equal(X509_check_ca(x), rows[i].path_length >= 0);
        assert_int_equal(X509_get_key_usage(x), rows[i].usage);
        assert_int_equal(X509_get_extended_key_usage(x), rows[i].purpose);
        assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(x)), 16);
        X509_free(x);
    }
}

static err verify(const struct buffer *leaf, const struct buffer *middle, const struct buffer *root, int64_t now_us)
{
    const struct certificate_path path = {buffer_view(leaf), middle ? buffer_view(middle) : (struct bytes){NULL, 0},
                                          buffer_view(root), now_us};
    return certificate_verify(&path);
}

static void paths(void **state)
{
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct test_authority other;
    test_authority_open(&other);
    assert_ok(issue_leaf(leaf_order(DEVICE, 1), &der));
    assert_ok(verify(&der, &authority.issuing, &authority.root, TEST_NOW_US));
    assert_ok(verify(&authority.issuing, NULL, &authority.root, TEST_NOW_US));
    assert_ok(verify(&authority.root, NULL, &authority.root, TEST_NOW_US));
    assert_kind(verify(&der, &authority.issuing, &authority.root, TEST_NOW_US + 31 * DAY_US), ERR_EXPIRED);
    assert_kind(verify(&der, &authority.issuing, &authority.root, TEST_NOW_US - 2 * DAY_US), ERR_EXPIRED);
    assert_kind(verify(&der, NULL, &authority.root, TEST_NOW_US), ERR_REFUSED);
    assert_kind(verify(&der, &authority.issuing, &other.root, TEST_NOW_US), ERR_REFUSED);
    assert_kind(verify(&der, &other.issuing, &authority.root, TEST_NOW_US), ERR_REFUSED);
    test_authority_close(&other);
}

static void orders_against_rfc_5280_are_refused(void **state)
{
    const struct certificate_name bad_names[] = {
        {CERTIFICATE_NAME_URI, BYTES("no colon")},  {CERTIFICATE_NAME_URI, BYTES("urn:a\nb")},
        {CERTIFICATE_NAME_URI, BYTES("")},          {CERTIFICATE_NAME_DNS, BYTES("a b")},
        {CERTIFICATE_NAME_DNS, BYTES("*.example")}, {CERTIFICATE_NAME_DNS, BYTES("")},
        {CERTIFICATE_NAME_ADDRESS, BYTES("1.2.3")}, {CERTIFICATE_NAME_ADDRESS, BYTES("host")},
    };
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++)
        assert_kind(issue_leaf(leaf_order(&bad_names[i], 1), &der), ERR_MALFORMED);
    struct certificate_order order = leaf_order(DEVICE, 1);
    order.not_before_us = TEST_NOW_US;
    order.not_after_us = TEST_NOW_US + 31 * DAY_US; /* a day behind its issuer's end */
    assert_kind(issue_leaf(order, &der), ERR_MALFORMED);
    order.not_after_us = TEST_NOW_US + 1; /* the same second */
    assert_kind(issue_leaf(order, &der), ERR_MALFORMED);
    order = leaf_order(DEVICE, 1);
    order.issuer_key = authority.root_key;
    assert_kind(issue_leaf(order, &der), ERR_MALFORMED);
    order = leaf_order(DEVICE, 1);
    order.common_name = BYTES("");
    assert_kind(issue_leaf(order, &der), ERR_MALFORMED);
    order = leaf_order(DEVICE, CERTIFICATE_NAMES_MAX + 1);
    assert_kind(issue_leaf(order, &der), ERR_TOO_LARGE);
    assert_int_equal(der.len, 0);
}

static void a_leaf_cannot_issue(void **state)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    SCOPED(buffer_drop) struct buffer child = {.max = CERTIFICATE_MAX};
    assert_ok(key_generate(KEY_P256, &key));
    assert_ok(test_authority_issue(&authority, leaf_order(DEVICE, 1), key, &der));
    struct certificate_order order = leaf_order(DEVICE, 1);
    order.issuer = buffer_view(&der);
    order.issuer_key = key;
    assert_kind(issue_leaf(order, &child), ERR_MALFORMED);
}

static void server_names(void **state)
{
    const struct certificate_name names[] = {{CERTIFICATE_NAME_DNS, BYTES("holdfast.example")},
                                             {CERTIFICATE_NAME_ADDRESS, BYTES("192.0.2.7")},
                                             {CERTIFICATE_NAME_ADDRESS, BYTES("2001:db8::1")}};
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct certificate_order order = leaf_order(names, 3);
    order.role = CERTIFICATE_SERVER;
    assert_ok(issue_leaf(order, &der));
    X509 *x = parse(&der);
    assert_int_equal(X509_check_host(x, "holdfast.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(x, "192.0.2.7", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "2001:db8::1", 0), 1);
    assert_int_equal(X509_check_host(x, "other.example", 0, 0, NULL), 0);
    assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
    X509_free(x);
}

/* Nobody is asked for its passphrase: what stands on standard input is still there afterwards. */
static void an_encrypted_block_is_refused(void **state)
{
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                              "DEK-Info: AES-256-CBC,000102030405060708090A0B0C0D0E0F\n\n"
                              "AAECAwQFBgcICQoLDA0ODw==\n-----END CERTIFICATE-----\n";
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct bytes rest = bytes_of_text(pem);
    int ends[2], before = dup(STDIN_FILENO);
    char first = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "secret\n", 7), 7);
    close(ends[1]);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    assert_kind(certificate_next_pem(&rest, &der), ERR_MALFORMED);
    assert_int_equal(read(STDIN_FILENO, &first, 1), 1);
    assert_int_equal(first, 's');
    assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
    close(before);
    close(ends[0]);
}

static void pem_round_trip(void **state)
{
    SCOPED(buffer_drop) struct buffer pem = {.max = 65536};
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    assert_ok(certificate_put_pem(buffer_view(&authority.issuing), &pem));
    assert_ok(certificate_put_pem(buffer_view(&authority.root), &pem));
    struct bytes rest = buffer_view(&pem);
    assert_ok(certificate_next_pem(&rest, &der));
    assert_true(bytes_equal(buffer_view(&der), buffer_view(&authority.issuing)));
    buffer_clear(&der);
    assert_ok(certificate_next_pem(&rest, &der));
    assert_true(bytes_equal(buffer_view(&der), buffer_view(&authority.root)));
    assert_kind(certificate_next_pem(&rest, &der), ERR_ABSENT);
    rest = BYTES("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    assert_kind(certificate_next_pem(&rest, &der), ERR_MALFORMED);
}

static void truncated_and_extended(void **state)
{
    SCOPED(buffer_drop) struct buffer longer = {.max = CERTIFICATE_MAX};
    struct certificate_facts facts;
    struct bytes whole = buffer_view(&authority.issuing);
    for (size_t len = 0; len < whole.len; len++)
        assert_kind(certificate_read(bytes_first(whole, len), &facts), ERR_MALFORMED);
    put_bytes(&longer, whole);
    put_u8(&longer, 0);
    assert_kind(certificate_read(buffer_view(&longer), &facts), ERR_MALFORMED);
}

static void keys_match(void **state)
{
    assert_ok(certificate_matches_key(buffer_view(&authority.root), authority.root_key));
    assert_kind(certificate_matches_key(buffer_view(&authority.root), authority.issuing_key), ERR_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts),
        cmocka_unit_test(exactly_one_device_uri),
        cmocka_unit_test(profiles),
        cmocka_unit_test(paths),
        cmocka_unit_test(orders_against_rfc_5280_are_refused),
        cmocka_unit_test(a_leaf_cannot_issue),
        cmocka_unit_test(server_names),
        cmocka_unit_test(pem_round_trip),
        cmocka_unit_test(an_encrypted_block_is_refused),
        cmocka_unit_test(truncated_and_extended),
        cmocka_unit_test(keys_match),
    };
    return cmocka_run_group_tests(tests, open_authority, close_authority);
}
