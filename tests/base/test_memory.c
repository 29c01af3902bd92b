/* Memory: zeroed, checked, able to fail on demand; secrets that are wiped; lists. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void sizes_are_checked(void **state)
{
    uint8_t *zeroed = mem_take(100, 3);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(zeroed[i], 0);
    /* A size that the compiler cannot see, or it would refuse it itself. */
    volatile size_t much = SIZE_MAX / 2;
    assert_null(mem_take(much, 3));
    assert_null(mem_grow(zeroed, much, 3)); /* and what was there is still ours */
    zeroed[299] = 1;
    mem_drop(zeroed);
    void *empty = mem_take(0, 0);
    assert_non_null(empty);
    mem_drop(empty);
    mem_drop(NULL);
}

static void the_allocation_that_was_asked_for_fails_once(void **state)
{
    mem_trial(2);
    void *first = mem_take(1, 1), *second = mem_take(1, 1), *third = mem_grow(NULL, 1, 1);
    assert_int_equal(mem_trial(0), 3);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    mem_drop(first);
    mem_drop(third);
    mem_trial(1);
    assert_null(mem_grow(NULL, 1, 1));
    assert_int_equal(mem_trial(0), 1);
}

static void texts(void **state)
{
    char *copy = mem_text(BYTES("abc"));
    assert_string_equal(copy, "abc");
    mem_drop(copy);
    copy = mem_text(bytes_of(NULL, 0));
    assert_string_equal(copy, "");
    mem_drop(copy);
    assert_null(mem_text(BYTES("a\0b")));
    mem_trial(1);
    assert_null(mem_text(BYTES("abc")));
    mem_trial(0);
}

static void secrets(void **state)
{
    static const uint8_t zeroes[SECRET_MAX], many[SECRET_MAX + 1] = {1};
    struct secret s = {.len = 0};
    assert_null(secret_set(&s, BYTES("correct horse")));
    assert_true(bytes_is(secret_view(&s), "correct horse"));
    assert_null(secret_set(&s, BYTES("battery")));
    assert_true(bytes_is(secret_view(&s), "battery"));
    assert_memory_equal(s.at + 7, zeroes, SECRET_MAX - 7); /* nothing of the longer one is left */
    assert_null(secret_set(&s, bytes_of(many, SECRET_MAX)));
    assert_true(err_is(secret_set(&s, bytes_of(many, SECRET_MAX + 1)), ERR_TOO_LARGE));
    assert_int_equal(secret_view(&s).len, 0);
    assert_null(secret_set(&s, BYTES("staple")));
    secret_wipe(&s);
    assert_int_equal(s.len, 0);
    assert_memory_equal(s.at, zeroes, SECRET_MAX);
    mem_wipe(NULL, 0);
}

struct link {
    struct list place;
    int number;
};

static void rings(void **state)
{
    struct list head;
    struct link links[4];
    int sum = 0;
    list_open(&head);
    assert_true(list_empty(&head));
    assert_null(list_take(&head));
    for (int i = 0; i < 4; i++) {
        links[i].number = i;
        list_append(&head, &links[i].place);
    }
    list_each(at, &head)
    {
        struct link *l = CONTAINER(at, struct link, place);
        if (l->number % 2)
            list_remove(at);
        sum = sum * 10 + l->number;
    }
    assert_int_equal(sum, 123);
    list_remove(&links[1].place); /* a second time does no harm */
    assert_ptr_equal(list_take(&head), &links[0].place);
    assert_ptr_equal(list_take(&head), &links[2].place);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_checked), cmocka_unit_test(the_allocation_that_was_asked_for_fails_once),
        cmocka_unit_test(texts),             cmocka_unit_test(secrets),
        cmocka_unit_test(rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
