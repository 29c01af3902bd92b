/* What each kind of write does to the memory store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory_store.h"

#include "base/memory.h"
#include "base/text.h"
#include "store/sample_bounds.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};
static const struct fault unknown_device = {ERR_ABSENT, "store: there is no such device"};
static const struct fault other_enrolment = {ERR_ABSENT, "store: the device was deleted, and enrolled anew"};
static const struct fault device_exists = {ERR_EXISTS, "store: a device with this id is enrolled already"};
static const struct fault many_metrics = {ERR_REFUSED,
                                          "store: the device has sent more different metrics than are kept"};
static const struct fault many_documents = {ERR_REFUSED, "store: the device has as many documents as are kept"};
static const struct fault no_token = {ERR_ABSENT, "store: there is no such enrolment token"};
static const struct fault token_exists = {ERR_EXISTS, "store: a token with this id or secret is there already"};
static const struct fault token_expired = {ERR_EXPIRED, "store: the enrolment token has expired"};
static const struct fault token_used_up = {ERR_REFUSED, "store: the enrolment token has been used as often as it may"};
static const struct fault wrong_secret = {ERR_REFUSED, "store: this is not the live set-up secret"};
static const struct fault secret_expired = {ERR_EXPIRED, "store: the set-up secret has expired"};
static const struct fault operator_exists = {ERR_EXISTS, "store: an operator of this name is there already"};
static const struct fault no_operator = {ERR_ABSENT, "store: there is no such operator"};
static const struct fault session_exists = {ERR_EXISTS, "store: the session is there already"};
static const struct fault no_session = {ERR_ABSENT, "store: there is no such session"};

/* --- devices --- */

static err put_device(struct memory_store *store, const struct device *device)
{
    struct row *row = row_make(sizeof(struct device_row), bytes_of_text(device->id), 0);
    if (!row)
        return &no_memory;
    ((struct device_row *)row)->device = *device;
    return shelf_put(&store->devices, &store->journal, row);
}

static err find_device(struct memory_store *store, const char *id, struct device *out)
{
    const struct row *row = shelf_find(&store->devices, bytes_of_text(id));
    if (!row)
        return &unknown_device;
    *out = ((const struct device_row *)row)->device;
    return OK;
}

static void see(struct device *device, int64_t now_us)
{
    if (device->last_seen_us < now_us)
        device->last_seen_us = now_us;
}

err memory_enrolment(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct bytes hash = bytes_of(write->as.enrolment.token_hash, TOKEN_HASH);
    const struct token_row *found = (const struct token_row *)shelf_find(&store->tokens, hash);
    if (!found)
        return &no_token;
    if (found->token.expires_us <= write->now_us)
        return &token_expired;
    if (!found->token.uses_left)
        return &token_used_up;
    struct device device = write->as.enrolment.device;
    if (shelf_find(&store->devices, bytes_of_text(device.id)))
        return &device_exists;

    struct token_row *spent = (struct token_row *)row_make(sizeof *spent, hash, 0);
    if (!spent)
        return &no_memory;
    spent->token = found->token;
    spent->token.uses_left--;
    memcpy(device.group, spent->token.group, sizeof device.group);
    memcpy(result->group, device.group, sizeof result->group);
    device.last_seen_us = device.connected_us = 0;
    TRY(shelf_put(&store->tokens, &store->journal, &spent->row));
    return put_device(store, &device);
}

err memory_renewal(struct memory_store *store, const struct write *write, struct write_result *result)
{
    const struct device *renewal = &write->as.renewal;
    struct device device;
    TRY(find_device(store, renewal->id, &device));
    if (device.enrolled_us != renewal->enrolled_us)
        return &other_enrolment;
    device.certificate_expires_us = renewal->certificate_expires_us;
    memcpy(device.certificate_serial, renewal->certificate_serial, sizeof device.certificate_serial);
    memcpy(device.key_fingerprint, renewal->key_fingerprint, sizeof device.key_fingerprint);
    return put_device(store, &device);
}

err memory_presence(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct device device;
    TRY(find_device(store, write->as.presence.device, &device));
    device.connected_us = write->as.presence.connected_us;
    see(&device, write->now_us);
    return put_device(store, &device);
}

err memory_device_delete(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct bytes id = bytes_of_text(write->as.device);
    struct key prefix = {.len = 0};
    key_text(&prefix, id);
    if (!shelf_find(&store->devices, id))
        return &unknown_device;
    TRY(memory_remove_all(store, &store->samples, &prefix));
    TRY(memory_remove_all(store, &store->documents, &prefix));
    TRY(memory_drop_clients_of(store, write->as.device));
    return shelf_remove(&store->devices, &store->journal, id);
}

