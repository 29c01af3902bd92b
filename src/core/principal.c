/* Principals and the one rule for ids. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/principal.h"

#include <string.h>

static const struct fault bad_id = {ERR_MALFORMED,
                                    "id: 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit"};

static bool letter_or_digit(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool id_is_valid(struct bytes id)
{
    if (!id.len || id.len > DEVICE_ID_MAX || !letter_or_digit(id.at[0]))
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!letter_or_digit(id.at[i]) && id.at[i] != '.' && id.at[i] != '_' && id.at[i] != '-')
            return false;
    return true;
}

err principal_set(struct principal *p, enum principal_kind kind, struct bytes id)
{
    *p = (struct principal){PRINCIPAL_NOBODY, ""};
    if (!id_is_valid(id))
        return &bad_id;
    p->kind = kind;
    memcpy(p->id, id.at, id.len);
    return OK;
}

bool principal_may_hear(const struct principal *p, struct bytes topic)
{
    return p->kind != PRINCIPAL_ANONYMOUS || !bytes_starts(topic, "devices/");
}
