/* Signing requests: one row per way to be wrong. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/csr.h"

#include "base/text.h"
#include "crypto/fixture.h"
#include "crypto/requests.h"

enum change { AS_IT_IS, LAST_BYTE_FLIPPED, NAME_CHANGED, ONE_BYTE_MORE, ONE_BYTE_LESS };

static const struct {
    const char *what;
    const char *request;
    enum change change;
    enum fault_kind expected; /* 0: taken */
    const char *text;         /* part of the fault's text */
} rows[] = {
    {"P-256 with SHA-256", request_good, AS_IT_IS, 0, ""},
    {"P-256 with SHA-384", request_sha384, AS_IT_IS, 0, ""},
    {"extensions are not read", request_greedy, AS_IT_IS, 0, ""},
    {"a device id is not judged here", request_bad_id, AS_IT_IS, 0, ""},
    {"a signature of somebody else", request_good, LAST_BYTE_FLIPPED, ERR_MALFORMED, "possession"},
    {"a name changed under the signature", request_good, NAME_CHANGED, ERR_MALFORMED, "possession"},
    {"bytes left over", request_good, ONE_BYTE_MORE, ERR_MALFORMED, "PKCS#10"},
    {"bytes missing", request_good, ONE_BYTE_LESS, ERR_MALFORMED, "PKCS#10"},
    {"RSA", request_rsa, AS_IT_IS, ERR_UNSUPPORTED, "P-256"},
    {"P-384", request_p384, AS_IT_IS, ERR_UNSUPPORTED, "P-256"},
    {"Ed25519", request_ed25519, AS_IT_IS, ERR_UNSUPPORTED, "P-256"},
    {"explicit curve parameters", request_explicit, AS_IT_IS, ERR_UNSUPPORTED, "named curve"},
    {"a compressed point", request_compressed, AS_IT_IS, ERR_UNSUPPORTED, "uncompressed"},
    {"SHA-1", request_sha1, AS_IT_IS, ERR_UNSUPPORTED, "SHA-256"},
    {"no common name", request_no_name, AS_IT_IS, ERR_MALFORMED, "common name"},
    {"two common names", request_two_names, AS_IT_IS, ERR_MALFORMED, "common name"},
    {"nothing", "", AS_IT_IS, ERR_MALFORMED, "PKCS#10"},
};

static void apply(enum change change, struct buffer *der)
{
    switch (change) {
    case AS_IT_IS:
        break;
    case LAST_BYTE_FLIPPED:
        der->at[der->len - 1] ^= 1;
        break;
    case NAME_CHANGED:
        *(uint8_t *)memmem(der->at, der->len, "pump-1", 6) = 'q';
        break;
    case ONE_BYTE_MORE:
        put_u8(der, 0);
        break;
    case ONE_BYTE_LESS:
        der->len--;
        break;
    }
}

static void requests_are_judged(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer der = {.max = CSR_MAX};
        struct csr csr;
        assert_ok(base64_decode(bytes_of_text(rows[i].request), &der));
        apply(rows[i].change, &der);
        err e = csr_read(buffer_view(&der), &csr);
        bool as_expected = rows[i].expected ? err_is(e, rows[i].expected) && strstr(err_text(e), rows[i].text) : !e;
        if (!as_expected)
            fail_msg("%s: %s", rows[i].what, err_text(e));
    }
}

static void the_bound_holds(void **state)
{
    static const uint8_t zeroes[CSR_MAX + 1];
    struct csr csr;
    assert_kind(csr_read(bytes_of(zeroes, sizeof zeroes), &csr), ERR_TOO_LARGE);
}

static void made_requests_are_read(void **state)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    SCOPED(buffer_drop) struct buffer der = {.max = CSR_MAX};
    SCOPED(buffer_drop) struct buffer public_key = {.max = KEY_PUBLIC_MAX};
    struct csr csr;
    assert_ok(key_generate(KEY_P256, &key));
    assert_ok(key_put_public(key, &public_key));
    assert_ok(csr_make(key, BYTES("pump-7"), &der));
    assert_ok(csr_read(buffer_view(&der), &csr));
    assert_string_equal(csr.common_name, "pump-7");
    assert_true(bytes_equal(csr_public_key(&csr), buffer_view(&public_key)));
    assert_kind(csr_make(key, BYTES(""), &der), ERR_MALFORMED);
    assert_kind(csr_make(key, BYTES("a\0b"), &der), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_judged),
        cmocka_unit_test(the_bound_holds),
        cmocka_unit_test(made_requests_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
