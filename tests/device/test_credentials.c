/* The identity on disk, what is taken of a server's answer, and when to renew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/credentials.h"

#include "base/memory.h"
#include "core/principal.h"
#include "device/authority.h"
#include "device/tree.h"

#define NOW_US 1769847300000000LL
#define DAY_US AUTHORITY_DAY_US

struct fixture {
    struct tree tree;
    struct authority ours, foreign;
    struct credentials credentials;
};

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    char why[WHY_TEXT];
    tree_open(&f->tree);
    authority_open(&f->ours, NOW_US);
    authority_open(&f->foreign, NOW_US);
    f->credentials.key_pem.max = KEY_PEM_MAX;
    f->credentials.root_pem.max = f->credentials.chain_pem.max = CREDENTIALS_FILE_MAX;
    assert_null(credentials_key(f->tree.root, &f->credentials.key_pem, why));
    assert_null(certificate_put_pem(buffer_view(&f->ours.root), &f->credentials.root_pem));
    assert_null(server_address_read(BYTES("https://fleet.example:8443"), &f->credentials.server));
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    credentials_drop(&f->credentials);
    authority_close(&f->ours);
    authority_close(&f->foreign);
    tree_close(&f->tree);
    mem_drop(f);
    return 0;
}

/* Appends the PEM of a device's certificate that a issued for the key of the credentials. */
static void offer_leaf(struct fixture *f, const struct authority *a, const char *uri, struct buffer *pem)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    SCOPED(buffer_drop) struct buffer der = {0};
    const struct certificate_name name = {CERTIFICATE_NAME_URI, bytes_of_text(uri)};
    assert_null(key_read_pem(buffer_view(&f->credentials.key_pem), (struct bytes){NULL, 0}, &key));
    authority_issue(a, &(struct authority_order){CERTIFICATE_CLIENT, key, uri ? &name : NULL}, &der);
    assert_null(certificate_put_pem(buffer_view(&der), pem));
}

static void offer(const struct buffer *der, struct buffer *pem)
{
    assert_null(certificate_put_pem(buffer_view(der), pem));
}

static void takes_what_fits(void **state)
{
    struct fixture *f = *state;
    SCOPED(buffer_drop) struct buffer pem = {.max = CREDENTIALS_FILE_MAX};
    char why[WHY_TEXT];
    offer(&f->ours.root, &pem);
    offer(&f->foreign.issuing, &pem);
    offer(&f->ours.issuing, &pem);
    offer_leaf(f, &f->foreign, DEVICE_URI "stranger", &pem);
    offer_leaf(f, &f->ours, NULL, &pem);
    offer_leaf(f, &f->ours, DEVICE_URI "../etc", &pem);
    offer_leaf(f, &f->ours, DEVICE_URI "pump-7", &pem);
    if (credentials_take(&f->credentials, buffer_view(&pem), NOW_US + 1000000, why))
        fail_msg("%s", why);
    assert_string_equal(f->credentials.id, "pump-7");
    assert_int_equal(f->credentials.facts.not_after_us, NOW_US + DAY_US);

    struct bytes chain = buffer_view(&f->credentials.chain_pem);
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX}, above = {.max = CERTIFICATE_MAX};
    assert_null(certificate_next_pem(&chain, &der));
    assert_null(certificate_next_pem(&chain, &above));
    assert_true(bytes_equal(buffer_view(&above), buffer_view(&f->ours.issuing)));
    assert_true(err_is(certificate_next_pem(&chain, &der), ERR_ABSENT));
}

