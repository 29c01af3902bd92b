/* The parameters of event listings and streams. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/event_filter.h"

err event_filter_read(struct visit *v, struct event_filter *out)
{
    struct bytes kind = visit_text(v, "kind"), severity = visit_text(v, "severity");
    *out = (struct event_filter){.one_kind = kind.len > 0, .at_least = SEVERITY_INFO};
    TRY(visit_id(v, "device", &out->device));
    if (kind.len && event_kind_from(kind, &out->kind))
        return visit_refuse(v, &visit_bad_request, "Parameter 'kind' must be a kind of event like device.enrolled.");
    if (severity.len && severity_from(severity, &out->at_least))
        return visit_refuse(v, &visit_bad_request, "Parameter 'severity' must be info, warning or error.");
    return OK;
}
