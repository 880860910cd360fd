// A policy module in C++17: the host names that may have a certificate stand in the file that the
// setting File names, one a line. A refresh reads it again.
#include <chancery/easy.h>
#include <fstream>
#include <set>
#include <string>

namespace
{
struct rules {
    std::set<std::string> *names; // the state is zeroed memory: what it owns, it points to
};

chy_hresult init(chy_task *task)
{
    char file[1024];
    auto *r = static_cast<rules *>(task->state);
    chy_hresult hr = chy_setting_text(task->host, "File", "", file, sizeof file);
    std::ifstream in(file);
    if (CHY_FAILED(hr) || file[0] != '/' || !in) {
        chy_say(task, CHY_LOG_ERROR, "policy-list: File is the absolute path of a readable file");
        return CHY_E_INVALIDARG;
    }
    try { // nothing may be thrown across the border
        r->names = new std::set<std::string>;
        for (std::string line; std::getline(in, line);)
            if (!line.empty() && line[0] != '#') r->names->insert(line);
    } catch (const std::exception &) {
        return CHY_E_OUTOFMEMORY;
    }
    return CHY_S_OK;
}

void done(const chy_host *, void *state)
{
    delete static_cast<rules *>(state)->names;
}

chy_long verify(chy_task *task)
try {
    const auto *r = static_cast<const rules *>(task->state);
    char name[256];
    if (!chy_may_enrol(task))
        return chy_deny(task, CHY_CERTSRV_E_ENROLL_DENIED, "you may not enrol at this CA");
    if (CHY_FAILED(chy_request_text(task, "CommonName", name, sizeof name)) ||
        !r->names->count(name))
        return chy_deny(task, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "this host is not on the list");
    chy_set_subject(task, name);
    chy_set_dns_name(task, name);
    chy_set_key_usage(task, CHY_KU_DIGITAL_SIGNATURE);
    chy_set_purpose(task, CHY_EKU_SERVER_AUTH);
    return CHY_VR_INSTANT_OK;
} catch (const std::exception &) {
    return CHY_E_OUTOFMEMORY;
}
} // namespace

CHY_POLICY_MODULE_DONE("policy-list", "PolicyList.Policy", "1.0", "Hosts from a list", rules, init,
                       verify, done);
