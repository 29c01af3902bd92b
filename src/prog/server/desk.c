/* The query threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/desk.h"

#include "base/memory.h"
#include "crypto/certificate.h"
#include "os/mailbox.h"
#include "prog/server/streams.h"
#include "trust/enrolment.h"
#include "trust/signin_limit.h"

#include <pthread.h>

static const struct fault no_memory = {ERR_MEMORY, "desk: no memory"};
static const struct fault no_thread = {ERR_IO, "desk: no thread could be started"};
static const struct fault over = {ERR_CLOSED, "desk: the server is shutting down"};
static const struct fault not_known = {ERR_REFUSED,
                                       "registry: the device of this certificate is not known here (any more)"};

enum { FOREVER = -1 };

struct worker {
    pthread_t thread;
    bool started, over;
    struct mailbox *box; /* where its jobs come from: the queries' or the sign-ins' */
    struct api api;
};

/* What a worker is asked to do. Embedded first in each kind. The mail is opened by nobody but a desk that closes: it
 * turns away whoever still waits. */
struct job {
    struct mail mail;
    void (*work)(struct job *self, struct worker *worker); /* takes the job */
};

struct job_kind {
    size_t size;
    void (*work)(struct job *self, struct worker *worker);
    void (*turn_away)(struct mail *self); /* takes the job */
};

struct query_desk {
    struct desk desk;
    struct mailbox *queries, *sign_ins;
    struct worker *workers; /* the last one serves sign-ins */
    size_t count;
    struct signin_limit *signin_limit;
};

static void *run(void *self)
{
    struct worker *worker = self;
    while (!worker->over) {
        struct mail *mail = mailbox_take(worker->box, FOREVER);
        if (!mail)
            continue;
        struct job *job = CONTAINER(mail, struct job, mail);
        job->work(job, worker);
    }
    return NULL;
}

static struct job *job_take(const struct job_kind *kind)
{
    struct job *job = mem_take(1, kind->size);
    if (job) {
        job->work = kind->work;
        job->mail.open = kind->turn_away;
    }
    return job;
}

/* ---- calls */

struct call_job {
    struct job job;
    struct inquiry *inquiry;
};

static void home_again(struct mail *mail)
{
    struct inquiry *inquiry = CONTAINER(mail, struct inquiry, mail);
    inquiry->done(inquiry);
}

static void send_home(struct inquiry *inquiry)
{
    inquiry->mail.open = home_again;
    mailbox_answer(inquiry->home, &inquiry->mail);
}

static void answer_call(struct job *job, struct worker *worker)
{
    struct inquiry *inquiry = CONTAINER(job, struct call_job, job)->inquiry;
    mem_drop(job);
    if (inquiry->stream)
        event_stream_backlog(inquiry->stream, &worker->api, &inquiry->answer);
    else
        api_answer(&worker->api, &inquiry->call, &inquiry->answer);
    send_home(inquiry);
}

static void turn_call_away(struct mail *mail)
{
    struct inquiry *inquiry = CONTAINER(mail, struct call_job, job.mail)->inquiry;
    mem_drop(mail);
    api_problem(&inquiry->answer, 503, over.text);
    send_home(inquiry);
}

static err ask(struct desk *self, struct lobby *lobby, struct inquiry *inquiry)
{
    struct query_desk *desk = CONTAINER(self, struct query_desk, desk);
    static const struct job_kind kind = {sizeof(struct call_job), answer_call, turn_call_away};
    struct call_job *job = (struct call_job *)job_take(&kind);
    bool signs_in = api_route_service(inquiry->call.method, inquiry->call.path) == API_SIGN_IN;
    if (!job)
        return &no_memory;
    job->inquiry = inquiry;
    inquiry->home = loop_mailbox(lobby->loop);
    err failed = mailbox_post(signs_in ? desk->sign_ins : desk->queries, &job->job.mail);
    if (failed)
        mem_drop(job);
    return failed;
}

/* ---- is the device known? */

struct identify_job {
    struct job job;
    struct mail home;
    struct mailbox *mailbox;
    struct request *request;
    char id[DEVICE_ID_MAX + 1];
    struct certificate_facts shown;
    err verdict;
};

static void tell(struct mail *mail)
{
    struct identify_job *job = CONTAINER(mail, struct identify_job, home);
    struct request *request = job->request;
    err verdict = job->verdict;
    mem_drop(job);
    flow_resume(request, verdict);
}