static void refuses_what_does_not(void **state)
{
    struct fixture *f = *state;
    char why[WHY_TEXT];
    struct {
        const char *rule;
        const struct authority *from;
        const char *uri;
        const struct buffer *above;
        int64_t now_us;
        enum fault_kind kind;
    } rows[] = {
        {"another root", &f->foreign, DEVICE_URI "a", &f->foreign.issuing, NOW_US, ERR_REFUSED},
        {"the authority above is missing", &f->ours, DEVICE_URI "a", &f->ours.root, NOW_US, ERR_REFUSED},
        {"no device", &f->ours, NULL, &f->ours.issuing, NOW_US, ERR_REFUSED},
        {"another kind of URI", &f->ours, "urn:other:device:a", &f->ours.issuing, NOW_US, ERR_REFUSED},
        {"outlived", &f->ours, DEVICE_URI "a", &f->ours.issuing, NOW_US + 2 * DAY_US, ERR_EXPIRED},
        {"not valid yet", &f->ours, DEVICE_URI "a", &f->ours.issuing, NOW_US - 1000000, ERR_EXPIRED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer pem = {.max = CREDENTIALS_FILE_MAX};
        offer_leaf(f, rows[i].from, rows[i].uri, &pem);
        offer(rows[i].above, &pem);
        err e = credentials_take(&f->credentials, buffer_view(&pem), rows[i].now_us, why);
        if (!err_is(e, rows[i].kind) || f->credentials.chain_pem.len || f->credentials.id[0])
            fail_msg("%s: %s", rows[i].rule, err_text(e));
    }
    assert_true(err_is(credentials_take(&f->credentials, BYTES(""), NOW_US, why), ERR_REFUSED));
    assert_true(err_is(credentials_take(&f->credentials, BYTES("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), NOW_US, why),
                       ERR_MALFORMED));
}

static void refuses_another_key(void **state)
{
    struct fixture *f = *state;
    char why[WHY_TEXT];
    SCOPED(buffer_drop) struct buffer pem = {.max = CREDENTIALS_FILE_MAX};
    offer_leaf(f, &f->ours, DEVICE_URI "a", &pem);
    offer(&f->ours.issuing, &pem);
    tree_remove(&f->tree, "key.pem");
    buffer_clear(&f->credentials.key_pem);
    assert_null(credentials_key(f->tree.root, &f->credentials.key_pem, why));
    assert_true(err_is(credentials_take(&f->credentials, buffer_view(&pem), NOW_US, why), ERR_REFUSED));
}

static void stores_and_loads(void **state)
{
    struct fixture *f = *state;
    SCOPED(buffer_drop) struct buffer pem = {.max = CREDENTIALS_FILE_MAX};
    SCOPED(credentials_drop) struct credentials back = {0};
    char why[WHY_TEXT], path[256];
    struct stat at;
    assert_false(credentials_exist(f->tree.root));
    assert_true(err_is(credentials_load(f->tree.root, &back, why), ERR_ABSENT));
    offer_leaf(f, &f->ours, DEVICE_URI "pump-7", &pem);
    offer(&f->ours.issuing, &pem);
    assert_null(credentials_take(&f->credentials, buffer_view(&pem), NOW_US, why));
    assert_null(credentials_store(f->tree.root, &f->credentials, why));
    assert_true(credentials_exist(f->tree.root));
    if (credentials_load(f->tree.root, &back, why))
        fail_msg("%s", why);
    assert_string_equal(back.id, "pump-7");
    assert_string_equal(back.server.url, "https://fleet.example:8443");
    assert_string_equal(back.facts.serial, f->credentials.facts.serial);
    assert_true(bytes_equal(buffer_view(&back.chain_pem), buffer_view(&f->credentials.chain_pem)));
    tree_path(&f->tree, "key.pem", path);
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 0777, 0600);
}

static void damage_on_disk_is_named(void **state)
{
    struct fixture *f = *state;
    SCOPED(buffer_drop) struct buffer pem = {.max = CREDENTIALS_FILE_MAX};
    char why[WHY_TEXT];
    offer_leaf(f, &f->ours, DEVICE_URI "pump-7", &pem);
    offer(&f->ours.issuing, &pem);
    assert_null(credentials_take(&f->credentials, buffer_view(&pem), NOW_US, why));
    const struct {
        const char *file, *content;
    } rows[] = {
        {"key.pem", ""},
        {"key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
        {"certificate.pem", ""},
        {"certificate.pem", "no certificate"},
        {"server", "http://elsewhere"},
        {"server", ""},
        {"root.pem", NULL},
        {"key.pem", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct credentials back;
        assert_null(credentials_store(f->tree.root, &f->credentials, why));
        if (rows[i].content)
            tree_write(&f->tree, rows[i].file, rows[i].content);
        else
            tree_remove(&f->tree, rows[i].file);
        why[0] = 0;
        if (!credentials_load(f->tree.root, &back, why) || !strstr(why, rows[i].file))
            fail_msg("%s = \"%s\": %s", rows[i].file, rows[i].content, why);
        assert_null(back.key_pem.at);
    }
}

static void a_key_is_made_once(void **state)
{
    struct fixture *f = *state;
    SCOPED(buffer_wipe) struct buffer again = {.max = KEY_PEM_MAX};
    char why[WHY_TEXT];
    assert_null(credentials_key(f->tree.root, &again, why));
    assert_true(bytes_equal(buffer_view(&again), buffer_view(&f->credentials.key_pem)));
}

static void renewal_times(void **state)
{
    const int64_t hour_us = 3600 * 1000000LL;
    const struct {
        const char *rule;
        int64_t before, after;
        uint32_t roll;
        int64_t least, most;
    } rows[] = {
        {"a day, no jitter", NOW_US, NOW_US + 24 * hour_us, 0, NOW_US + 16 * hour_us, NOW_US + 16 * hour_us},
        {"a day, all jitter", NOW_US, NOW_US + 24 * hour_us, UINT32_MAX, NOW_US + 17 * hour_us, NOW_US + 18 * hour_us},
        {"a minute", NOW_US, NOW_US + 60000000, UINT32_MAX / 2, NOW_US + 40000000, NOW_US + 43000000},
        {"no life at all", NOW_US, NOW_US, UINT32_MAX, NOW_US, NOW_US},
        {"times the wrong way round", NOW_US, NOW_US - 1, UINT32_MAX, NOW_US, NOW_US},
        {"two centuries", 0, 200 * 366 * DAY_US, UINT32_MAX, 133 * 365 * DAY_US, 150 * 366 * DAY_US},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t due = renewal_due_us(rows[i].before, rows[i].after, rows[i].roll);
        if (due < rows[i].least || due > rows[i].most)
            fail_msg("%s: %lld", rows[i].rule, (long long)due);
    }
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(takes_what_fits),   WITH_FIXTURE(refuses_what_does_not),
        WITH_FIXTURE(refuses_another_key), WITH_FIXTURE(stores_and_loads),
        WITH_FIXTURE(damage_on_disk_is_named), WITH_FIXTURE(a_key_is_made_once),
        cmocka_unit_test(renewal_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
