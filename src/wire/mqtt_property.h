/* MQTT 5.0 properties (2.2.2): every one of them, as a struct of views. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

/* The identifiers of the standard. */
enum mqtt_property {
    MQTT_PROPERTY_PAYLOAD_FORMAT = 1,
    MQTT_PROPERTY_MESSAGE_EXPIRY = 2,
    MQTT_PROPERTY_CONTENT_TYPE = 3,
    MQTT_PROPERTY_RESPONSE_TOPIC = 8,
    MQTT_PROPERTY_CORRELATION_DATA = 9,
    MQTT_PROPERTY_SUBSCRIPTION_ID = 11,
    MQTT_PROPERTY_SESSION_EXPIRY = 17,
    MQTT_PROPERTY_ASSIGNED_CLIENT_ID = 18,
    MQTT_PROPERTY_SERVER_KEEP_ALIVE = 19,
    MQTT_PROPERTY_AUTHENTICATION_METHOD = 21,
    MQTT_PROPERTY_AUTHENTICATION_DATA = 22,
    MQTT_PROPERTY_REQUEST_PROBLEM = 23,
    MQTT_PROPERTY_WILL_DELAY = 24,
    MQTT_PROPERTY_REQUEST_RESPONSE = 25,
    MQTT_PROPERTY_RESPONSE_INFORMATION = 26,
    MQTT_PROPERTY_SERVER_REFERENCE = 28,
    MQTT_PROPERTY_REASON_STRING = 31,
    MQTT_PROPERTY_RECEIVE_MAXIMUM = 33,
    MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM = 34,
    MQTT_PROPERTY_TOPIC_ALIAS = 35,
    MQTT_PROPERTY_MAXIMUM_QOS = 36,
    MQTT_PROPERTY_RETAIN_AVAILABLE = 37,
    MQTT_PROPERTY_USER = 38,
    MQTT_PROPERTY_MAXIMUM_PACKET_SIZE = 39,
    MQTT_PROPERTY_WILDCARD_AVAILABLE = 40,
    MQTT_PROPERTY_SUBSCRIPTION_ID_AVAILABLE = 41,
    MQTT_PROPERTY_SHARED_AVAILABLE = 42,
};

/* The bit of a property in mqtt_properties.present. */
#define MQTT_HAS(property) ((uint64_t)1 << MQTT_PROPERTY_##property)

/* {0} is: none. What is written is what `present` names; to set one, set its field and its bit:
 *     {.present = MQTT_HAS(SESSION_EXPIRY), .session_expiry = 300}
 * After decoding, a property that may stand in the packet and does not is absent from `present`, and its field holds
 * the default of the standard (receive_maximum 65535, maximum_packet_size UINT32_MAX, retain_available 1, ...). In
 * MQTT 3.1.1 nothing is present after decoding, and encoding leaves all of it out. Views borrow from the packet. */
struct mqtt_properties {
    uint64_t present;
    /* Those that may stand more than once: a view of encoded properties, of which the user properties are read, and in
     * PUBLISH also the subscription identifiers; others in it are passed over. After decoding it is the packet's whole
     * property block. For encoding it may be such a block of another packet, or be made with mqtt_put_user_property and
     * mqtt_put_subscription_id. Their bits in `present` (USER; in PUBLISH SUBSCRIPTION_ID) say after decoding that
     * there is at least one, and when encoding that they shall be copied. */
    struct bytes block;

    uint32_t session_expiry; /* seconds; UINT32_MAX: never */
    uint32_t message_expiry; /* seconds */
    uint32_t will_delay;     /* seconds */
    uint32_t maximum_packet_size;
    uint32_t subscription_id; /* in SUBSCRIBE; 1 to 268435455 */
    uint16_t receive_maximum;
    uint16_t topic_alias_maximum;
    uint16_t topic_alias;
    uint16_t server_keep_alive;
    uint8_t payload_format; /* 1: UTF-8 text. The codec does not look into the payload */
    uint8_t request_problem;
    uint8_t request_response;
    uint8_t maximum_qos; /* after decoding also 2, the default when it is absent */
    uint8_t retain_available;
    uint8_t wildcard_available;
    uint8_t subscription_id_available;
    uint8_t shared_available;
    struct bytes content_type;
    struct bytes response_topic;
    struct bytes correlation_data;
    struct bytes assigned_client_id;
    struct bytes authentication_method;
    struct bytes authentication_data;
    struct bytes response_information;
    struct bytes server_reference;
    struct bytes reason_string;
};

struct mqtt_user_property {
    struct bytes name, value;
};

/* Reads the block of a PUBLISH again, as it was kept from an earlier packet. Errors as mqtt_decode; borrows the block.
 */
MUST err mqtt_publish_properties(struct bytes block, struct mqtt_properties *out);

/* The next one of a block, which is consumed up to it; false when there is none left. Start with a copy of
 * properties.block. A block that was not decoded by us ends at its first broken property. */
bool mqtt_next_user_property(struct bytes *block, struct mqtt_user_property *out);
bool mqtt_next_subscription_id(struct bytes *block, uint32_t *out);

/* Makers of a block. ERR_TOO_LARGE: a text over 65,535 bytes, or the buffer is full; nothing was appended. */
MUST err mqtt_put_user_property(struct buffer *block, struct bytes name, struct bytes value);
MUST err mqtt_put_subscription_id(struct buffer *block, uint32_t id);
/* The properties that a server passes on with a message unchanged (3.3.2.3): all of a PUBLISH or a will but the topic
 * alias, the message's expiry, a will's delay and subscription identifiers. Errors as mqtt_encode. */
MUST err mqtt_put_forwarded(const struct mqtt_properties *properties, struct buffer *block);
MUST err mqtt_put_message_expiry(struct buffer *block, uint32_t seconds); /* ERR_TOO_LARGE: the buffer is full */
