/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/ringlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

/* ---- making and ending ------------------------------------------------- */

void
ringlet_config(struct totem_config *config)
{
	totem_config_default(config);
	config->config_hash = 7;
}

void
ringlet_open(
    struct ringlet *r, uint32_t count, const struct totem_config *config)
{
	ENSURE(count <= LIMIT_NODES);
	memset(r, 0, sizeof *r);
	if (config != NULL)
		r->config = *config;
	else
		ringlet_config(&r->config);
	r->count = r->config.node_count = count;
	for (uint32_t i = 0; i < count; i++)
		r->config.nodes[i] = i + 1;
	r->now_ns = 1000 * RINGLET_MS;
	r->latency_ns = 50 * 1000;
	r->seed = 1;
}

void
ringlet_close(struct ringlet *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		ringlet_kill(r, i);
		free(r->node[i].notes);
	}
	while (r->first != NULL) {
		struct ringlet_packet *packet = r->first;
		r->first = packet->next;
		free(packet);
	}
	memset(r, 0, sizeof *r);
}

void
ringlet_kill(struct ringlet *r, uint32_t idx)
{
	struct ringlet_node *node = &r->node[idx];

	free(node->memory);
	node->memory = NULL;
	node->core = NULL;
	node->is_idle_due = false;
	node->persist_due = 0;
}

/* ---- notes ------------------------------------------------------------- */

uint64_t
ringlet_sum(const void *bytes, size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325) + len;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ ((const uint8_t *)bytes)[i]) *
		    UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t
set_of(const struct totem_nodes *nodes)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < nodes->count; i++)
		set |= UINT64_C(1) << (nodes->id[i] - 1);
	return set;
}

static void
note_view(struct ringlet_note *note, const struct totem_view *view)
{
	note->phase = view->phase;
	note->ring = view->ring;
	note->next = view->next;
	note->members = set_of(&view->members);
	note->joined = set_of(&view->joined);
	note->left = set_of(&view->left);
	note->reason = view->reason;
	if (view->left.count > 0)
		note->left_reason = view->left_reason[view->left.count - 1];
}

static struct ringlet_note *
new_note(struct ringlet *r, struct ringlet_node *node)
{
	if (node->note_count == node->note_size) {
		node->note_size = num_max(64, 2 * node->note_size);
		node->notes =
		    realloc(node->notes, node->note_size * sizeof *node->notes);
		ENSURE(node->notes != NULL);
	}
	struct ringlet_note *note = &node->notes[node->note_count++];
	*note = (struct ringlet_note){ .at_ns = r->now_ns };
	return note;
}

static void
take_note(struct ringlet *r, uint32_t idx, const struct totem_effect *effect)
{
	struct ringlet_note *note = new_note(r, &r->node[idx]);

	note->kind = effect->kind;
	if (effect->kind == TOTEM_OUT_DELIVER) {
		note->deliver = effect->deliver;
		note->sum =
		    ringlet_sum(effect->deliver.bytes, effect->deliver.len);
		note->deliver.bytes = NULL;
	} else if (effect->kind == TOTEM_OUT_VIEW) {
		note_view(note, effect->view);
	} else if (effect->kind == TOTEM_OUT_DROPPED) {
		note->value = effect->dropped_msg_no;
	} else if (effect->kind == TOTEM_OUT_PERSIST) {
		note->value = effect->persist_ring_seq;
	} else if (effect->kind == TOTEM_OUT_PAUSED) {
		note->value = effect->pause_ns;
	}
}

/* ---- effects ----------------------------------------------------------- */

static void
put_packet(struct ringlet *r, struct ringlet_packet *packet)
{
	struct ringlet_packet **at = &r->first;

	if (r->first != NULL && r->last->at_ns <= packet->at_ns)
		at = &r->last->next;
	while (*at != NULL && (*at)->at_ns <= packet->at_ns)
		at = &(*at)->next;
	packet->next = *at;
	*at = packet;
	if (packet->next == NULL)
		r->last = packet;
}

