/* A policy module: no certificate ends on a night or a weekend. The end of its validity goes back
 * to the last Tuesday, Wednesday or Thursday, at the hour UTC that Hour says, so that somebody is
 * there when a renewal was forgotten. */
#include <chancery/easy.h>

struct rules {
    chy_long hour;
};

static const chy_time day = INT64_C(86400000000), hour = INT64_C(3600000000);

static chy_hresult init(chy_task *task)
{
    struct rules *r = task->state;
    chy_hresult hr = chy_setting_long(task->host, "Hour", 10, &r->hour);
    if (CHY_SUCCEEDED(hr) && r->hour >= 0 && r->hour <= 23) return CHY_S_OK;
    chy_say(task, CHY_LOG_ERROR, "policy-work-hours: Hour is a number from 0 to 23");
    return CHY_E_INVALIDARG;
}

/* 1 January 1970 was a Thursday: day 0 of a week that begins there. */
static chy_time at_work(chy_time t, chy_long at)
{
    chy_time when = t - t % day - (at * hour > t % day ? day : 0) + at * hour;
    for (chy_time weekday = when / day % 7; weekday >= 1 && weekday <= 4; weekday--)
        when -= day; /* Friday to Monday go back to Thursday */
    return when;
}

static chy_long verify(chy_task *task)
{
    const struct rules *r = task->state;
    chy_time until;
    if (!chy_may_enrol(task))
        return chy_deny(task, CHY_CERTSRV_E_ENROLL_DENIED, "you may not enrol at this CA");
    chy_hresult hr = chy_cert_time(task, "NotAfter", &until);
    if (CHY_FAILED(hr) || until < 7 * day) return CHY_E_UNEXPECTED;
    chy_set_time(task, "NotAfter", at_work(until, r->hour));
    chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
    chy_set_purpose(task, CHY_EKU_CLIENT_AUTH);
    return CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE("policy-work-hours", "PolicyWorkHours.Policy", "1.0",
                  "Certificates end on a working morning", struct rules, init, verify);
