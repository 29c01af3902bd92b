/* The handlers that the table in routes.c names, by noun. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/route.h"

enum { API_PAGE_MAX = 500 }; /* rows of one page; a listing asks the store for one more than it shows */

/* devices.c */
route_handler devices_list, device_show, device_delete, fleet_show;
/* ERR_ABSENT, by name, when there is no device of the path's id. */
MUST err visit_device(struct visit *v, struct device *out);

/* telemetry.c */
route_handler device_latest, device_series, device_documents;

/* events.c, stream.c */
route_handler events_list, events_stream;

/* tokens.c */
route_handler token_create, tokens_list, token_delete;

/* client_sessions.c */
route_handler sessions_list, session_of_client_show, session_of_client_delete;

/* drain.c */
route_handler drain_show, drain_change;

/* tail.c */
route_handler tail_stream;

/* session.c */
route_handler setup_create, session_create, session_show, session_delete;

/* health.c, metrics.c */
route_handler health_show, alive_show, ready_show, metrics_show;

/* facts.c */
route_handler openapi_show, root_certificate_show;

/* enrol.c */
route_handler enrol_certificates, enrol_attributes, enrol_first, enrol_again;
