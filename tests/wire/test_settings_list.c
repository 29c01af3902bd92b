/* A list of maps in a settings file: what it fills, what surrounds it, and what it may not hold. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 3 };

struct outer {
    uint16_t port;
    char words[32];
};

struct entry {
    unsigned way;
    char name[9];
    char tags[32];
    uint64_t level;
};

static const struct setting outer_rows[] = {
    {"door.port", SETTING_PORT, offsetof(struct outer, port), 1, 65535, "1", "", SETTING_RELOAD, "A port."},
    {"words", SETTING_LIST, offsetof(struct outer, words), 0, 31, "", "", SETTING_RELOAD, "Words."},
};
static const struct setting entry_rows[] = {
    {"way", SETTING_CHOICE, offsetof(struct entry, way), 0, 0, "up", "up down", SETTING_RELOAD, "A way."},
    {"name", SETTING_TEXT, offsetof(struct entry, name), 0, 8, "none", "", SETTING_RELOAD, "A name."},
    {"tags", SETTING_LIST, offsetof(struct entry, tags), 0, 31, "", "", SETTING_RELOAD, "Tags."},
    {"deep.level", SETTING_COUNT, offsetof(struct entry, level), 0, 9, "5", "", SETTING_RELOAD, "A level."},
};
static const struct settings_table outer_table = SETTINGS_TABLE(outer_rows, struct outer);
static const struct settings_table entry_table = SETTINGS_TABLE(entry_rows, struct entry);

struct reading {
    struct outer outer;
    struct entry entries[ENTRIES];
    size_t lines[ENTRIES];
    struct settings_list list;
    char why[WHY_TEXT];
};

static err read_text(struct reading *r, const char *text)
{
    *r = (struct reading){.outer = {.port = 7}};
    r->list = (struct settings_list){"ways", &entry_table, r->entries, r->lines, ENTRIES, 99};
    return settings_read_yaml_list(&outer_table, &r->list, bytes_of_text(text), "f", &r->outer, r->why);
}

static void entries_have_their_defaults_and_places(void **state)
{
    struct reading r;
    assert_null(read_text(&r, "words: [a, b]\n"
                              "ways:\n"
                              "  - way: down\n"
                              "    name: first\n"
                              "  # between\n"
                              "  - {}\n"
                              "  - tags: [x, y]\n"
                              "    deep: {level: 9}\n"
                              "door:\n"
                              "  port: 80\n"));
    assert_int_equal(r.list.count, 3);
    assert_int_equal(r.outer.port, 80);
    assert_string_equal(r.outer.words, "a b");
    const struct entry *e = r.entries;
    assert_true(e[0].way == 1 && !strcmp(e[0].name, "first") && !e[0].tags[0] && e[0].level == 5);
    assert_true(e[1].way == 0 && !strcmp(e[1].name, "none") && e[1].level == 5);
    assert_true(e[2].way == 0 && !strcmp(e[2].tags, "x y") && e[2].level == 9);
    assert_true(r.lines[0] == 3 && r.lines[1] == 6 && r.lines[2] == 7);
}

static void a_file_without_it(void **state)
{
    struct reading r;
    assert_null(read_text(&r, ""));
    assert_int_equal(r.list.count, 0);
    assert_null(read_text(&r, "ways: []\nwords: a\n"));
    assert_int_equal(r.list.count, 0);
    assert_string_equal(r.outer.words, "a");
}

static const struct {
    const char *rule, *text, *expected;
} wrongs[] = {
    {"too many", "ways: [{}, {}, {}, {}]\n", "f:1: ways: the list has too many entries"},
    {"a text", "ways: up\n", "f:1: ways: a list of maps is expected, not a value"},
    {"a map", "ways: {way: up}\n", "f:1: ways: a list of maps is expected, not a map"},
    {"an entry that is a text", "ways:\n- up\n", "f:2: ways: an entry of the list must be a map"},
    {"an entry that is a list", "ways:\n- [up]\n", "f:2: ways: a list is not allowed here"},
    {"a list in a list", "ways:\n- name: [a]\n", "f:2: ways.name: one value is expected, not a list"},
    {"the list's name inside itself", "ways:\n- ways: [{}]\n", "f:2: ways.ways: there is no such setting"},
    {"an outer name inside", "ways:\n- words: a\n", "f:2: ways.words: there is no such setting"},
    {"an entry's name outside", "name: a\n", "f:1: name: there is no such setting"},
    {"twice", "ways: []\nways: []\n", "f:2: ways: is set twice"},
    {"a name twice in one entry", "ways:\n- {way: up,\n   way: up}\n", "f:3: ways.way: is set twice"},
    {"a wrong value", "ways:\n- name: a\n  way: left\n", "f:3: way: \"left\" is not"},
    {"an outer name twice around it", "words: a\nways: [{}]\nwords: b\n", "f:3: words: is set twice"},
    {"cut off", "ways:\n- {way: up\n", "f:3: "},
};

static void what_is_wrong_is_named(void **state)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct reading r;
        err e = read_text(&r, wrongs[i].text);
        if (!e || !strstr(r.why, wrongs[i].expected))
            fail_msg("%s: %s", wrongs[i].rule, r.why);
        assert_int_equal(r.outer.port, 7);
    }
}

static void the_same_name_in_two_entries(void **state)
{
    struct reading r;
    assert_null(read_text(&r, "ways: [{name: a}, {name: b}]\n"));
    assert_string_equal(r.entries[1].name, "b");
}

static void the_reference(void **state)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 4096};
    const struct settings_list list = {.name = "ways", .table = &entry_table};
    settings_put_list_reference(&list, &out);
    assert_non_null(strstr(buffer_text(&out), "## Each entry of `ways`"));
    assert_non_null(strstr(buffer_text(&out), "| `name` | `none` | a text of 0 to 8 bytes | A name. |"));
    assert_null(strstr(buffer_text(&out), "HOLDFAST_"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_have_their_defaults_and_places),
        cmocka_unit_test(a_file_without_it),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(the_same_name_in_two_entries),
        cmocka_unit_test(the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
