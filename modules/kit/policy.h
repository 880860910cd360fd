/* What a policy module fills in. */
#ifndef KIT_POLICY_H
#define KIT_POLICY_H

#include "kit/object.h"

#define KIT_POLICY_MODULE(cls, name, class_name) KIT_MODULE(cls, name, class_name)

#endif
