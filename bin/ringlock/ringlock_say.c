/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringlock/ringlock_say.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/os/daemon.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"

static void
put_member(struct out *out, const char *key, const char *value, bool is_json)
{
	if (is_json) {
		record_put_json_bytes(out, key, value, strlen(value));
		return;
	}
	out_put_string(out, " ");
	out_put_string(out, key);
	out_put_string(out, "=");
	out_put_value(out, value, strlen(value));
}

static void
put_number(struct out *out, const char *key, uint64_t number, bool is_json)
{
	out_put_string(out, is_json ? ",\"" : " ");
	out_put_string(out, key);
	out_put_string(out, is_json ? "\":" : "=");
	out_put_u64(out, number);
}

int
ringlock_say_event(struct out *out, const struct ringlock_options *options,
    const char *event, const struct lock_effect *effect)
{
	bool is_json = options->is_json;

	if (options->command != NULL)
		return 0;
	out_put_string(out, is_json ? "{\"v\":1,\"event\":\"" : "");
	out_put_string(out, event);
	out_put_string(out, is_json ? "\"" : "");
	put_member(out, "name", options->lock.name, is_json);
	put_number(out, "slot", effect->slot, is_json);
	put_number(out, "token", effect->token, is_json);
	if (effect->text != NULL)
		put_member(out, "why", effect->text, is_json);
	out_put_string(out, is_json ? "}\n" : "\n");
	out_end(out);
	return out_flush(out);
}

void
ringlock_say_ready(const char *name, const struct lock_effect *effect)
{
	char lines[LOCK_NAME_BYTES_MAX + 80];

	(void)snprintf(lines, sizeof lines,
	    "READY=1\nSTATUS=holds %s, token %llu\n", name,
	    (unsigned long long)effect->token);
	daemon_notify(lines);
}

void
ringlock_say_stopping(void)
{
	static bool is_said;

	if (!is_said)
		daemon_notify("STOPPING=1\n");
	is_said = true;
}
