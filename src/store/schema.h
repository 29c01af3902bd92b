/* The tables of the database and the steps from each older release's tables to the present ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "store/database.h"

/* ERR_UNSUPPORTED: the file is of another application, or a newer release wrote it. Changes nothing. An empty file and
 * an older schema are fine: schema_migrate is for them. */
MUST err schema_recognise(struct database *db);
/* Brings the database to this program's schema, each step in a transaction of its own. Refuses as schema_recognise. */
MUST err schema_migrate(struct database *db);
/* As schema_recognise, and ERR_UNSUPPORTED also for an older schema. */
MUST err schema_check(struct database *db);
