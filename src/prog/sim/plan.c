/* What each unit of the fleet will do. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/plan.h"

#include "base/text.h"
#include "prog/sim/mischief.h"

static const struct fault no_mixture = {ERR_MALFORMED,
                                        "plan: not a profile, or profiles with shares: telemetry:90,bad:10"};

enum { BACKOFF_MS = 500, BACKOFF_DOUBLINGS = 6, SHARE_MAX = 1000000 };

static const char *const names[PROFILES] = {[PROFILE_TELEMETRY] = "telemetry",
                                            [PROFILE_STORM] = "storm",
                                            [PROFILE_SLOW] = "slow",
                                            [PROFILE_BAD] = "bad",
                                            [PROFILE_IDLE] = "idle"};

const char *profile_name(enum profile profile)
{
    return names[profile];
}

static err read_one(struct bytes text, struct mixture *out)
{
    struct bytes name = bytes_cut(&text, ':');
    uint64_t share = 1;
    if (text.len)
        TRY(text_to_u64(text, &share));
    if (!share || share > SHARE_MAX)
        return &no_mixture;
    for (unsigned i = 0; i < PROFILES; i++)
        if (bytes_is(name, names[i]) && !out->shares[i]) {
            out->shares[i] = (uint32_t)share;
            return OK;
        }
    return &no_mixture;
}

err mixture_read(struct bytes text, struct mixture *out)
{
    *out = (struct mixture){0};
    do
        TRY(read_one(bytes_cut(&text, ','), out));
    while (text.len);
    return OK;
}

static enum profile profile_of(const struct mixture *mixture, double share)
{
    uint64_t all = 0, behind = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < PROFILES; i++)
        all += mixture->shares[i];
    for (unsigned i = 0; i < PROFILES; i++) {
        behind += mixture->shares[i];
        if (mixture->shares[i])
            last = i;
        if (share * (double)all < (double)behind)
            break;
    }
    return (enum profile)last;
}

struct plan plan_of(const struct plan_wishes *wishes, uint64_t unit)
{
    const struct chance chance = {wishes->seed, unit};
    return (struct plan){
        .chance = chance,
        .profile = profile_of(&wishes->mixture, chance_share(chance, CHANCE_PROFILE, 0)),
        .start_ms = (uint32_t)(chance_share(chance, CHANCE_START, 0) * wishes->arrive_ms),
        .interval_ms = wishes->interval_ms,
        .mischief = (uint32_t)(chance_bits(chance, CHANCE_MISCHIEF, 0) % MISCHIEFS),
    };
}

uint32_t plan_wait_ms(const struct plan *plan, uint64_t nth)
{
    double share = chance_share(plan->chance, CHANCE_PHASE, nth);
    double times = nth ? 0.8 + 0.4 * share : share;
    return (uint32_t)(times * plan->interval_ms);
}

uint32_t plan_backoff_ms(const struct plan *plan, uint64_t nth)
{
    uint32_t whole = (uint32_t)BACKOFF_MS << (nth < BACKOFF_DOUBLINGS ? nth : BACKOFF_DOUBLINGS);
    return whole / 2 + (uint32_t)(chance_share(plan->chance, CHANCE_BACKOFF, nth) * whole / 2);
}

void plan_put(const struct plan *plan, uint64_t unit, struct buffer *out)
{
    put_format(out, "{\"unit\":%llu,\"profile\":\"%s\",\"start_ms\":%u,\"waits_ms\":[%u,%u,%u]",
               (unsigned long long)unit, names[plan->profile], plan->start_ms, plan_wait_ms(plan, 0),
               plan_wait_ms(plan, 1), plan_wait_ms(plan, 2));
    if (plan->profile == PROFILE_BAD)
        put_format(out, ",\"mischief\":\"%s\"", mischiefs[plan->mischief].name);
    put_text(out, "}\n");
}
