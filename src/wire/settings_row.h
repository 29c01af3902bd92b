/* One row of a settings table: text to value, value to words. For the other settings files of this room. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/settings.h"

const struct setting *settings_find(const struct settings_table *table, struct bytes name); /* NULL: no such */
uint8_t *settings_copy(const struct settings_table *table, const void *from);               /* gives; NULL: no memory */
void settings_copy_drop(uint8_t **copy);

/* Writes the value into the struct, or leaves it as it was and says which setting is wrong and what it allows. */
MUST err setting_set(const struct setting *row, struct bytes text, void *into, char why[WHY_TEXT]);
bool setting_differs(const struct setting *row, const void *a, const void *b);
void setting_put_allowed(const struct setting *row, struct buffer *out); /* "a number from 1 to 65535" */
