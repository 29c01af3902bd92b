/* The mapping of topics between two servers: which messages cross, and under which name they do. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/limits.h"
#include "wire/mqtt.h"
#include "wire/why.h"

enum mapping_direction { MAPPING_OUT = 0, MAPPING_IN, MAPPING_BOTH };
enum mapping_side { MAPPING_LOCAL = 0, MAPPING_REMOTE };

enum { MAPPING_TEXT_MAX = 512, MAPPINGS_MAX = 128 };

/* One rule. `out` subscribes to local_prefix + filter on the local side; what comes there is published on the remote
 * side with remote_prefix in the place of local_prefix. `in` is the same the other way round, `both` is both. Without a
 * filter the prefixes are whole topics, and one becomes the other. The types are those of a settings table. */
struct mapping {
    unsigned direction; /* an enum mapping_direction */
    uint64_t qos;       /* 0 or 1 */
    char filter[MAPPING_TEXT_MAX + 1];
    char local_prefix[MAPPING_TEXT_MAX + 1], remote_prefix[MAPPING_TEXT_MAX + 1];
};

struct mappings {
    const struct mapping *at; /* borrowed */
    size_t count;
};

enum mapping_echo {
    MAPPING_ECHOES = 0, /* MQTT 3.1.1: a server sends back what we publish on a topic that we subscribe to */
    MAPPING_NO_LOCAL,   /* MQTT 5.0, 3.8.3.1 */
};

/* ERR_MALFORMED: a rule is none; *wrong is its place, and why a sentence about it. */
MUST err mappings_check(const struct mappings *m, size_t *wrong, char why[WHY_TEXT]);
/* ERR_REFUSED: what rule *wrong publishes on the remote side would come back by another, or by itself. */
MUST err mappings_check_echo(const struct mappings *m, size_t *wrong, char why[WHY_TEXT]);

/* The filters to subscribe on a side, one per rule that takes messages from there: No Local, Retain As Published,
 * retained messages for a new subscription only. Their texts are appended to `texts`, from which out borrows: no write
 * to it afterwards. ERR_TOO_LARGE: the buffer's bound. */
struct mapping_filters {
    struct mqtt_filter at[MAPPINGS_MAX];
    size_t count;
};
MUST err mappings_filters(const struct mappings *m, enum mapping_side side, struct buffer *texts,
                          struct mapping_filters *out);

/* What becomes of a message that came on a side: the first rule of the list that takes it says so. */
struct crossing_topic {
    char topic[TOPIC_MAX + 1];
    size_t len;
    uint8_t qos;
};
/* ERR_ABSENT: no rule takes it. ERR_TOO_LARGE: the new topic has more than TOPIC_MAX bytes. ERR_MALFORMED: nothing is
 * left of it. */
MUST err mappings_translate(const struct mappings *m, enum mapping_side from, struct bytes topic,
                            struct crossing_topic *out);

bool filters_overlap(struct bytes a, struct bytes b); /* some topic matches both; both are well formed */
