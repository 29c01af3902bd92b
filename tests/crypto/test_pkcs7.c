/* Certs-only PKCS#7: out and in again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pkcs7.h"

#include "crypto/authority.h"
#include "crypto/fixture.h"

static void round_trip(void **state)
{
    struct test_authority a;
    test_authority_open(&a);
    const struct bytes both[] = {buffer_view(&a.issuing), buffer_view(&a.root)};
    SCOPED(buffer_drop) struct buffer p7 = {.max = PKCS7_MAX};
    SCOPED(buffer_drop) struct buffer pem = {.max = PKCS7_MAX};
    assert_ok(pkcs7_put_certificates(both, 2, &p7));
    assert_ok(pkcs7_put_pem(buffer_view(&p7), &pem));
    struct bytes rest = buffer_view(&pem);
    for (size_t i = 0; i < 2; i++) {
        SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
        assert_ok(certificate_next_pem(&rest, &der));
        assert_true(bytes_equal(buffer_view(&der), both[i]));
    }
    SCOPED(buffer_drop) struct buffer none = {.max = CERTIFICATE_MAX};
    assert_kind(certificate_next_pem(&rest, &none), ERR_ABSENT);
    test_authority_close(&a);
}

static void bad_input(void **state)
{
    struct test_authority a;
    test_authority_open(&a);
    const struct bytes root = buffer_view(&a.root);
    SCOPED(buffer_drop) struct buffer p7 = {.max = PKCS7_MAX};
    SCOPED(buffer_drop) struct buffer pem = {.max = PKCS7_MAX};
    assert_kind(pkcs7_put_certificates(&root, 0, &p7), ERR_MALFORMED);
    assert_kind(pkcs7_put_certificates(&root, CERTIFICATE_CHAIN_MAX + 1, &p7), ERR_MALFORMED);
    assert_kind(pkcs7_put_pem(root, &pem), ERR_MALFORMED); /* a certificate is none */
    assert_ok(pkcs7_put_certificates(&root, 1, &p7));
    for (size_t len = 0; len < p7.len; len++)
        assert_kind(pkcs7_put_pem(bytes_first(buffer_view(&p7), len), &pem), ERR_MALFORMED);
    put_u8(&p7, 0);
    assert_kind(pkcs7_put_pem(buffer_view(&p7), &pem), ERR_MALFORMED);
    test_authority_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