static void
send(struct ringlet *r, uint32_t from, const struct totem_effect *effect)
{
	for (uint32_t i = 0; i < effect->send.to->count; i++) {
		size_t len = effect->send.len;
		struct ringlet_packet *packet = malloc(sizeof *packet + len);
		ENSURE(packet != NULL);
		packet->from = from;
		packet->to = effect->send.to->id[i] - 1;
		packet->at_ns = num_max(r->now_ns + r->latency_ns,
		    r->node[packet->to].paused_until_ns);
		packet->incarnation = r->node[from].incarnation;
		packet->len = len;
		memcpy(packet->bytes, effect->send.bytes, len);
		if (r->filter != NULL && !r->filter(r, packet))
			free(packet);
		else
			put_packet(r, packet);
	}
	r->node[from].sent[effect->send.packet]++;
}

static void
pull(struct ringlet *r, uint32_t idx)
{
	struct ringlet_node *node = &r->node[idx];
	struct totem_input gate = { .kind = TOTEM_IN_GATE };
	struct totem_effect effect;
	bool is_open = false;

	while (totem_next(node->core, &effect)) {
		if (effect.kind == TOTEM_OUT_SEND)
			send(r, idx, &effect);
		else if (effect.kind != TOTEM_OUT_TRACE)
			take_note(r, idx, &effect);
		if (effect.kind == TOTEM_OUT_PERSIST)
			node->persist_due = effect.persist_ring_seq;
		is_open |= effect.kind == TOTEM_OUT_VIEW &&
		    effect.view->phase == TOTEM_PHASE_REGULAR;
		if (effect.kind == TOTEM_OUT_VIEW)
			gate.gate = effect.view->ring;
	}
	if (!r->is_unchecked)
		totem_check(node->core);
	if (is_open && !r->is_gate_manual)
		ringlet_step(r, idx, &gate);
}

void
ringlet_step(struct ringlet *r, uint32_t idx, struct totem_input *in)
{
	struct ringlet_node *node = &r->node[idx];

	ENSURE(node->core != NULL);
	in->now_ns = r->now_ns;
	totem_step(node->core, in);
	node->is_idle_due |= in->kind != TOTEM_IN_IDLE;
	pull(r, idx);
	if (node->persist_due == 0 || r->is_persist_manual)
		return;
	struct totem_input done = { .kind = TOTEM_IN_PERSISTED,
		.persisted_ring_seq = node->persist_due };
	node->ring_seq = node->persist_due;
	node->persist_due = 0;
	ringlet_step(r, idx, &done);
}

void
ringlet_start(struct ringlet *r, uint32_t idx)
{
	struct ringlet_node *node = &r->node[idx];
	struct totem_config config = r->config;
	struct arena arena;

	ringlet_kill(r, idx);
	node->incarnation++;
	struct totem_boot boot = { .now_ns = r->now_ns,
		.incarnation = node->incarnation,
		.ring_seq = node->ring_seq,
		.ring_seq_reserved = node->ring_seq + 1024,
		.seed = r->seed++ };
	node->ring_seq = boot.ring_seq_reserved;
	config.self = config.nodes[idx];
	arena_init(&arena, NULL, 0);
	(void)totem_create(&arena, &config, &boot);
	size_t size = arena.used_bytes;
	node->memory = malloc(size);
	ENSURE(node->memory != NULL);
	arena_init(&arena, node->memory, size);
	node->core = totem_create(&arena, &config, &boot);
	pull(r, idx);
	node->is_idle_due = true;
}

void
ringlet_start_all(struct ringlet *r)
{
	for (uint32_t i = 0; i < r->count; i++)
		ringlet_start(r, i);
}

/* ---- inputs ------------------------------------------------------------ */

void
ringlet_submit(struct ringlet *r, uint32_t idx, enum totem_service service,
    const void *bytes, size_t len)
{
	struct totem_input in = { .kind = TOTEM_IN_SUBMIT };

	in.submit.service = service;
	in.submit.class = TOTEM_CLASS_CLIENT;
	in.submit.body = bytes;
	in.submit.body_len = len;
	ringlet_step(r, idx, &in);
}

