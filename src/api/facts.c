/* What anybody may know of the server: its API's description and its root certificate. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "api/openapi.h"

err openapi_show(struct visit *v)
{
    put_bytes(&v->answer->body, openapi_document());
    return OK;
}

err root_certificate_show(struct visit *v)
{
    v->answer->content_type = "application/x-pem-file";
    put_bytes(&v->answer->body, v->api->facts->root_pem);
    return OK;
}
