/* The inventory of a machine that is a tree of files: valid JSON, complete or saying what is missing. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/inventory.h"

#include "device/tree.h"

#include <jansson.h>

static json_t *parse(const struct buffer *document)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)document->at, document->len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("%s at %d", error.text, error.position);
    return root;
}

static const char *text_at(json_t *root, const char *object, const char *member)
{
    return json_string_value(json_object_get(json_object_get(json_object_get(root, "inventory"), object), member));
}

static int open_tree(void **state)
{
    static struct tree tree;
    tree_open(&tree);
    *state = &tree;
    return 0;
}

static int close_tree(void **state)
{
    tree_close(*state);
    return 0;
}

static void a_debian_machine(void **state)
{
    const struct tree *t = *state;
    const struct site site = {t->root, t->root};
    SCOPED(inventory_drop) struct inventory got = {0};
    tree_write(t, "etc/os-release", "NAME=\"Debian GNU/Linux\"\nVERSION=\"12 (bookworm)\"\nID=debian\n");
    tree_write(t, "sys/class/dmi/id/sys_vendor", "LENOVO\n");
    tree_write(t, "sys/class/dmi/id/product_name", "20QD \"T\\490\"\n");
    tree_write(t, "proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\n");
    tree_write(t, "proc/meminfo", "MemTotal: 8 kB\nMemAvailable: 4 kB\n");
    tree_write(t, "var/lib/dpkg/status", "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2\n");
    assert_null(inventory_make(&site, INVENTORY_ALL, &got));
    json_t *root = parse(&got.inventory);
    assert_string_equal(text_at(root, "os", "name"), "Debian GNU/Linux");
    assert_string_equal(text_at(root, "os", "version"), "12 (bookworm)");
    assert_string_equal(text_at(root, "hardware", "vendor"), "LENOVO");
    assert_string_equal(text_at(root, "hardware", "product"), "20QD \"T\\490\"");
    assert_string_equal(text_at(root, "hardware", "cpu"), "AMD EPYC");
    assert_string_equal(text_at(root, "key", "kind"), "file");
    assert_non_null(text_at(root, "kernel", "release"));
    json_t *packages = json_object_get(json_object_get(root, "inventory"), "packages");
    assert_int_equal(json_array_size(packages), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(packages, 0), "version")), "1:1.2");
    assert_int_equal(got.packages.len, 0);
    json_decref(root);
}

static void an_empty_machine(void **state)
{
    const struct tree *t = *state;
    const struct site site = {t->root, t->root};
    SCOPED(inventory_drop) struct inventory got = {0};
    assert_null(inventory_make(&site, INVENTORY_ALL, &got));
    json_t *root = parse(&got.inventory);
    assert_int_equal(json_object_size(json_object_get(json_object_get(root, "inventory"), "os")), 0);
    assert_null(json_object_get(json_object_get(root, "inventory"), "packages"));
    json_decref(root);
}

static void a_device_tree_board(void **state)
{
    const struct tree *t = *state;
    const struct site site = {t->root, t->root};
    struct machine_facts facts;
    tree_write(t, "usr/lib/os-release", "NAME=Alpine\nVERSION_ID=3.20\n");
    tree_write_bytes(t, "proc/device-tree/model", "Raspberry Pi 4 Model B\0", 23);
    machine_facts_read(&site, &facts);
    assert_string_equal(facts.product, "Raspberry Pi 4 Model B");
    assert_string_equal(facts.os_version, "3.20");
}

static void hostile_files_still_make_json(void **state)
{
    const struct tree *t = *state;
    const struct site site = {t->root, t->root};
    SCOPED(inventory_drop) struct inventory got = {0};
    tree_write(t, "etc/os-release", "NAME=\"\xff\xfe\"\nID='\"},{'\n");
    tree_write(t, "sys/class/dmi/id/sys_vendor", "\"\\\x01\x7f\xc3");
    tree_write(t, "proc/cpuinfo", "model name: \"\\\n");
    tree_write(t, "var/lib/dpkg/status", "Package: \"}\x01\xff\nStatus: install ok installed\nVersion: \\\n");
    assert_null(inventory_make(&site, INVENTORY_ALL, &got));
    json_t *root = parse(&got.inventory);
    assert_string_equal(text_at(root, "os", "id"), "\"},{");
    json_decref(root);
}

static void too_many_packages(void **state)
{
    const struct tree *t = *state;
    const struct site site = {t->root, t->root};
    SCOPED(inventory_drop) struct inventory got = {0};
    SCOPED(buffer_drop) struct buffer status = {.max = 4 << 20};
    for (int i = 0; i < 7000; i++)
        put_format(&status, "Package: a-package-with-a-name-%d\nStatus: install ok installed\nVersion: 1.%d\n\n", i, i);
    tree_write_bytes(t, "var/lib/dpkg/status", status.at, status.len);
    assert_null(inventory_make(&site, INVENTORY_ALL, &got));
    assert_true(got.inventory.len <= INVENTORY_PAYLOAD_MAX && got.packages.len <= INVENTORY_PAYLOAD_MAX);
    json_t *root = parse(&got.inventory), *more = parse(&got.packages);
    json_t *packages = json_object_get(more, "packages");
    assert_null(json_object_get(json_object_get(root, "inventory"), "packages"));
    assert_int_equal(json_integer_value(json_object_get(packages, "total")), 7000);
    assert_true(json_is_true(json_object_get(packages, "truncated")));
    assert_in_range(json_array_size(json_object_get(packages, "list")), 3000, INVENTORY_PACKAGES_MAX);
    json_decref(root);
    json_decref(more);
}

static void withheld_packages_are_said_to_be(void **state)
{
    const struct tree *t = *state;
    const struct site site = {t->root, t->root};
    SCOPED(inventory_drop) struct inventory got = {0};
    tree_write(t, "var/lib/dpkg/status", "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2\n");
    assert_null(inventory_make(&site, INVENTORY_WITHOUT_PACKAGES, &got));
    json_t *root = parse(&got.inventory);
    json_t *inventory = json_object_get(root, "inventory");
    assert_null(json_object_get(inventory, "packages"));
    assert_non_null(json_string_value(json_object_get(inventory, "packages_note")));
    json_decref(root);
}

#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, open_tree, close_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TREE(a_debian_machine),
        WITH_TREE(an_empty_machine),
        WITH_TREE(a_device_tree_board),
        WITH_TREE(hostile_files_still_make_json),
        WITH_TREE(too_many_packages),
        WITH_TREE(withheld_packages_are_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
