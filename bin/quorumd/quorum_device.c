/* SPDX-License-Identifier: BSD-3-Clause */
/* The votes of somebody outside: for one view, and for a while. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum_internal.h"

#define MS_NS    UINT64_C(1000000)
#define SLACK_NS UINT64_C(1000000000) /* for others to end a vote */

static bool
is_same_view(struct parse_view a, struct parse_view b)
{
	return a.rep == b.rep && a.seq == b.seq;
}

void
quorum_device_ask(struct quorum *q, const struct quorum_input *in)
{
	uint64_t ttl_ns =
	    in->vote.ttl_ns != 0 ? in->vote.ttl_ns : q->cfg.device_timeout_ns;
	struct quorum_wire wire = {
		.kind = QUORUM_WIRE_VOTE,
		.is_yes = in->vote.is_yes,
		.ttl_ms = num_min(ttl_ns / MS_NS, UINT32_MAX),
		.name = in->vote.name != NULL ? in->vote.name : "",
	};

	if (q->device_votes == 0) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_BAD,
		    "there is no device in the configuration");
		return;
	}
	if (strlen(wire.name) > QUORUM_NAME_BYTES) {
		quorum_effect_answer(
		    q, in->cookie, QUORUM_ANSWER_BAD, "the name is too long");
		return;
	}
	if (!q->is_in_view || !is_same_view(in->vote.view, q->view)) {
		quorum_effect_answer(
		    q, in->cookie, QUORUM_ANSWER_VIEW, "not the present view");
		return;
	}
	struct quorum_request *request =
	    quorum_request_open(q, QUORUM_REQUEST_VOTE, in);

	if (request == NULL)
		return;
	wire.no = request->no;
	quorum_effect_publish(q, &wire);
}

/* A vote that a view's end brought is a vote for a view that is no more. */
void
quorum_device_cast(struct quorum *q, size_t sender,
    const struct quorum_wire *wire, const struct quorum_input *in)
{
	struct quorum_device *device = &q->device[sender];
	struct quorum_request *request =
	    sender == q->self ? quorum_request_find(q, wire->no) : NULL;
	/* Who relayed it ends it; the others, should that one not. */
	uint64_t since_ns = request != NULL
	    ? request->since_ns
	    : in->now_ns + (sender == q->self ? 0 : SLACK_NS);
	struct text name;

	if (request != NULL)
		quorum_request_answer(q, request,
		    in->message.is_transitional ? QUORUM_ANSWER_VIEW
						: QUORUM_ANSWER_OK,
		    in->message.is_transitional ? "not the present view" : "");
	if (in->message.is_transitional || q->device_votes == 0)
		return;
	*device = (struct quorum_device){
		.is_yes = wire->is_yes,
		.at = q->pos,
		.until_ns = since_ns + wire->ttl_ms * MS_NS,
	};
	text_init(&name, q->device_name, sizeof q->device_name);
	text_put(&name, wire->name);
	q->reason = QUORUM_REASON_DEVICE;
}

void
quorum_device_expire(struct quorum *q, const struct quorum_wire *wire)
{
	size_t place = quorum_config_place(&q->cfg, wire->node);

	if (place == LIMIT_NODES || !q->device[place].is_yes ||
	    quorum_epoch_order(&wire->at, &q->device[place].at) != 0)
		return;
	q->device[place].is_yes = false;
	q->reason = QUORUM_REASON_VOTE_EXPIRED;
}

/* Somebody came who has not heard the vote that we relayed. */
void
quorum_device_repeat(struct quorum *q)
{
	const struct quorum_device *device = &q->device[q->self];
	struct quorum_wire wire = { .kind = QUORUM_WIRE_VOTE,
		.is_yes = true,
		.ttl_ms = num_sub(device->until_ns, q->now_ns) / MS_NS,
		.name = q->device_name };

	if (device->is_yes && wire.ttl_ms > 0)
		quorum_effect_publish(q, &wire);
}

/* Time alone changes no verdict: the end of a vote is proposed. */
void
quorum_device_time(struct quorum *q)
{
	for (size_t i = 0; i < q->cfg.node_count; i++) {
		struct quorum_device *device = &q->device[i];
		struct quorum_wire wire = { .kind = QUORUM_WIRE_EXPIRE,
			.node = q->cfg.node[i].id,
			.at = device->at };

		if (!device->is_yes || device->until_ns > q->now_ns)
			continue;
		quorum_effect_publish(q, &wire);
		device->until_ns = q->now_ns + SLACK_NS;
	}
}

void
quorum_device_keep(struct quorum *q, uint64_t set)
{
	for (size_t i = 0; i < LIMIT_NODES; i++)
		if (!(set & QUORUM_BIT(i)))
			q->device[i] = (struct quorum_device){ 0 };
}

uint64_t
quorum_device_deadline_ns(const struct quorum *q)
{
	uint64_t deadline = QUORUM_NEVER;

	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (q->device[i].is_yes)
			deadline = num_min(deadline, q->device[i].until_ns);
	return deadline;
}
