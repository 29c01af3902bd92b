/* fuzz: wire */
/* SPDX-License-Identifier: Apache-2.0 */
/* Settings files: what is taken keeps every bound, what is refused changes nothing and says where and why. */
#include "../wire/settings_sample.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(int claim)
{
    if (!claim)
        abort();
}

static void check_bounds(const struct sample_settings *s)
{
    hold(memchr(s->data, 0, sizeof s->data) && memchr(s->name, 0, sizeof s->name));
    hold(memchr(s->address, 0, sizeof s->address) && memchr(s->names, 0, sizeof s->names));
    hold(s->port >= 1);
    hold(s->connections >= 1 && s->connections <= 1000000);
    hold(s->keep_alive >= 10 && s->keep_alive <= 86400);
    hold(s->body >= 1024 && s->body <= 1073741824);
    hold(s->level < 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample_settings s, before;
    char why[WHY_TEXT] = "";
    memset(&s, 0, sizeof s);
    hold(settings_defaults(&sample_table, &s, why) == OK);
    memcpy(&before, &s, sizeof s);
    if (settings_read_yaml(&sample_table, bytes_of(data, size), "file", &s, why)) {
        hold(strncmp(why, "file:", 5) == 0 && utf8_valid(bytes_of_text(why)));
        hold(memcmp(&before, &s, sizeof s) == 0);
    }
    check_bounds(&s);
    return 0;
}
