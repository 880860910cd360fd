/* What a call's line carries of the request, the certificate and the CA, so that most programs need
 * no callback. */
#ifndef EXEC_DESCRIBE_H
#define EXEC_DESCRIBE_H

#include <chancery/easy.h>

#include "kit/text.h"

/* Each adds members behind an open brace. What there is not is left out; what cannot be read fails.
 */
chy_hresult describe_ca(chy_task *task, struct kit_text *t);
chy_hresult describe_event(chy_task *task, chy_long event, struct kit_text *t);
/* "request", "certificate", "attributes", "names", "extensions" */
chy_hresult describe_request(chy_task *task, struct kit_text *t);

#endif
