/* The description of the API (OpenAPI 3.1), packed into the program by the build from openapi.json. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

struct bytes openapi_document(void); /* a constant; one JSON object without needless blanks */
