/* HTTPS by libcurl. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/https_client.h"

#include <curl/curl.h>
#include <stdio.h>

static const struct fault no_curl = {ERR_IO, "https: libcurl cannot be set up"};
static const struct fault not_reached = {ERR_IO, "https: the server cannot be reached"};
static const struct fault not_trusted = {ERR_REFUSED, "https: the server's certificate is not trusted"};
static const struct fault no_handshake = {ERR_IO, "https: the TLS handshake failed"};
static const struct fault too_late = {ERR_AGAIN, "https: the server did not answer in time"};
static const struct fault too_large = {ERR_TOO_LARGE, "https: the answer is larger than its bound"};
static const struct fault refused = {ERR_REFUSED, "https: the server refused the request"};
static const struct fault unwell = {ERR_AGAIN, "https: the server could not answer"};

err https_begin(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) ? &no_curl : OK;
}

void https_end(void)
{
    curl_global_cleanup();
}

static void drop_curl(CURL **curl)
{
    curl_easy_cleanup(*curl);
}

static void drop_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static size_t take_body(char *at, size_t size, size_t count, void *user)
{
    struct buffer *body = user;
    put_bytes(body, bytes_of(at, size * count));
    return body->spoiled ? 0 : size * count;
}

static int ask_whether_abandoned(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct counter *abandon = user;
    return counter_read(abandon) != 0;
}

/* Remembers the first option that libcurl does not take: one that fails silently could turn verification off. */
#define SET(curl, failed, option, value) ((failed) = (failed) ? (failed) : curl_easy_setopt(curl, option, value))

static CURLcode set_blob(CURL *curl, CURLoption option, struct bytes pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem.at, .len = pem.len, .flags = CURL_BLOB_NOCOPY};
    return curl_easy_setopt(curl, option, &blob);
}

static CURLcode set_trust(CURL *curl, const struct https_request *r)
{
    CURLcode failed = CURLE_OK;
    bool verified = r->trust == HTTPS_VERIFIED;
    SET(curl, failed, CURLOPT_SSL_VERIFYPEER, verified ? 1L : 0L);
    SET(curl, failed, CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
    SET(curl, failed, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* Not the machine's own list of authorities: ours alone. */
    SET(curl, failed, CURLOPT_CAINFO, NULL);
    SET(curl, failed, CURLOPT_CAPATH, NULL);
    if (!failed && verified)
        failed = set_blob(curl, CURLOPT_CAINFO_BLOB, r->anchors_pem);
    if (!failed && r->chain_pem.len)
        failed = set_blob(curl, CURLOPT_SSLCERT_BLOB, r->chain_pem);
    if (!failed && r->chain_pem.len)
        failed = set_blob(curl, CURLOPT_SSLKEY_BLOB, r->key_pem);
    SET(curl, failed, CURLOPT_SSLCERTTYPE, "PEM");
    SET(curl, failed, CURLOPT_SSLKEYTYPE, "PEM");
    return failed;
}

static CURLcode set_limits(CURL *curl, const struct https_request *r)
{
    CURLcode failed = CURLE_OK;
    SET(curl, failed, CURLOPT_PROTOCOLS_STR, "https");
    SET(curl, failed, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(curl, failed, CURLOPT_FOLLOWLOCATION, 0L);
    SET(curl, failed, CURLOPT_NOSIGNAL, 1L);
    SET(curl, failed, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTPS_CONNECT_MS);
    SET(curl, failed, CURLOPT_TIMEOUT_MS, (long)HTTPS_CALL_MS);
    SET(curl, failed, CURLOPT_MAXFILESIZE, (long)HTTPS_ANSWER_MAX);
    if (r->abandon) {
        SET(curl, failed, CURLOPT_NOPROGRESS, 0L);
        SET(curl, failed, CURLOPT_XFERINFOFUNCTION, ask_whether_abandoned);
        SET(curl, failed, CURLOPT_XFERINFODATA, (void *)(uintptr_t)r->abandon);
    }
    return failed;
}

static CURLcode set_request(CURL *curl, const struct https_request *r, struct curl_slist *headers)
{
    CURLcode failed = CURLE_OK;
    char url[1024];
    snprintf(url, sizeof url, "%s%s", r->base, r->path);
    SET(curl, failed, CURLOPT_URL, url);
    SET(curl, failed, CURLOPT_USERAGENT, "holdfast-agent/" HOLDFAST_VERSION);
    SET(curl, failed, CURLOPT_HTTPHEADER, headers);
    if (r->body.len) {
        SET(curl, failed, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        SET(curl, failed, CURLOPT_POSTFIELDS, (const char *)r->body.at);
    }
    if (r->password) {
        SET(curl, failed, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(curl, failed, CURLOPT_USERNAME, "device");
        SET(curl, failed, CURLOPT_PASSWORD, r->password);
    }
    return failed;
}

static err what_went_wrong(CURLcode code, const struct https_answer *out)
{
    if (out->body.spoiled || code == CURLE_FILESIZE_EXCEEDED)
        return &too_large;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM)
        return &not_trusted;
    if (code == CURLE_SSL_CONNECT_ERROR)
        return &no_handshake;
    if (code == CURLE_OPERATION_TIMEDOUT || code == CURLE_ABORTED_BY_CALLBACK)
        return &too_late;
    return &not_reached;
}

static void read_times(CURL *curl, struct https_answer *out)
{
    curl_off_t sent = 0, first = 0, last = 0;
    curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &sent);
    curl_easy_getinfo(curl, CURLINFO_STARTTRANSFER_TIME_T, &first);
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &last);
    out->waited_us = first > sent ? first - sent : 0;
    out->since_first_byte_us = last > first ? last - first : 0;
}

err https_call(const struct https_request *request, struct https_answer *out, char why[WHY_TEXT])
{
    SCOPED(drop_curl) CURL *curl = curl_easy_init();
    SCOPED(drop_list) struct curl_slist *headers = NULL;
    char words[CURL_ERROR_SIZE] = "", type[128];
    long status = 0;
    buffer_drop(&out->body);
    *out = (struct https_answer){.body = {.max = HTTPS_ANSWER_MAX}};
    snprintf(type, sizeof type, "Content-Type: %s", request->content_type ? request->content_type : "");
    if (request->body.len)
        headers = curl_slist_append(NULL, type);
    CURLcode code = curl && (headers || !request->body.len) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    if (!code)
        code = set_limits(curl, request);
    if (!code)
        code = set_trust(curl, request);
    if (!code)
        code = set_request(curl, request, headers);
    SET(curl, code, CURLOPT_WRITEFUNCTION, take_body);
    SET(curl, code, CURLOPT_WRITEDATA, &out->body);
    SET(curl, code, CURLOPT_ERRORBUFFER, words);
    if (!code)
        code = curl_easy_perform(curl);
    if (code) {
        why_say(why, "%s%s: %s", request->base, request->path, words[0] ? words : curl_easy_strerror(code));
        return what_went_wrong(code, out);
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    out->status = (unsigned)status;
    read_times(curl, out);
    return OK;
}

err https_want_200(const struct https_answer *answer, char why[WHY_TEXT])
{
    struct bytes rest = buffer_view(&answer->body);
    struct bytes line = bytes_first(bytes_trim(bytes_cut(&rest, '\n')), 200);
    if (answer->status == 200)
        return OK;
    why_say(why, "the server answered %u%s%.*s", answer->status, line.len ? ": " : "", (int)line.len,
            line.len ? (const char *)line.at : "");
    return answer->status >= 400 && answer->status < 500 && answer->status != 429 ? &refused : &unwell;
}
