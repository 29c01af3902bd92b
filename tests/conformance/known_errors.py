# SPDX-License-Identifier: Apache-2.0
"""Tests of foreign suites that ask for what the standard does not ask for. Each row: the suite, a pattern of the test's name,
why a failure there is the suite's error, and the clause in the standard's words."""
import re

ROWS = [
    ("paho-.*", "test_subscribe_failure",
     "it awaits a broker that is set up to refuse the filter test/nosubscribe",
     "5.0, 3.9.3: «0x87 Not authorized: The Client is not authorized to make this subscription», which nothing says it is not"),
    ("paho-5.0", "test_server_keep_alive",
     "it awaits a broker that is set up to shorten 120 s to 60 s (mqtt.keep-alive-max=60s)",
     "5.0, 3.2.2.3.14: «If the Server does not send the Server Keep Alive, the Server MUST use the Keep Alive value set by the "
     "Client on CONNECT»"),
    ("mosquitto-sequences", r".* U\+00(01|1F|7F|9F)|.* with 0x00(01|1F|7F|9F)",
     "control characters may be refused, and need not be",
     "5.0, 1.5.4: «If a receiver (Server or Client) receives an MQTT Control Packet containing any of them it MAY treat the "
     "packet as a Malformed Packet»"),
    ("mosquitto-sequences", r"v3.1.1 CONNECT 10 proto ver [26] .*",
     "it awaits the reason code of 5.0 in the place of the return code of 3.1.1",
     "3.1.1, 3.1.2-2: «The Server MUST respond to the CONNECT Packet with a CONNACK return code 0x01 (unacceptable protocol "
     "level) and then disconnect the Client if the Protocol Level is not supported by the Server»"),
    ("mosquitto-sequences", r".* PUBLISH 34 QoS 2 Dup flow\*3",
     "it awaits that a message may come again once only",
     "5.0, 4.3.3-10: «Until it has received the corresponding PUBREL packet, the receiver MUST acknowledge any subsequent "
     "PUBLISH packet with the same Packet Identifier by sending a PUBREC»"),
    ("mosquitto-sequences", r".* PUBLISH with \$ topic.*|.*\$SYS ok",
     "which topics that begin with $ a client may use is the server's choice",
     "5.0, 4.7.2: «The Server SHOULD prevent Clients from using such Topic Names to exchange messages with other Clients. Server "
     "implementations MAY use Topic Names that start with a leading $ character for other purposes»"),
    ("mosquitto-sequences", r".* topic alias > max topic alias",
     "it takes mosquitto's maximum for the one that this CONNACK named",
     "5.0, 3.2.2-17: «The Client MUST NOT send a Topic Alias in a PUBLISH packet to the Server greater than this value»"),
    ("mosquitto-scripts", "02-subpub-qos0-long-topic|02-subscribe-long-topic",
     "how long and deep a filter may be is the server's choice, as long as it says no",
     "5.0, 3.9.3: «0x97 Quota exceeded: An implementation or administrative imposed limit has been exceeded»"),
    ("mosquitto-scripts", "03-publish-qos2-max-inflight-exceeded",
     "it takes mosquitto's limit of 20 for that of any broker",
     "3.1.1 knows no such limit; 5.0, 3.2.2.3.3: «If the Receive Maximum value is absent, then its value defaults to 65,535»"),
    ("mosquitto-scripts", "03-publish-qos2-reuse-mid",
     "it awaits that another message under an id that is in use replaces the first one",
     "5.0, 4.3.3-10: «Until it has received the corresponding PUBREL packet, the receiver MUST acknowledge any subsequent "
     "PUBLISH packet with the same Packet Identifier by sending a PUBREC. It MUST NOT cause duplicate messages»"),
    ("mosquitto-scripts", "02-subpub-recover-subscriptions",
     "in 3.1.1 it does not read the message of the shared subscription, which may then wait for it",
     "3.1.1, 3.1.2.4: «It MAY also store QoS 0 messages that meet the same criteria»"),
    ("mosquitto-scripts", "07-will-takeover",
     "it awaits no will when a session is taken over that goes on",
     "5.0, 3.1.3.2.2: «If the Will Delay is zero the Will Message is sent at the close of the existing Network Connection»"),
    ("mosquitto-scripts", "12-prop-assigned-client-identifier",
     "it awaits the properties of a CONNACK in mosquitto's order and number",
     "5.0, 2.2.2.2: «There is no significance in the order of Properties with different Identifiers»"),
    ("mqtt5-conformance", "overlapping_subs_max_qos_delivered|overlapping_subs_subscription_ids_per_copy",
     "it awaits one copy for each overlapping subscription, which a server may send and need not: one copy with the highest QoS "
     "and all identifiers is what Paho's test_subscribe_identifiers awaits",
     "5.0, 3.3.4: «In addition, the Server MAY deliver further copies of the message, one for each additional matching "
     "subscription»; 3.3.4-4: «If the Server sends a single copy of the message it MUST include in the PUBLISH packet the "
     "Subscription Identifiers for all matching subscriptions»"),
]


def known(suite, test):
    """(why, clause) of a known error, or None."""
    for suites, tests, why, clause in ROWS:
        if re.fullmatch(suites, suite) and re.fullmatch(tests, test):
            return why, clause
    return None