void
ringlet_submit_as(struct ringlet *r, uint32_t idx, enum totem_class class,
    enum totem_service service, const char *word)
{
	struct totem_input in = { .kind = TOTEM_IN_SUBMIT };

	in.submit.service = service;
	in.submit.class = class;
	in.submit.head = (const uint8_t *)word;
	in.submit.head_len = strlen(word);
	ringlet_step(r, idx, &in);
}

static void
receive(struct ringlet *r, const struct ringlet_packet *packet)
{
	struct totem_input in = { .kind = TOTEM_IN_PACKET };

	in.packet.node = packet->from + 1;
	in.packet.incarnation = packet->incarnation;
	in.packet.bytes = packet->bytes;
	in.packet.len = packet->len;
	if (packet->bytes[0] == TOTEM_PACKET_DATA && packet->len % 2 == 0) {
		/* Every other frame is received in place. */
		uint8_t *cell = totem_rx_cell(r->node[packet->to].core);
		memcpy(cell, packet->bytes, packet->len);
		in.packet.bytes = cell;
	}
	ringlet_step(r, packet->to, &in);
}

void
ringlet_inject(struct ringlet *r, uint32_t from, uint32_t to, const void *bytes,
    size_t len)
{
	struct totem_input in = { .kind = TOTEM_IN_PACKET };

	in.packet.node = from + 1;
	in.packet.incarnation = r->node[from].incarnation;
	in.packet.bytes = bytes;
	in.packet.len = len;
	ringlet_step(r, to, &in);
}

/* ---- time -------------------------------------------------------------- */

static uint64_t
next_moment(const struct ringlet *r)
{
	uint64_t at = r->first != NULL ? r->first->at_ns : UINT64_MAX;

	for (uint32_t i = 0; i < r->count; i++) {
		const struct ringlet_node *node = &r->node[i];
		if (node->core == NULL)
			continue;
		uint64_t due = totem_deadline_ns(node->core);
		if (node->is_idle_due)
			due = r->now_ns;
		at = num_min(at, num_max(due, node->paused_until_ns));
	}
	return at;
}

static void
receive_due(struct ringlet *r)
{
	while (r->first != NULL && r->first->at_ns <= r->now_ns) {
		struct ringlet_packet *packet = r->first;
		r->first = packet->next;
		if (r->node[packet->to].core != NULL)
			receive(r, packet);
		free(packet);
	}
}

static void
serve(struct ringlet *r, uint32_t idx)
{
	struct ringlet_node *node = &r->node[idx];

	if (r->now_ns < node->paused_until_ns)
		return;
	if (node->core != NULL && node->is_idle_due) {
		node->is_idle_due = false;
		ringlet_step(
		    r, idx, &(struct totem_input){ .kind = TOTEM_IN_IDLE });
	}
	if (node->core != NULL && totem_deadline_ns(node->core) <= r->now_ns)
		ringlet_step(
		    r, idx, &(struct totem_input){ .kind = TOTEM_IN_DEADLINE });
}

bool
ringlet_turn(struct ringlet *r)
{
	uint64_t at = next_moment(r);

	if (at == UINT64_MAX)
		return false;
	r->now_ns = num_max(r->now_ns, at);
	receive_due(r);
	for (uint32_t i = 0; i < r->count; i++)
		serve(r, i);
	return true;
}

void
ringlet_run(struct ringlet *r, uint64_t span_ns)
{
	uint64_t end = r->now_ns + span_ns;

	while (next_moment(r) <= end && ringlet_turn(r))
		;
	r->now_ns = end;
}

bool
ringlet_run_until(
    struct ringlet *r, bool (*holds)(struct ringlet *r), uint64_t max_ns)
{
	uint64_t end = r->now_ns + max_ns;

	while (!holds(r))
		if (next_moment(r) > end || !ringlet_turn(r))
			return false;
	return true;
}

/* ---- questions --------------------------------------------------------- */

