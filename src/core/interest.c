/* Summaries of filters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/interest.h"

#include "base/table.h"

static bool is_plain(struct bytes level)
{
    return !bytes_is(level, "+") && !bytes_is(level, "#");
}

/* Every loop must find the same counter, so the seed is fixed: whoever finds names that collide makes loops look in
 * vain, and no more. */
static size_t place(struct bytes levels, size_t count)
{
    return table_hash(0, levels) % count;
}

/* "a/b" of "a/b/c"; of "a" all. */
static struct bytes two_levels(struct bytes name, struct bytes first)
{
    struct bytes rest = bytes_from(name, first.len + 1);
    return bytes_first(name, first.len + 1 + bytes_cut(&rest, '/').len);
}

static struct counter *counter_of(struct interest *i, struct bytes filter)
{
    struct bytes rest = filter, first = bytes_cut(&rest, '/');
    if (!is_plain(first))
        return &i->any;
    if (!rest.at || !is_plain(bytes_cut(&rest, '/')))
        return &i->one[place(first, INTEREST_ONE)];
    return &i->two[place(two_levels(filter, first), INTEREST_TWO)];
}

void interest_add(struct interest *i, struct bytes filter)
{
    counter_raise(counter_of(i, filter), 1);
    counter_raise(&i->total, 1);
}

void interest_remove(struct interest *i, struct bytes filter)
{
    counter_lower(counter_of(i, filter), 1);
    counter_lower(&i->total, 1);
}

bool interest_has(const struct interest *i, struct bytes topic)
{
    if (!counter_read(&i->total))
        return false;
    struct bytes rest = topic, first = bytes_cut(&rest, '/');
    if (counter_read(&i->any) || counter_read(&i->one[place(first, INTEREST_ONE)]))
        return true;
    return rest.at && counter_read(&i->two[place(two_levels(topic, first), INTEREST_TWO)]);
}