/* --- telemetry --- */

static bool metric_is_known(const struct memory_store *store, struct bytes device, struct bytes metric)
{
    struct key prefix = {.len = 0};
    size_t from, to;
    key_text(&prefix, device);
    key_text(&prefix, metric);
    shelf_span(&store->samples, &prefix, &from, &to);
    return from < to;
}

static size_t count_metrics(const struct memory_store *store, struct bytes device)
{
    struct key prefix = {.len = 0};
    size_t from, to, count = 0;
    struct bytes last = {NULL, 0};
    key_text(&prefix, device);
    for (shelf_span(&store->samples, &prefix, &from, &to); from < to; from++) {
        struct bytes metric = ((const struct sample_row *)store->samples.rows[from])->sample.metric;
        count += !bytes_equal(last, metric);
        last = metric;
    }
    return count;
}

static bool stands_before(const struct samples *samples, size_t place)
{
    for (size_t i = 0; i < place; i++)
        if (bytes_equal(samples->at[i].metric, samples->at[place].metric))
            return true;
    return false;
}

static err metrics_fit(const struct memory_store *store, struct bytes device, const struct samples *samples)
{
    size_t more = 0;
    for (size_t i = 0; i < samples->count; i++)
        more += !stands_before(samples, i) && !metric_is_known(store, device, samples->at[i].metric);
    return more && count_metrics(store, device) + more > METRICS_MAX ? &many_metrics : OK;
}

static err put_sample(struct memory_store *store, struct bytes device, const struct sample *sample)
{
    struct key key = key_of_sample(device, sample->metric, sample->time_us);
    struct bytes text = sample->kind == SAMPLE_TEXT ? sample->value.text : (struct bytes){NULL, 0};
    struct sample_row *kept = (struct sample_row *)row_make(sizeof *kept, key_view(&key), sample->unit.len + text.len);
    if (!kept)
        return &no_memory;
    uint8_t *extra = row_extra(&kept->row);
    kept->sample = *sample;
    kept->sample.metric = bytes_of(kept->row.key.at + device.len + 1, sample->metric.len);
    kept->sample.unit = row_keep(&extra, sample->unit);
    if (sample->kind == SAMPLE_TEXT)
        kept->sample.value.text = row_keep(&extra, text);
    return shelf_put(&store->samples, &store->journal, &kept->row);
}

err memory_samples(struct memory_store *store, const struct write *write, struct write_result *result)
{
    const struct samples *samples = &write->as.samples.samples;
    struct device device;
    TRY(find_device(store, write->as.samples.device, &device));
    TRY(samples_fit(samples));
    TRY(metrics_fit(store, bytes_of_text(device.id), samples));
    for (size_t i = 0; i < samples->count; i++)
        TRY(put_sample(store, bytes_of_text(device.id), &samples->at[i]));
    see(&device, write->now_us);
    return put_device(store, &device);
}

/* --- events and documents --- */

err memory_event(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct key key = {.len = 0};
    key_number(&key, store->last_event + 1);
    struct event_row *kept = (struct event_row *)row_make(sizeof *kept, key_view(&key), write->as.event.detail.len);
    if (!kept)
        return &no_memory;
    uint8_t *extra = row_extra(&kept->row);
    kept->event = write->as.event;
    kept->event.id = result->id = ++store->last_event;
    kept->event.detail = row_keep(&extra, write->as.event.detail);
    return shelf_put(&store->events, &store->journal, &kept->row);
}

err memory_document(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct bytes name = bytes_of_text(write->as.document.name);
    struct device device;
    struct key key = {.len = 0};
    size_t from, to;
    TRY(find_device(store, write->as.document.device, &device));
    key_text(&key, bytes_of_text(device.id));
    shelf_span(&store->documents, &key, &from, &to);
    key_text(&key, name);
    if (to - from >= DOCUMENTS_MAX && !shelf_find(&store->documents, key_view(&key)))
        return &many_documents;

    struct document_row *kept =
        (struct document_row *)row_make(sizeof *kept, key_view(&key), write->as.document.json.len);
    if (!kept)
        return &no_memory;
    uint8_t *extra = row_extra(&kept->row);
    kept->name = bytes_of(kept->row.key.at + strlen(device.id) + 1, name.len);
    kept->json = row_keep(&extra, write->as.document.json);
    kept->time_us = write->now_us;
    return shelf_put(&store->documents, &store->journal, &kept->row);
}

/* --- access --- */

