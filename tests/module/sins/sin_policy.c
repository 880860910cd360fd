/* Issues what is asked for, unless the request's attribute Sin names something to do first. */
#include <chancery/easy_module.h>
#include <stdio.h>
#include <string.h>

#include "sin.h"

#ifndef SIN_VERSION
#define SIN_VERSION "1.0"
#endif

#ifndef SIN_NAME
#define SIN_NAME "sin-policy"
#endif
#ifdef CROWD /* calls may overlap: nothing here is shared but what a sin leaves behind */
#undef CHY_MODULE_HEADER
#define CHY_MODULE_HEADER(type, iface)                                                             \
    {                                                                                              \
        sizeof(type), CHY_ABI_VERSION, iface, CHY_IF_CONCURRENT                                    \
    }
#endif

static chy_hresult init(chy_task *task)
{
    char start[32];
    chy_hresult hr = chy_setting_text(task->host, "Start", "", start, sizeof start);
    if (hr == CHY_S_OK && strcmp(start, "fail") == 0) return CHY_E_FAIL;
    char said[128];
    if (hr == CHY_S_OK && *start) (void)sin_commit(task, start, said, sizeof said);
    return CHY_S_OK;
}

static chy_long verify(chy_task *task)
{
    char sin[32] = "", said[256] = "", name[256];
    if (chy_attribute_text(task, "Sin", "", sin, sizeof sin) == CHY_S_OK && *sin) {
        if (!sin_commit(task, sin, said, sizeof said)) snprintf(said, sizeof said, "unknown sin");
        return chy_deny(task, CHY_E_ACCESSDENIED, said);
    }
    if (CHY_FAILED(chy_request_text(task, "CommonName", name, sizeof name)))
        return chy_deny(task, CHY_E_ACCESSDENIED, "no name");
    chy_set_subject(task, name);
    chy_set_dns_name(task, name);
    chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
    chy_set_purpose(task, CHY_EKU_SERVER_AUTH);
    return CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE(SIN_NAME, "Sin.Policy", SIN_VERSION, "A sinner", char, init, verify);
