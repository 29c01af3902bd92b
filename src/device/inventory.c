/* Gathering and writing the inventory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/inventory.h"

#include "base/list.h"
#include "base/text.h"
#include "device/dpkg.h"
#include "device/os_release.h"
#include "os/file.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const struct fault unreadable = {ERR_IO, "inventory: the list of installed packages cannot be read"};
static const struct fault withheld = {ERR_REFUSED, "inventory: the agent's settings withhold the installed packages"};

enum {
    FACTS_MAX = 8192,       /* bytes of the document without packages: ten texts, escaped at worst */
    OS_RELEASE_MAX = 16384, /* as the next: bytes that are looked at */
    CPUINFO_MAX = 1 << 20,
    PIECE = 16384,
};

/* The first of these files that has something to say. */
static void read_first(const struct site *site, const char *const *paths, char out[INVENTORY_TEXT])
{
    for (out[0] = 0; *paths && !out[0]; paths++)
        if (site_read_text(site, *paths, out, INVENTORY_TEXT))
            out[0] = 0;
}

static void read_os(const struct site *site, struct machine_facts *out)
{
    SCOPED(buffer_drop) struct buffer text = {.max = OS_RELEASE_MAX};
    if (site_read(site, "etc/os-release", &text))
        IGNORE(site_read(site, "usr/lib/os-release", &text));
    struct bytes view = buffer_view(&text);
    IGNORE(os_release_value(view, "NAME", out->os_name, INVENTORY_TEXT));
    IGNORE(os_release_value(view, "ID", out->os_id, INVENTORY_TEXT));
    /* Rolling releases have no VERSION. */
    if (os_release_value(view, "VERSION", out->os_version, INVENTORY_TEXT))
        IGNORE(os_release_value(view, "VERSION_ID", out->os_version, INVENTORY_TEXT));
}

static void read_hardware(const struct site *site, struct machine_facts *out)
{
    static const char *const vendors[] = {"sys/class/dmi/id/sys_vendor", NULL};
    static const char *const products[] = {"sys/class/dmi/id/product_name", "sys/firmware/devicetree/base/model",
                                           "proc/device-tree/model", NULL};
    SCOPED(buffer_drop) struct buffer text = {.max = CPUINFO_MAX};
    struct memory_sizes memory = {0, 0};
    read_first(site, vendors, out->vendor);
    read_first(site, products, out->product);
    IGNORE(site_read(site, "proc/cpuinfo", &text));
    proc_read_cpuinfo(buffer_view(&text), &out->processors);
    buffer_clear(&text);
    if (!site_read(site, "proc/meminfo", &text))
        IGNORE(proc_read_meminfo(buffer_view(&text), &memory));
    out->memory = memory.total;
}

void machine_facts_read(const struct site *site, struct machine_facts *out)
{
    struct utsname kernel;
    *out = (struct machine_facts){.memory = 0};
    read_os(site, out);
    read_hardware(site, out);
    if (uname(&kernel))
        return;
    IGNORE(text_copy(bytes_of_text(kernel.release), out->kernel_release, INVENTORY_TEXT));
    IGNORE(text_copy(bytes_of_text(kernel.machine), out->kernel_machine, INVENTORY_TEXT));
}

/* The packages as members of a JSON array, as many as fit. */
struct package_list {
    struct dpkg_reader reader;
    struct buffer items; /* {"name":...},{"name":...} */
    uint64_t listed, total;
    bool known;       /* this machine has a list, and all of it was read */
    const char *note; /* why there is none, where that is not plain; NULL */
};

/* A package with every byte escaped, and its frame. */
enum { ITEM_MAX = 2 * 6 * DPKG_FIELD_MAX + 64 };

static void list_package(struct dpkg_reader *self, const struct dpkg_package *package)
{
    struct package_list *list = CONTAINER(self, struct package_list, reader);
    list->total++;
    if (list->listed == INVENTORY_PACKAGES_MAX || list->items.max - list->items.len < ITEM_MAX)
        return;
    put_text(&list->items, list->listed ? ",{\"name\":" : "{\"name\":");
    put_json_text(&list->items, bytes_of_text(package->name));
    put_text(&list->items, ",\"version\":");
    put_json_text(&list->items, bytes_of_text(package->version));
    put_u8(&list->items, '}');
    list->listed++;
}

