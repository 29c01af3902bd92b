/* A session's part in shared subscriptions (MQTT 5.0, 4.8.2): every loop is told of its members. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a shared subscription"};

struct mqtt_member {
    struct share_member member;
    struct mqtt_asking *asking; /* its answer waits until all loops know the member; NULL: it does not any more */
};

static void joined(struct share_member *self)
{
    struct mqtt_member *m = CONTAINER(self, struct mqtt_member, member);
    struct mqtt_asking *a = m->asking;
    m->asking = NULL;
    if (a)
        mqtt_asked_less(a);
}

struct mqtt_asking *mqtt_leave_share(struct mqtt_watch *w)
{
    struct lobby *lobby = w->session->lobby;
    struct mqtt_member *m = w->member;
    w->member = NULL;
    if (!m)
        return NULL;
    lobby->shares->leave(lobby->shares, &m->member);
    struct mqtt_asking *waits = m->asking;
    mem_drop(m);
    return waits;
}

err mqtt_join_share(struct mqtt_watch *w, struct mqtt_asking *a)
{
    struct lobby *lobby = w->session->lobby;
    struct mqtt_member *m = MEM_NEW(struct mqtt_member);
    if (!m)
        return &no_memory;
    m->member = (struct share_member){.subscription = &w->subscription, .filter = w->routed, .joined = joined};
    m->asking = a;
    if (a)
        mqtt_asked_more(a);
    w->member = m;
    lobby->shares->join(lobby->shares, &m->member);
    return OK;
}

void mqtt_mark_share(struct mqtt_watch *w, unsigned flags)
{
    struct lobby *lobby = w->session->lobby;
    lobby->shares->mark(lobby->shares, &w->member->member, flags);
}
