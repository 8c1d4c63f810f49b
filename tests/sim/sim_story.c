/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_story.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/base/text.h"

#include "tests/sim/sim.h"

enum { STORY_LINE_BYTES = 1024 };

static const char *const story_states[TOTEM_STATES] = {
	[TOTEM_STATE_OPERATIONAL] = "operational",
	[TOTEM_STATE_GATHER] = "gather",
	[TOTEM_STATE_COMMIT] = "commit",
	[TOTEM_STATE_RECOVERY] = "recovery",
	[TOTEM_STATE_LEFT] = "left",
};

static void
print_head(const struct sim *sim, const struct sim_node *node)
{
	printf("%4llu.%09llu ", (unsigned long long)(sim->now_ns / 1000000000),
	    (unsigned long long)(sim->now_ns % 1000000000));
	if (node)
		printf("%2u: ", (unsigned)node->id);
	else
		printf(" *: ");
}

void
sim_tell(struct sim *sim, const struct sim_node *node, const char *format, ...)
{
	va_list args;

	if (sim->story == SIM_STORY_NONE)
		return;
	print_head(sim, node);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void
put_nodes(struct text *text, const struct totem_nodes *nodes)
{
	text_put_char(text, '{');
	for (uint32_t i = 0; i < nodes->count; i++) {
		if (i > 0)
			text_put_char(text, ',');
		text_put_u64(text, nodes->id[i]);
	}
	text_put_char(text, '}');
}

void
sim_story_send(struct sim *sim, const struct sim_node *node,
    const struct totem_effect *effect)
{
	char line[STORY_LINE_BYTES];
	struct text text;

	text_init(&text, line, sizeof(line));
	put_nodes(&text, effect->send.to);
	text_put_char(&text, ' ');
	totem_packet_text(effect->send.bytes, effect->send.len, &text);
	sim_tell(sim, node, "  -> %s", line);
}

void
sim_story_receive(struct sim *sim, const struct sim_node *node,
    const struct sim_packet *packet)
{
	char line[STORY_LINE_BYTES];
	struct text text;

	text_init(&text, line, sizeof(line));
	totem_packet_text(packet->bytes, packet->len, &text);
	sim_tell(sim, node, "  <- %u %s", (unsigned)sim->node[packet->from].id,
	    line);
}

void
sim_story_trace(struct sim *sim, const struct sim_node *node,
    const struct totem_trace *trace)
{
	char line[STORY_LINE_BYTES];
	struct text text;

	text_init(&text, line, sizeof(line));
	totem_trace_text(trace, &text);
	sim_tell(sim, node, "[%s] %s", story_states[trace->state], line);
}

void
sim_story_view(
    struct sim *sim, const struct sim_node *node, const struct totem_view *view)
{
	char line[STORY_LINE_BYTES];
	struct text text;

	text_init(&text, line, sizeof(line));
	if (view->phase == TOTEM_PHASE_TRANSITIONAL)
		text_put(&text, "transitional view of ");
	else
		text_put(&text, "view ");
	totem_ring_text(view->ring, &text);
	text_put_char(&text, ' ');
	put_nodes(&text, &view->members);
	text_put(
	    &text, view->phase == TOTEM_PHASE_REGULAR ? " joined " : " left ");
	put_nodes(&text,
	    view->phase == TOTEM_PHASE_REGULAR ? &view->joined : &view->left);
	text_put(&text, " reason ");
	text_put(&text, totem_reason_name(view->reason));
	sim_tell(sim, node, "%s", line);
}

void
sim_story_deliver(struct sim *sim, const struct sim_node *node,
    const struct totem_delivery *deliver)
{
	char line[STORY_LINE_BYTES];
	struct text text;

	text_init(&text, line, sizeof(line));
	totem_ring_text(deliver->ring, &text);
	sim_tell(sim, node, "delivers %u/%llu from %u.%llu %s %s at %s:%llu.%u",
	    (unsigned)deliver->len, (unsigned long long)deliver->msg_no,
	    (unsigned)deliver->node, (unsigned long long)deliver->incarnation,
	    deliver->service == TOTEM_SAFE ? "safe" : "agreed",
	    deliver->phase == TOTEM_PHASE_REGULAR ? "regular" : "transitional",
	    line, (unsigned long long)deliver->seq, (unsigned)deliver->idx);
}

/* ---- hash -------------------------------------------------------------- */

static void
fold(struct sim *sim, uint64_t word)
{
	uint64_t hash = (sim->hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);

	sim->hash = hash ^ hash >> 29;
}

void
sim_hash(struct sim *sim, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (; len >= 8; len -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		fold(sim, word);
	}
	for (; len > 0; len--)
		fold(sim, *at++);
}

static void
fold_nodes(struct sim *sim, const struct totem_nodes *nodes)
{
	sim_hash(sim, nodes->id, nodes->count * sizeof(nodes->id[0]));
}

static void
fold_ring(struct sim *sim, struct totem_ring_id ring)
{
	fold(sim, ring.seq);
	fold(sim, (uint64_t)ring.rep << 32 | ring.nonce);
}

static void
fold_deliver(struct sim *sim, const struct totem_delivery *deliver)
{
	fold_ring(sim, deliver->ring);
	fold(sim, deliver->seq);
	fold(sim, deliver->idx);
	fold(sim, deliver->msg_no);
	fold(sim, (uint64_t)deliver->phase << 32 | deliver->node);
	sim_hash(sim, deliver->bytes, deliver->len);
}

void
sim_story_hash(struct sim *sim, const struct sim_node *node,
    const struct totem_effect *effect)
{
	if (effect->kind == TOTEM_OUT_TRACE)
		return;
	fold(sim, sim->now_ns);
	fold(sim, (uint64_t)effect->kind << 32 | node->id);
	if (effect->kind == TOTEM_OUT_SEND) {
		fold_nodes(sim, effect->send.to);
		sim_hash(sim, effect->send.bytes, effect->send.len);
	} else if (effect->kind == TOTEM_OUT_DELIVER) {
		fold_deliver(sim, &effect->deliver);
	} else if (effect->kind == TOTEM_OUT_VIEW) {
		fold_ring(sim, effect->view->ring);
		fold_nodes(sim, &effect->view->members);
		fold_nodes(sim, &effect->view->joined);
		fold_nodes(sim, &effect->view->left);
	} else if (effect->kind == TOTEM_OUT_PERSIST) {
		fold(sim, effect->persist_ring_seq);
	}
}
