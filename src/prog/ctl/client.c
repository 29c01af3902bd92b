/* The REST client over libcurl: HTTPS only, no redirects, bounded answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/client.h"

#include "base/text.h"
#include "prog/ctl/table.h"

#include <curl/curl.h>

#include <string.h>

enum {
    URL_MAX = 8192, /* of the query, and as much again before it */
    BODY_MAX = 65536,
    HEADER_MAX = 512,
    DETAIL_MAX = 4096,
    CONNECT_S = 10,
    CALL_S = 60,
    SILENT_S = 90, /* a stream that says nothing for so long, not even a comment, counts as broken */
};

/* One transfer and all that it owns. */
struct transfer {
    CURL *curl;
    CURLcode unset; /* the first option or header that libcurl did not take: one that fails silently could turn off
                       verification, or send a call to the wrong end */
    struct curl_slist *headers;
    struct buffer url, body;
    struct reply *reply;         /* where an answer goes */
    struct event_stream *stream; /* where the answer goes when it is a stream; NULL: it is none */
    bool broken;                 /* the stream does not read */
    char trouble[CURL_ERROR_SIZE];
};

static void transfer_drop(struct transfer *t)
{
    curl_slist_free_all(t->headers);
    curl_easy_cleanup(t->curl);
    buffer_drop(&t->url);
    buffer_drop(&t->body);
}

void query_open(struct query *q)
{
    *q = (struct query){{.max = URL_MAX}};
}

void query_drop(struct query *q)
{
    buffer_drop(&q->text);
}

void put_percent(struct buffer *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~", *c))
            put_u8(out, (uint8_t)*c);
        else
            put_format(out, "%%%02X", (unsigned char)*c);
    }
}

void query_add(struct query *q, const char *name, const char *value)
{
    if (!value)
        return;
    put_format(&q->text, "%c%s=", q->text.len ? '&' : '?', name);
    put_percent(&q->text, value);
}

void reply_drop(struct reply *r)
{
    buffer_wipe(&r->body);
}

static size_t take_body(char *at, size_t size, size_t count, void *self)
{
    struct transfer *t = self;
    struct bytes in = bytes_of(at, size * count);
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (t->stream && status == 200) {
        t->broken = event_stream_take(t->stream, in) != OK;
        return t->broken || t->stream->enough ? 0 : in.len;
    }
    put_bytes(&t->reply->body, in);
    return t->reply->body.spoiled ? 0 : in.len;
}

#define SET(t, option, value) ((t)->unset = (t)->unset ? (t)->unset : curl_easy_setopt((t)->curl, option, value))

static void add_header(struct transfer *t, const char *name, const char *value)
{
    SCOPED(buffer_wipe) struct buffer line = {.max = HEADER_MAX};
    put_format(&line, "%s: %s", name, value);
    struct curl_slist *longer = buffer_finish(&line) ? NULL : curl_slist_append(t->headers, buffer_text(&line));
    if (longer)
        t->headers = longer;
    else
        t->unset = CURLE_OUT_OF_MEMORY;
}

static int put_dumped(const char *text, size_t len, void *self)
{
    struct buffer *out = self;
    put_bytes(out, bytes_of(text, len));
    return out->spoiled ? -1 : 0;
}

