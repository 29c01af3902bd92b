/* MQTT 3.1.1 and 5.0 control packets: bytes <-> structs of views, all of them, in both directions. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "wire/mqtt_property.h"

/* Reading: mqtt_frame cuts one packet off the bytes that came, mqtt_decode makes a struct of it. Both are pure and
 * strict: what the standard forbids is a fault whose text names it and its clause, and mqtt_reason_for gives the reason
 * code to answer with. Every view in a decoded packet borrows from the input.
 *
 * What is left to the caller, because it needs more than one packet or another answer: that CONNECT comes first and
 * once, whether a filter is well formed (core/topic.h), an empty client identifier with clean session 0 in MQTT 3.1.1
 * (3.1.3.1: answer 0x85), topic aliases over the maximum, receive maximum, packet identifiers in use. */

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
    MQTT_AUTH,
};

enum mqtt_version { MQTT_3_1_1 = 4, MQTT_5 = 5 };

enum {
    MQTT_REMAINING_MAX = 268435455, /* 2.1.4: what four length bytes can say */
    MQTT_TEXT_MAX = 65535,          /* 1.5.4: what two length bytes can say */
};

/* The reason codes of MQTT 5.0 (2.4) under their names there: MQTT_NOT_AUTHORIZED is 0x87. They are used for 3.1.1 as
 * well; its CONNACK return codes and SUBACK failures are translated. */
enum mqtt_reason {
#define REASON(value, name, text, packets, by) MQTT_##name = (value),
#include "wire/mqtt_reason.def"
    MQTT_GRANTED_QOS_0 = MQTT_SUCCESS,
    MQTT_NORMAL_DISCONNECTION = MQTT_SUCCESS,
};

/* Who made the packet. Some packets, properties and reasons are one side's only. */
enum mqtt_sender { MQTT_FROM_CLIENT = 0, MQTT_FROM_SERVER };

struct mqtt_dialect {
    enum mqtt_version version; /* ignored for CONNECT, which brings its own */
    enum mqtt_sender sender;
};

struct mqtt_will {
    struct mqtt_properties properties;
    struct bytes topic;
    struct bytes payload;
    uint8_t qos;
    bool retain;
};

struct mqtt_connect {
    enum mqtt_version version;
    struct mqtt_properties properties;
    struct bytes client_id; /* may be empty */
    uint16_t keep_alive;    /* seconds; 0: none */
    bool clean_start;       /* 3.1.1 calls it clean session */
    bool has_will;
    bool has_username;
    bool has_password;
    struct mqtt_will will;
    struct bytes username;
    struct bytes password; /* secret: not for logs */
};

struct mqtt_connack {
    struct mqtt_properties properties;
    enum mqtt_reason reason;
    bool session_present;
};

struct mqtt_publish {
    struct mqtt_properties properties;
    struct bytes topic; /* no wildcards; empty only with a topic alias */
    struct bytes payload;
    uint16_t packet_id; /* 0 for QoS 0, else not 0 */
    uint8_t qos;
    bool retain;
    bool dup;
};

/* PUBACK, PUBREC, PUBREL, PUBCOMP. 3.1.1 carries no reason: it is lost when encoding and MQTT_SUCCESS after decoding.
 */
struct mqtt_ack {
    struct mqtt_properties properties;
    enum mqtt_reason reason;
    uint16_t packet_id;
};

/* One entry of a SUBSCRIBE. Of the last three 3.1.1 knows none. */
struct mqtt_filter {
    struct bytes filter; /* not empty; its wildcards are not checked here */
    uint8_t qos;
    bool no_local;
    bool retain_as_published;
    uint8_t retain_handling; /* 0 to 2 */
};

/* SUBSCRIBE and UNSUBSCRIBE. The filters stay encoded; read them with mqtt_next_filter, which cannot fail on what
 * mqtt_decode has checked; make them with mqtt_put_filter. */
struct mqtt_subscribe {
    struct mqtt_properties properties;
    struct bytes filters;
    size_t count; /* of filters, at least 1; not looked at when encoding */
    uint16_t packet_id;
};

/* SUBACK and UNSUBACK: one reason code per filter, in order. UNSUBACK of 3.1.1 has none. Encoding a 3.1.1 SUBACK
 * turns every refusal into 0x80. */
