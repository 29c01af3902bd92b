/* The named maxima of what crosses rooms. Reaching one is ERR_FULL or ERR_TOO_LARGE, and a counter. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

enum {
    DEVICE_ID_MAX = 64,      /* bytes; see principal.h for the characters */
    GROUP_MAX = 64,          /* bytes; same characters as a device id */
    OPERATOR_NAME_MAX = 64,  /* bytes; same characters as a device id */
    METRIC_MAX = 128,        /* bytes of UTF-8 */
    UNIT_MAX = 32,           /* bytes of UTF-8 */
    SAMPLE_TEXT_MAX = 1024,  /* bytes of a text value */
    SAMPLES_MAX = 1024,      /* samples in one payload */
    TOPIC_MAX = 1024,        /* bytes of a topic name or filter; MQTT's own bound is 65,535 */
    TOPIC_LEVELS_MAX = 32,   /* levels of a topic name or filter */
    PAYLOAD_MAX = 262144,    /* bytes of one message's payload */
    METRICS_MAX = 4096,      /* different metrics of one device, ever */
    DOCUMENTS_MAX = 256,     /* named documents of one device */
    DETAIL_MAX = 4096,       /* bytes of an event's JSON detail */
    DOCUMENT_MAX = 524288,   /* bytes of one reported document */
    PAGE_MAX = 1000,         /* rows in one page of a listing */
    POINTS_MAX = 10000,      /* points in one answer about a series */
};