static void set_trust(struct transfer *t, struct bytes ca_pem)
{
    struct curl_blob blob = {.len = ca_pem.len, .flags = CURL_BLOB_COPY};
    memcpy(&blob.data, &ca_pem.at, sizeof blob.data); /* curl's field is not const, though it only reads */
    SET(t, CURLOPT_CAINFO, NULL);                     /* that root and no other */
    SET(t, CURLOPT_CAPATH, NULL);
    SET(t, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_request(struct transfer *t, const struct request *request)
{
    SET(t, CURLOPT_URL, buffer_text(&t->url));
    SET(t, CURLOPT_PROTOCOLS_STR, "https");
    SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(t, CURLOPT_CUSTOMREQUEST, request->method);
    SET(t, CURLOPT_USERAGENT, "holdfast/" HOLDFAST_VERSION);
    SET(t, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    SET(t, CURLOPT_TIMEOUT, (long)CALL_S);
    SET(t, CURLOPT_NOSIGNAL, 1L);
    SET(t, CURLOPT_ERRORBUFFER, t->trouble);
    SET(t, CURLOPT_WRITEFUNCTION, take_body);
    SET(t, CURLOPT_WRITEDATA, t);
    if (!request->body)
        return;
    add_header(t, "Content-Type", "application/json");
    SET(t, CURLOPT_POSTFIELDSIZE, (long)t->body.len);
    SET(t, CURLOPT_POSTFIELDS, t->body.at);
}

static OUTCOME prepare(struct transfer *t, const char *server, const struct request *request)
{
    t->url.max = (size_t)URL_MAX * 2;
    t->body.max = BODY_MAX;
    t->curl = curl_easy_init();
    put_format(&t->url, "%s%s%s", server, request->path, request->query ? buffer_text(&request->query->text) : "");
    if (request->body && json_dump_callback(request->body, put_dumped, &t->body, JSON_COMPACT))
        t->body.spoiled = true;
    if (!t->curl || buffer_finish(&t->url) || buffer_finish(&t->body) ||
        (request->query && buffer_finish(&request->query->text))) {
        complain("the request is too long, or there is no memory");
        return LOCAL;
    }
    set_request(t, request);
    return DONE;
}

static void prepare_peer(struct transfer *t, const struct peer *peer)
{
    if (peer->ca_pem.len)
        set_trust(t, peer->ca_pem);
    SCOPED(buffer_wipe) struct buffer bearer = {.max = HEADER_MAX};
    put_format(&bearer, "Bearer %s", peer->token);
    if (*peer->token)
        add_header(t, "Authorization", buffer_text(&bearer));
}

static const char *hint(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE
               ? "\n(its root certificate may be new to you: sign in with --ca FILE or --ca-sha256 HEX)"
               : "";
}

static OUTCOME perform(struct transfer *t)
{
    t->reply->body.max = REPLY_MAX;
    SET(t, CURLOPT_HTTPHEADER, t->headers);
    CURLcode code = t->unset ? t->unset : curl_easy_perform(t->curl);
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->reply->status);
    if (code == CURLE_OK || (t->stream && t->stream->enough))
        return DONE;
    if (t->broken)
        complain("the server sends no stream of events that reads");
    else if (t->reply->body.spoiled)
        complain("the server's answer is larger than %d bytes", REPLY_MAX);
    else
        complain("no answer from %s: %s%s", buffer_text(&t->url), *t->trouble ? t->trouble : curl_easy_strerror(code),
                 hint(code));
    return UNREACHED;
}

OUTCOME client_call(const struct peer *peer, const struct request *request, struct reply *out)
{
    SCOPED(transfer_drop) struct transfer t = {.reply = out};
    enum outcome o = prepare(&t, peer->server, request);
    if (o)
        return o;
    prepare_peer(&t, peer);
    return perform(&t);
}

OUTCOME client_fetch_unverified(const char *server, const char *path, struct reply *out)
{
    SCOPED(transfer_drop) struct transfer t = {.reply = out};
    enum outcome o = prepare(&t, server, &(struct request){"GET", path, NULL, NULL});
    if (o)
        return o;
    SET(&t, CURLOPT_SSL_VERIFYPEER, 0L);
    SET(&t, CURLOPT_SSL_VERIFYHOST, 0L);
    return perform(&t);
}

OUTCOME client_listen(const struct peer *peer, const struct request *request, struct event_stream *stream)
{
    struct reply reply = {.status = 0};
    SCOPED(transfer_drop) struct transfer t = {.reply = &reply, .stream = stream};
    enum outcome o = prepare(&t, peer->server, request);
    if (o)
        return o;
    prepare_peer(&t, peer);
    event_stream_restart(stream);
    add_header(&t, "Accept", "text/event-stream");
    if (*stream->last_id)
        add_header(&t, "Last-Event-ID", stream->last_id);
    SET(&t, CURLOPT_TIMEOUT, 0L);
    SET(&t, CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(&t, CURLOPT_LOW_SPEED_TIME, (long)SILENT_S);
    o = perform(&t);
    if (!o && !stream->enough && reply.status != 200)
        o = client_refused(&reply);
    reply_drop(&reply);
    return o;
}

OUTCOME client_refused(const struct reply *reply)
{
    enum { UNAUTHORIZED = 401 };
    json_t *problem = json_loadb((const char *)reply->body.at, reply->body.len, 0, NULL);
    SCOPED(buffer_drop) struct buffer detail = {.max = DETAIL_MAX};
    put_harmless(&detail, bytes_of_text(json_string_value(json_object_get(problem, "detail"))));
    if (*buffer_text(&detail))
        complain("%s", buffer_text(&detail));
    else
        complain("the server answered with status %ld", reply->status);
    json_decref(problem);
    return reply->status == UNAUTHORIZED ? NOT_SIGNED_IN : REFUSED;
}

OUTCOME client_ask(const struct peer *peer, const struct request *request, struct reply *out, json_t **json)
{
    *json = NULL;
    enum outcome o = client_call(peer, request, out);
    if (o)
        return o;
    if (out->status < 200 || out->status > 299)
        return client_refused(out);
    if (!out->body.len)
        return DONE;
    *json = json_loadb((const char *)out->body.at, out->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (*json)
        return DONE;
    complain("the server's answer is not JSON");
    return UNREACHED;
}