static void give_verdict(struct identify_job *job, err verdict)
{
    job->verdict = verdict;
    job->home.open = tell;
    mailbox_answer(job->mailbox, &job->home);
}

static void look_up(struct job *self, struct worker *worker)
{
    struct identify_job *job = CONTAINER(self, struct identify_job, job);
    struct device device;
    struct store_reader *reader = worker->api.reader;
    err failed = reader->get_device(reader, bytes_of_text(job->id), &device);
    if (err_is(failed, ERR_ABSENT))
        failed = &not_known;
    else if (!failed)
        failed = enrolment_covers(&device, &job->shown);
    give_verdict(job, failed);
}

static void turn_device_away(struct mail *mail)
{
    give_verdict(CONTAINER(mail, struct identify_job, job.mail), &over);
}

static err identify(struct registry *self, struct request *r)
{
    struct query_registry *registry = CONTAINER(self, struct query_registry, registry);
    static const struct job_kind kind = {sizeof(struct identify_job), look_up, turn_device_away};
    struct identify_job *job = (struct identify_job *)job_take(&kind);
    if (!job)
        return &no_memory;
    job->mailbox = registry->home;
    job->request = r;
    for (size_t i = 0; i < sizeof job->id; i++)
        job->id[i] = r->who->id[i];
    err failed = certificate_read(r->certificate, &job->shown);
    if (!failed)
        failed = mailbox_post(registry->desk->queries, &job->job.mail);
    if (failed)
        mem_drop(job);
    return failed;
}

void query_registry_open(struct query_registry *r, struct query_desk *desk, struct mailbox *home)
{
    *r = (struct query_registry){{identify}, desk, home};
}

/* ---- life */

static void finish(struct job *job, struct worker *worker)
{
    mem_drop(job);
    worker->over = true;
}

static err start(struct query_desk *desk, const struct query_desk_options *options)
{
    TRY(mailbox_open(options->waiting_max, &desk->queries));
    TRY(mailbox_open(options->waiting_max, &desk->sign_ins));
    for (size_t i = 0; i < desk->count; i++) {
        struct worker *worker = &desk->workers[i];
        bool signs_in = i + 1 == desk->count;
        worker->api = *options->api;
        worker->api.reader = options->readers[i];
        worker->api.signin_limit = signs_in ? options->signin_limit : NULL;
        worker->box = signs_in ? desk->sign_ins : desk->queries;
        if (pthread_create(&worker->thread, NULL, run, worker))
            return &no_thread;
        worker->started = true;
    }
    return OK;
}

err query_desk_start(const struct query_desk_options *options, struct query_desk **out)
{
    struct query_desk *desk = MEM_NEW(struct query_desk);
    if (!desk)
        return &no_memory;
    *desk = (struct query_desk){.desk = {ask}, .count = options->count + 1, .signin_limit = options->signin_limit};
    desk->workers = mem_take(desk->count, sizeof *desk->workers);
    *out = desk;
    return desk->workers ? start(desk, options) : &no_memory;
}

void query_desk_stop(struct query_desk *desk)
{
    static const struct job_kind last = {.size = sizeof(struct job), .work = finish};
    for (size_t i = 0; desk && i < desk->count; i++)
        if (desk->workers[i].started) {
            struct job *job = job_take(&last);
            if (job)
                mailbox_answer(desk->workers[i].box, &job->mail); /* never refused: stopping must not fail */
        }
    for (size_t i = 0; desk && i < desk->count; i++)
        if (desk->workers[i].started) {
            pthread_join(desk->workers[i].thread, NULL);
            desk->workers[i].started = false;
        }
}

void query_desk_close(struct query_desk *desk)
{
    if (!desk)
        return;
    query_desk_stop(desk);
    for (size_t i = 0; desk->workers && i < desk->count; i++)
        if (desk->workers[i].api.reader)
            desk->workers[i].api.reader->close(desk->workers[i].api.reader);
    mailbox_close(desk->queries);
    mailbox_close(desk->sign_ins);
    signin_limit_close(desk->signin_limit);
    mem_drop(desk->workers);
    mem_drop(desk);
}

struct desk *query_desk_desk(struct query_desk *desk)
{
    return &desk->desk;
}

size_t query_desk_waiting(struct query_desk *desk)
{
    struct mailbox_counts queries, sign_ins;
    mailbox_read_counts(desk->queries, &queries);
    mailbox_read_counts(desk->sign_ins, &sign_ins);
    return queries.waiting + sign_ins.waiting;
}
