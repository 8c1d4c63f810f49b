/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_version.h"

#include <inttypes.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/text.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_scope.h"
#include "bin/cfgstore/cfgstore_write.h"

struct cfgstore_version_show cfgstore_version_show;

void
cfgstore_version_read(struct cfgstore_link *link, const char *key, uint64_t at,
    struct cfgstore_version *out)
{
	char bytes[LIMIT_REQUEST_BYTES];
	struct ask_line line;
	struct text text;

	*out = (struct cfgstore_version){ .rev = 0 };
	cfgstore_link_begin(link, false);
	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "get");
	cfgstore_scope_put_key(&text, key, strlen(key));
	if (at != UINT64_MAX) {
		text_put(&text, " rev=");
		text_put_u64(&text, at);
	}
	cfgstore_link_put_line(link, &text);
	if (cfgstore_link_next(link, &line) == ASK_OK) {
		out->rev = cfgstore_link_u64(&line, "rev");
		cfgstore_bytes_put(&out->value, line.data, line.len);
	} else if (cfgstore_link_is_no(&line, "compacted")) {
		tool_fail(EXITCODE_UNAVAILABLE,
		    "revision %" PRIu64 " is not kept any more", at);
	}
}

int
cfgstore_version_replace(struct cfgstore_link *link, const char *key,
    uint64_t rev, const struct cfgstore_bytes *value)
{
	struct cfgstore_write write = { .condition = NULL };
	struct cfgstore_bytes name = { .at = NULL };
	struct ask_line line;
	bool is_done;

	cfgstore_bytes_put_string(&name, key);
	cfgstore_write_if(&write,
	    &(struct cfgstore_condition){ .kind = CFGSTORE_IF_REV,
		.rev = rev,
		.key = name.at,
		.key_len = name.len },
	    NULL);
	if (value != NULL)
		cfgstore_write_put(&write, &name, value, NULL);
	else
		cfgstore_write_del(&write, &name);
	is_done = cfgstore_write_send(&write, link, &line);
	cfgstore_write_show(&line, is_done, cfgstore_version_show.is_json,
	    cfgstore_version_show.fields);
	cfgstore_write_clear(&write);
	cfgstore_bytes_free(&name);
	return is_done ? EXITCODE_OK : EXITCODE_FALSE;
}
