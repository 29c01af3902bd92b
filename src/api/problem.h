/* From a fault to its problem document; api_problem, for a status that is known already, is in api.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/api.h"

/* The status follows from the fault's kind. Empty detail: the fault's own text. */
void problem_of_fault(struct answer *answer, err fault, const char *detail);