static const struct row *token_by_id(const struct memory_store *store, const char *id)
{
    for (size_t i = 0; i < store->tokens.count; i++)
        if (!strcmp(((const struct token_row *)store->tokens.rows[i])->token.id, id))
            return store->tokens.rows[i];
    return NULL;
}

err memory_token(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct bytes hash = bytes_of(write->as.token.hash, TOKEN_HASH);
    if (shelf_find(&store->tokens, hash) || token_by_id(store, write->as.token.id))
        return &token_exists;
    struct token_row *kept = (struct token_row *)row_make(sizeof *kept, hash, 0);
    if (!kept)
        return &no_memory;
    kept->token = write->as.token;
    return shelf_put(&store->tokens, &store->journal, &kept->row);
}

err memory_token_delete(struct memory_store *store, const struct write *write, struct write_result *result)
{
    const struct row *found = token_by_id(store, write->as.token_id);
    return found ? shelf_remove(&store->tokens, &store->journal, found->key) : &no_token;
}

err memory_setup(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct setup_row *kept = (struct setup_row *)row_make(sizeof *kept, BYTES(""), 0);
    if (!kept)
        return &no_memory;
    memcpy(kept->hash, write->as.setup.hash, sizeof kept->hash);
    kept->expires_us = write->as.setup.expires_us;
    return shelf_put(&store->setups, &store->journal, &kept->row);
}

err memory_operator(struct memory_store *store, const struct write *write, struct write_result *result)
{
    const struct operator_account *account = &write->as.operator.account;
    const struct setup_row *setup = (const struct setup_row *)shelf_find(&store->setups, BYTES(""));
    if (!setup ||
        !bytes_equal_secret(bytes_of(setup->hash, TOKEN_HASH), bytes_of(write->as.operator.setup_hash, TOKEN_HASH)))
        return &wrong_secret;
    if (setup->expires_us <= write->now_us)
        return &secret_expired;
    if (shelf_find(&store->operators, bytes_of_text(account->name)))
        return &operator_exists;
    struct operator_row *kept = (struct operator_row *)row_make(sizeof *kept, bytes_of_text(account->name), 0);
    if (!kept)
        return &no_memory;
    kept->account = *account;
    TRY(shelf_put(&store->operators, &store->journal, &kept->row));
    return shelf_remove(&store->setups, &store->journal, BYTES(""));
}

err memory_session(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct bytes hash = bytes_of(write->as.session.hash, TOKEN_HASH);
    if (!shelf_find(&store->operators, bytes_of_text(write->as.session.operator_name)))
        return &no_operator;
    if (shelf_find(&store->sessions, hash))
        return &session_exists;
    struct session_row *kept = (struct session_row *)row_make(sizeof *kept, hash, 0);
    if (!kept)
        return &no_memory;
    kept->session = write->as.session;
    return shelf_put(&store->sessions, &store->journal, &kept->row);
}

err memory_session_delete(struct memory_store *store, const struct write *write, struct write_result *result)
{
    struct bytes hash = bytes_of(write->as.session_hash, TOKEN_HASH);
    return shelf_find(&store->sessions, hash) ? shelf_remove(&store->sessions, &store->journal, hash) : &no_session;
}

static int64_t session_expires(const struct row *row)
{
    return ((const struct session_row *)row)->session.expires_us;
}

static int64_t token_expires(const struct row *row)
{
    return ((const struct token_row *)row)->token.expires_us;
}

static int64_t setup_expires(const struct row *row)
{
    return ((const struct setup_row *)row)->expires_us;
}

/* As store/kept_message.h has it. */
static int64_t retained_expires(const struct row *row)
{
    struct reader r = reader_over(((const struct retained_row *)row)->message);
    (void)read_u16(&r);
    uint64_t at = read_u64(&r);
    return at ? (int64_t)at : INT64_MAX;
}

static err expire(struct memory_store *store, struct shelf *shelf, int64_t (*expires)(const struct row *), int64_t now)
{
    for (size_t i = shelf->count; i-- > 0;)
        if (expires(shelf->rows[i]) <= now)
            TRY(shelf_remove(shelf, &store->journal, shelf->rows[i]->key));
    return OK;
}

err memory_expire(struct memory_store *store, const struct write *write, struct write_result *result)
{
    TRY(expire(store, &store->sessions, session_expires, write->now_us));
    TRY(expire(store, &store->tokens, token_expires, write->now_us));
    TRY(expire(store, &store->setups, setup_expires, write->now_us));
    return expire(store, &store->retained, retained_expires, write->now_us);
}
