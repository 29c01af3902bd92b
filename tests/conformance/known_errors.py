# SPDX-License-Identifier: Apache-2.0
"""Tests of foreign suites that ask for what the standard does not ask for. Each row: the suite, the test, why it is the
suite's error, and the clause in the standard's words."""

KNOWN = {
    ("paho-3.1.1", "test_overlapping_subscriptions"): (
        "it takes a delivery at the lower QoS for an error when the subscriptions are delivered one by one",
        "3.1.1, 3.3.5: «In addition, the Server MAY deliver further copies of the message, one for each additional matching "
        "subscription and respecting the subscription's QoS in each case.»"),
}
