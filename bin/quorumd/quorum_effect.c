/* SPDX-License-Identifier: BSD-3-Clause */
/* Effects waiting to be pulled: what must be kept, then what may be told. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum_internal.h"

static struct quorum_effect *
add(struct quorum *q, enum quorum_effect_kind kind)
{
	ENSURE(q->late_count < QUORUM_LATE_MAX);
	struct quorum_effect *effect = &q->late[q->late_count++];

	memset(effect, 0, sizeof *effect);
	effect->kind = kind;
	return effect;
}

void
quorum_effect_publish(struct quorum *q, const struct quorum_wire *wire)
{
	struct quorum_wire mine = *wire;
	struct text out;

	mine.run = q->run;
	ENSURE(q->out_len < sizeof q->out);
	text_init(&out, q->out + q->out_len, sizeof q->out - q->out_len);
	quorum_wire_put(&q->cfg, &mine, &out);
	ENSURE(!out.is_full && out.len <= QUORUM_MESSAGE_BYTES_MAX);
	struct quorum_effect *effect = add(q, QUORUM_OUT_PUBLISH);

	effect->publish.if_view = q->view;
	effect->publish.bytes = out.bytes;
	effect->publish.len = out.len;
	q->out_len += out.len + 1;
}

void
quorum_effect_answer(struct quorum *q, uint64_t cookie, enum quorum_answer code,
    const char *text)
{
	struct quorum_effect *effect = add(q, QUORUM_OUT_ANSWER);

	effect->answer.cookie = cookie;
	effect->answer.code = code;
	effect->answer.text = text;
}

static void
write_kept(struct quorum *q)
{
	struct quorum_wire wire = { .kind = QUORUM_WIRE_STATE,
		.said = q->said[q->self],
		.memory = q->memory,
		.view = q->sure_view,
		.members = q->sure_members,
		.run = q->run };
	struct text out;

	text_init(&out, q->kept, sizeof q->kept);
	quorum_wire_put(&q->cfg, &wire, &out);
	ENSURE(!out.is_full);
	q->kept_len = out.len;
}

bool
quorum_next(struct quorum *q, struct quorum_effect *out)
{
	memset(out, 0, sizeof *out);
	if (q->is_keep_due) {
		q->is_keep_due = false;
		write_kept(q);
		out->kind = QUORUM_OUT_KEEP;
		out->keep.bytes = q->kept;
		out->keep.len = q->kept_len;
		return true;
	}
	if (q->is_track_due) {
		q->is_track_due = false;
		out->kind = QUORUM_OUT_TRACK;
		out->track = q->tracked;
		return true;
	}
	if (q->is_record_due) {
		q->is_record_due = false;
		quorum_record_write(q);
		out->kind = QUORUM_OUT_RECORD;
		out->record.no = q->record_no;
		out->record.bytes = q->record;
		out->record.len = q->record_len;
		return true;
	}
	if (q->is_verdict_due) {
		q->is_verdict_due = false;
		out->kind = QUORUM_OUT_VERDICT;
		out->verdict = q->verdict;
		return true;
	}
	if (q->late_at == q->late_count)
		return false;
	*out = q->late[q->late_at++];
	return true;
}
