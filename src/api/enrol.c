/* Enrolment over Secure Transport, as routes: est.h decides and writes the answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/est.h"
#include "api/handlers.h"

static struct est est_of(struct api *api)
{
    return (struct est){api->reader,   api->recorder,         api->issuer,
                        api->clock,    api->facts->chain_pem, api->facts->device_lifetime_s,
                        &api->refusals};
}

err enrol_certificates(struct visit *v)
{
    struct est est = est_of(v->api);
    return est_cacerts(&est, v->call, v->answer);
}

err enrol_attributes(struct visit *v)
{
    struct est est = est_of(v->api);
    return est_csrattrs(&est, v->call, v->answer);
}

err enrol_first(struct visit *v)
{
    struct est est = est_of(v->api);
    return est_simpleenroll(&est, v->call, v->answer);
}

err enrol_again(struct visit *v)
{
    struct est est = est_of(v->api);
    return est_simplereenroll(&est, v->call, v->answer);
}