static err read_packages(const struct site *site, struct package_list *list)
{
    SCOPED(fd_close) int fd = -1;
    uint8_t piece[PIECE];
    err e = site_open(site, "var/lib/dpkg/status", &fd);
    if (err_is(e, ERR_ABSENT))
        return OK;
    TRY(e);
    for (;;) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return &unreadable;
        if (got == 0)
            break;
        dpkg_feed(&list->reader, bytes_of(piece, (size_t)got));
    }
    dpkg_finish(&list->reader);
    list->total += list->reader.unreadable;
    list->known = true;
    return buffer_finish(&list->items);
}

/* One object of texts and numbers, of which only those that are known are written. */
struct member {
    const char *name;
    const char *text; /* NULL: the number counts */
    uint64_t number;
};

static void put_members(struct buffer *b, const char *name, const struct member *members, size_t count)
{
    const char *before = "";
    put_format(b, "\"%s\":{", name);
    for (size_t i = 0; i < count; i++) {
        const struct member *m = &members[i];
        if (m->text ? !m->text[0] : !m->number)
            continue;
        put_format(b, "%s\"%s\":", before, m->name);
        if (m->text)
            put_json_text(b, bytes_of_text(m->text));
        else
            put_format(b, "%llu", (unsigned long long)m->number);
        before = ",";
    }
    put_text(b, "}");
}

#define PUT_MEMBERS(b, name, members) put_members(b, name, members, sizeof(members) / sizeof *(members))

static void put_facts(struct buffer *b, const struct machine_facts *f)
{
    const struct member os[] = {{"name", f->os_name, 0}, {"version", f->os_version, 0}, {"id", f->os_id, 0}};
    const struct member kernel[] = {{"release", f->kernel_release, 0}, {"machine", f->kernel_machine, 0}};
    const struct member hardware[] = {{"vendor", f->vendor, 0},
                                      {"product", f->product, 0},
                                      {"cpu", f->processors.model, 0},
                                      {"cores", NULL, f->processors.cores},
                                      {"memory", NULL, f->memory}};
    const struct member key[] = {{"kind", "file", 0}, {"note", "software key", 0}};
    PUT_MEMBERS(b, "os", os);
    put_text(b, ",");
    PUT_MEMBERS(b, "kernel", kernel);
    put_text(b, ",");
    PUT_MEMBERS(b, "hardware", hardware);
    put_text(b, ",");
    PUT_MEMBERS(b, "key", key);
}

/* Packages stand in the inventory when all of them fit; otherwise in a document of their own that says what is missing.
 */
static err put_documents(const struct machine_facts *facts, const struct package_list *list, struct inventory *out)
{
    struct bytes items = buffer_view(&list->items);
    bool whole = list->listed == list->total && items.len <= INVENTORY_PAYLOAD_MAX - FACTS_MAX;
    put_text(&out->inventory, "{\"inventory\":{");
    put_facts(&out->inventory, facts);
    if (list->known && whole) {
        put_text(&out->inventory, ",\"packages\":[");
        put_bytes(&out->inventory, items);
        put_text(&out->inventory, "]");
    } else if (list->known) {
        put_format(&out->packages, "{\"packages\":{\"total\":%llu,\"truncated\":%s,\"list\":[",
                   (unsigned long long)list->total, list->listed == list->total ? "false" : "true");
        put_bytes(&out->packages, items);
        put_text(&out->packages, "]}}");
    }
    if (list->note) {
        put_text(&out->inventory, ",\"packages_note\":");
        put_json_text(&out->inventory, bytes_of_text(list->note));
    }
    put_text(&out->inventory, "}}");
    TRY(buffer_finish(&out->packages));
    return buffer_finish(&out->inventory);
}

err inventory_make(const struct site *site, enum inventory_scope scope, struct inventory *out)
{
    struct machine_facts facts;
    struct package_list list = {.reader = {.found = list_package}, .items = {.max = INVENTORY_PAYLOAD_MAX - 256}};
    *out = (struct inventory){.inventory = {.max = INVENTORY_PAYLOAD_MAX}, .packages = {.max = INVENTORY_PAYLOAD_MAX}};
    machine_facts_read(site, &facts);
    err unread = scope == INVENTORY_ALL ? read_packages(site, &list) : &withheld;
    list.note = unread ? unread->text : NULL;
    err e = put_documents(&facts, &list, out);
    buffer_drop(&list.items);
    if (e)
        inventory_drop(out);
    return e;
}

void inventory_drop(struct inventory *i)
{
    buffer_drop(&i->inventory);
    buffer_drop(&i->packages);
}
