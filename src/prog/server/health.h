/* The server's health and its numbers: the port that the API asks (api/health.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/health.h"

/* For the member `health` of struct server, which it finds itself by. */
struct health_source server_health(void);
