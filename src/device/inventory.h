/* The inventory: what this machine is and what is installed on it, as reported documents. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/limits.h"
#include "device/proc.h"
#include "device/site.h"

enum {
    INVENTORY_TEXT = 128,          /* bytes of each text, with its NUL */
    INVENTORY_PACKAGES_MAX = 5000, /* packages that are listed */
    INVENTORY_PAYLOAD_MAX = PAYLOAD_MAX - 2048, /* bytes of a document: a server may take PAYLOAD_MAX for the packet */
};

enum inventory_scope {
    INVENTORY_ALL = 0,
    INVENTORY_WITHOUT_PACKAGES, /* the owner of the machine does not want them told */
};

/* What is not known is "" or 0, and left out of the document. */
struct machine_facts {
    char os_name[INVENTORY_TEXT], os_version[INVENTORY_TEXT], os_id[INVENTORY_TEXT];
    char kernel_release[INVENTORY_TEXT], kernel_machine[INVENTORY_TEXT];
    char vendor[INVENTORY_TEXT], product[INVENTORY_TEXT];
    struct processors processors;
    uint64_t memory; /* bytes */
};

/* Never fails: what cannot be read is not known. */
void machine_facts_read(const struct site *site, struct machine_facts *out);

/* Payloads for devices/{id}/twin/reported, each one JSON object of at most INVENTORY_PAYLOAD_MAX bytes.
 * `packages` stays empty unless the list of packages is too long to stand in the inventory. */
struct inventory {
    struct buffer inventory; /* {"inventory":{"os":...,"packages":[...]}} */
    struct buffer packages;  /* {"packages":{"total":7000,"truncated":true,"list":[...]}} */
};

/* Gives; drop it with inventory_drop. ERR_MEMORY or ERR_TOO_LARGE: no document could be made. */
MUST err inventory_make(const struct site *site, enum inventory_scope scope, struct inventory *out);
void inventory_drop(struct inventory *i); /* for SCOPED(inventory_drop); {0} is fine */