struct mqtt_suback {
    struct mqtt_properties properties;
    struct bytes reasons;
    uint16_t packet_id;
};

/* DISCONNECT and AUTH. */
struct mqtt_ending {
    struct mqtt_properties properties;
    enum mqtt_reason reason;
};

struct mqtt_packet {
    enum mqtt_type type;
    union {
        struct mqtt_connect connect;
        struct mqtt_connack connack;
        struct mqtt_publish publish;
        struct mqtt_ack ack;             /* PUBACK, PUBREC, PUBREL, PUBCOMP */
        struct mqtt_subscribe subscribe; /* SUBSCRIBE, UNSUBSCRIBE */
        struct mqtt_suback suback;       /* SUBACK, UNSUBACK */
        struct mqtt_ending ending;       /* DISCONNECT, AUTH */
    } as;                                /* PINGREQ and PINGRESP have nothing in them */
};

/* One packet as it lies in the input. */
struct mqtt_frame {
    enum mqtt_type type;
    uint8_t flags;     /* the low four bits of the first byte */
    uint8_t head;      /* bytes before the body: 2 to 5 */
    size_t size;       /* bytes of the whole packet: what to consume after it was dealt with */
    struct bytes body; /* borrows */
};

/* ERR_AGAIN: the packet is good so far and goes on behind the input; out->size is what it will need in all, or 0 while
 * that is not known. ERR_TOO_LARGE: it is over max_packet bytes, said as soon as its length is known. ERR_MALFORMED:
 * no such type, wrong flags, a length of five bytes. */
MUST err mqtt_frame(struct bytes in, size_t max_packet, struct mqtt_frame *out);

/* ERR_MALFORMED, ERR_REFUSED (a protocol error: well formed and not allowed), or ERR_UNSUPPORTED (a CONNECT of another
 * protocol version). When a CONNECT fails, out->as.connect.version is the version to send CONNACK in, or 0 when the
 * packet did not say one; otherwise nothing in out may be used after a fault. */
MUST err mqtt_decode(const struct mqtt_frame *frame, struct mqtt_dialect dialect, struct mqtt_packet *out);

/* The reason code that answers a fault of mqtt_frame or mqtt_decode: Malformed Packet, Protocol Error, Unsupported
 * Protocol Version, Packet too large; Unspecified error for any other. MQTT_SUCCESS for OK. */
enum mqtt_reason mqtt_reason_for(err fault);

/* Appends the packet. On an error nothing was appended. ERR_TOO_LARGE: the buffer's bound, a text over 65,535 bytes, a
 * packet over MQTT_REMAINING_MAX. ERR_UNSUPPORTED: 3.1.1 has no such packet (AUTH, a server's DISCONNECT) or no CONNACK
 * return code for the reason; its server closes without a word (3.1.1, 3.2.2.3). ERR_REFUSED or ERR_MALFORMED: what
 * mqtt_decode would refuse, but texts and topics, which are not looked at again. */
MUST err mqtt_encode(const struct mqtt_packet *packet, struct mqtt_dialect dialect, struct buffer *out);

/* The hot path: all of a PUBLISH but its payload, whose length it does count, so that one payload can be written behind
 * many heads. Errors as mqtt_encode; the payload need not fit into `out`. */
MUST err mqtt_put_publish_head(const struct mqtt_publish *publish, struct mqtt_dialect dialect, struct buffer *out);
/* Bytes of the whole packet with its payload, to hold against the receiver's Maximum Packet Size. */
size_t mqtt_publish_size(const struct mqtt_publish *publish, enum mqtt_version version);

/* The next filter of a checked list, which is consumed up to it; false when there is none left. Start with a copy of
 * subscribe.filters. `type` says whether options stand behind each filter: MQTT_SUBSCRIBE or MQTT_UNSUBSCRIBE. */
bool mqtt_next_filter(struct bytes *filters, enum mqtt_type type, struct mqtt_filter *out);
/* Appends one filter to a list. ERR_TOO_LARGE as mqtt_encode. */
MUST err mqtt_put_filter(struct buffer *filters, enum mqtt_type type, const struct mqtt_filter *filter);

const char *mqtt_reason_text(enum mqtt_reason reason); /* "Not authorized"; "unknown reason" for no such code */
const char *mqtt_type_text(enum mqtt_type type);       /* "PUBLISH" */
