/* SPDX-License-Identifier: BSD-3-Clause */
/* The start: what is on disk becomes the log and the state again. */
#include <errno.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

int
replica_load_snapshot(
    struct replica *r, const struct kv_tip *tip, const void *words, size_t len)
{
	struct rdbuf rd;

	replica_forget_log(r);
	rdbuf_init(&rd, words, len);
	if (tip->index == 0 || !replica_wire_get_meta(&rd, &r->meta) ||
	    !rdbuf_is_done(&rd))
		return -EINVAL;
	r->applied_meta = r->meta;
	r->applied = r->acked = tip->index;
	r->is_kv_void = true;
	replica_window_clear(&r->win, tip);
	return 0;
}

int
replica_load_state(struct replica *r, const void *bytes, size_t len)
{
	int error = kv_reader_take(&r->reader, bytes, len);

	if (r->reader.is_done)
		r->is_kv_void = false;
	return error == KV_READER_E_VERSION ? -EPROTONOSUPPORT : error;
}

static bool
is_foreign(const struct kv_log_frame *record)
{
	struct replica_commands commands;
	struct replica_command command;

	if (!replica_wire_get_commands(record->bytes, record->len, &commands))
		return false;
	for (size_t i = 0; i < commands.count; i++) {
		replica_wire_next_command(&commands.items, &command);
		if (kv_command_is_foreign(command.bytes, command.len))
			return true;
	}
	return false;
}

int
replica_load_record(struct replica *r, const struct kv_log_frame *record)
{
	if (r->is_kv_void || record->tip.index != r->win.end ||
	    record->len == 0)
		return -EINVAL;
	if (is_foreign(record))
		return -EPROTONOSUPPORT;
	r->acked = num_max(r->acked, num_min(record->acked, record->tip.index));
	r->given = r->win.end - 1;
	/* What came before is applied now that it is known to count. */
	replica_log_apply(r);
	if (!replica_window_push(
		&r->win, &record->tip, record->bytes, record->len, r->applied))
		return -ENOSPC;
	replica_log_follow(
	    &r->meta, record->tip.index, record->bytes, record->len);
	return 0;
}

/* Electorates are told again by the next OPEN; these only say who may. */
static void
follow_again(struct replica *r)
{
	struct replica_record record;

	r->meta = r->applied_meta;
	for (uint64_t i = r->applied + 1;
	     replica_window_get(&r->win, i, &record); i++)
		replica_log_follow(&r->meta, i, record.bytes, record.len);
}

void
replica_load_cut(struct replica *r, uint64_t index)
{
	if (index <= r->applied || index >= r->win.end)
		return;
	replica_window_cut(&r->win, index - 1);
	follow_again(r);
}

void
replica_loaded(struct replica *r, enum replica_health health,
    const struct kv_tip *tip, uint64_t acked)
{
	struct kv_tip end = replica_window_tip(&r->win);

	if (health == REPLICA_GOOD && kv_tip_compare(&end, tip) == 0 &&
	    !r->is_kv_void) {
		r->is_verified = true;
		r->acked = num_max(r->acked, num_min(acked, end.index));
		r->given = end.index;
		replica_log_apply(r);
		return;
	}
	replica_forget_log(r);
	r->is_blank = health == REPLICA_BLANK;
	if (!r->is_blank)
		replica_log(r,
		    "the files are damaged: this node's log counts "
		    "nothing until it is fetched again");
}