bool
ringlet_is_whole(struct ringlet *r)
{
	struct totem_status first = { .state = TOTEM_STATES }, status;
	uint64_t running = 0;

	for (uint32_t i = 0; i < r->count; i++)
		if (r->node[i].core != NULL)
			running |= UINT64_C(1) << i;
	for (uint32_t i = 0; i < r->count; i++) {
		if (r->node[i].core == NULL)
			continue;
		totem_status(r->node[i].core, r->now_ns, &status);
		if (first.state == TOTEM_STATES)
			first = status;
		if (status.state != TOTEM_STATE_OPERATIONAL ||
		    !totem_ring_equal(status.ring, first.ring) ||
		    set_of(&status.members) != running)
			return false;
	}
	return true;
}

bool
ringlet_form(struct ringlet *r)
{
	ringlet_start_all(r);
	if (!ringlet_run_until(r, ringlet_is_whole, 3000 * RINGLET_MS))
		return false;
	ringlet_run(r, 5 * RINGLET_MS);
	return ringlet_is_whole(r);
}

void
ringlet_forget(struct ringlet *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		r->node[i].note_count = 0;
		memset(r->node[i].sent, 0, sizeof r->node[i].sent);
	}
}

const struct ringlet_note *
ringlet_find(const struct ringlet *r, uint32_t idx, enum totem_effect_kind kind,
    size_t nth)
{
	const struct ringlet_node *node = &r->node[idx];

	for (size_t i = 0; i < node->note_count; i++)
		if (node->notes[i].kind == kind && nth-- == 0)
			return &node->notes[i];
	return NULL;
}

size_t
ringlet_tally(
    const struct ringlet *r, uint32_t idx, enum totem_effect_kind kind)
{
	size_t tally = 0;

	for (size_t i = 0; i < r->node[idx].note_count; i++)
		tally += r->node[idx].notes[i].kind == kind;
	return tally;
}

static bool
is_same_delivery(const struct ringlet_note *a, const struct ringlet_note *b)
{
	return a->deliver.node == b->deliver.node &&
	    a->deliver.incarnation == b->deliver.incarnation &&
	    a->deliver.msg_no == b->deliver.msg_no &&
	    a->deliver.service == b->deliver.service &&
	    a->deliver.class == b->deliver.class &&
	    a->deliver.phase == b->deliver.phase &&
	    totem_ring_equal(a->deliver.ring, b->deliver.ring) &&
	    a->deliver.seq == b->deliver.seq &&
	    a->deliver.idx == b->deliver.idx &&
	    a->deliver.len == b->deliver.len && a->sum == b->sum;
}

static bool
is_same_view(const struct ringlet_note *a, const struct ringlet_note *b)
{
	return a->phase == b->phase && totem_ring_equal(a->ring, b->ring) &&
	    totem_ring_equal(a->next, b->next) && a->members == b->members &&
	    a->joined == b->joined && a->left == b->left;
}

/* The next message or view of a node from *at on. */
static const struct ringlet_note *
next_told(const struct ringlet_node *node, size_t *at)
{
	while (*at < node->note_count) {
		const struct ringlet_note *note = &node->notes[(*at)++];
		if (note->kind == TOTEM_OUT_DELIVER ||
		    note->kind == TOTEM_OUT_VIEW)
			return note;
	}
	return NULL;
}

bool
ringlet_agree(const struct ringlet *r, uint32_t a, uint32_t b)
{
	size_t at_a = 0, at_b = 0;

	for (;;) {
		const struct ringlet_note *of_a = next_told(&r->node[a], &at_a);
		const struct ringlet_note *of_b = next_told(&r->node[b], &at_b);
		if (of_a == NULL || of_b == NULL)
			return of_a == of_b;
		if (of_a->kind != of_b->kind)
			return false;
		bool is_same = of_a->kind == TOTEM_OUT_VIEW
		    ? is_same_view(of_a, of_b)
		    : is_same_delivery(of_a, of_b);
		if (!is_same)
			return false;
	}
}
