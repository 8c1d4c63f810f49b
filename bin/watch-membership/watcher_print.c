/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/watch-membership/watcher_print.h"

#include <string.h>

#include "libcommon/base/word.h"
#include "libcommon/os/record.h"

enum { KEY_BYTES = 64 };

const char watcher_fields[] =
    "event,node,name,addr,state,inc,local,version,since_ms,tags,reason,why,"
    "was,view,prev,members,joined,left,reasons,ms,coordinator,quorate,votes,"
    "needed,expected,basis,pos,cursor,key,old,new,by,method,lost,seq,ts";

static void
put_field(
    struct out *out, const char *event, struct word *word, const char *key)
{
	if (strcmp(key, "event") == 0) {
		out_put_string(out, event);
		return;
	}
	for (size_t i = 0; i < word->pair_count; i++) {
		const struct word_pair *pair = &word->pair[i];

		if (strcmp(pair->key, key) != 0)
			continue;
		if (pair->is_raw)
			out_put(out, pair->value, pair->len);
		else
			out_put_value(out, pair->value, pair->len);
		return;
	}
	/* So that `set -- $line` counts right. */
	out_put_string(out, "-");
}

static void
put_fields(
    struct watcher_printer *printer, const char *event, struct word *word)
{
	const char *at = printer->fields;
	char key[KEY_BYTES];

	for (;;) {
		size_t len = strcspn(at, ",");

		memcpy(key, at, len);
		key[len] = '\0';
		put_field(&printer->out, event, word, key);
		if (at[len] == '\0')
			return;
		out_put(&printer->out, " ", 1);
		at += len + 1;
	}
}

void
watcher_print(
    struct watcher_printer *printer, const char *event, struct word *word)
{
	struct out *out = &printer->out;

	if (printer->fields != NULL) {
		put_fields(printer, event, word);
	} else if (printer->is_json) {
		record_put_json(out, "event", event, word);
		out_put_string(out, "}");
	} else {
		record_put(out, event, word);
	}
	out_put(out, printer->is_null ? "" : "\n", 1);
	out_end(out);
}
