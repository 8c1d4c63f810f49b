/* SPDX-License-Identifier: BSD-3-Clause */
/* Another table of nodes, or other spans, while the ring turns.
 *
 * Nodes are known by their places here, so whatever is kept by place moves with
 * its node.  Only in Operational: there every set and list is about members,
 * who all stay, or about nodes outside, of whom nothing is owed.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/idmap.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

/* ---- spans ------------------------------------------------------------- */

/* Deadlines that are set stay as they are: each is soon set anew. */
void
totem_set_spans(struct totem *t, const struct totem_config *cfg)
{
	t->cfg.heartbeat_ns = cfg->heartbeat_ns;
	t->cfg.suspect_min_ns = cfg->suspect_min_ns;
	t->cfg.suspect_max_ns = cfg->suspect_max_ns;
	t->cfg.confirm_min_ns = cfg->confirm_min_ns;
	t->cfg.confirm_max_ns = cfg->confirm_max_ns;
	t->cfg.idle_hold_ns = cfg->idle_hold_ns;
	t->cfg.join_ns = cfg->join_ns;
	t->cfg.consensus_ns = cfg->consensus_ns;
	t->cfg.merge_ns = cfg->merge_ns;
	t->cfg.merge_hold_down_ns = cfg->merge_hold_down_ns;
	t->cfg.merge_hold_down_max_ns = cfg->merge_hold_down_max_ns;
	t->cfg.hop_max_ns = cfg->hop_max_ns;
	t->cfg.token_loss_ns = cfg->token_loss_ns;
	t->cfg.token_loss_min_ns = cfg->token_loss_min_ns;
	t->cfg.token_loss_max_ns = cfg->token_loss_max_ns;
	totem_detect_rebase(t);
}

/* ---- places ------------------------------------------------------------ */

static uint32_t
moved(const struct idmap *map, uint32_t place)
{
	ENSURE(map->to[place] != IDMAP_NONE);
	return map->to[place];
}

/* Of what is a place plus one, and 0 for none. */
static uint32_t
moved_one(const struct idmap *map, uint32_t place_plus_one)
{
	if (place_plus_one == 0 || map->to[place_plus_one - 1] == IDMAP_NONE)
		return 0;
	return map->to[place_plus_one - 1] + 1U;
}

static void
move_token(const struct idmap *map, struct totem_token *token)
{
	token->aru_node = moved_one(map, token->aru_node);
	for (uint32_t i = 0; i < token->rtr_count; i++)
		token->rtr[i].requester =
		    moved_one(map, token->rtr[i].requester);
}

static void
move_ring(struct totem *t, const struct idmap *map)
{
	struct totem_ring *ring = t->inst;

	idmap_array(map, ring->incarnation, sizeof ring->incarnation[0]);
	totem_ring_members(t, ring, idmap_set(map, ring->members));
	/* A ring that is not forming has no frames, and begins anew. */
	t->form->members = 0;
	t->form->count = 0;
	for (uint32_t i = 0; i < t->cells_touched; i++)
		if (t->cell[i].sender >= map->before ||
		    map->to[t->cell[i].sender] == IDMAP_NONE)
			t->cell[i].sender = (uint8_t)t->self;
		else
			t->cell[i].sender = map->to[t->cell[i].sender];
}

/* Of messages that come in pieces; only members have any. */
static void
move_slots(struct totem *t, const struct idmap *map)
{
	uint8_t slot_of[LIMIT_NODES];

	memcpy(slot_of, t->slot_of, sizeof slot_of);
	memset(t->slot_of, TOTEM_NO_SLOT, sizeof t->slot_of);
	for (uint32_t i = 0; i < map->before; i++)
		if (slot_of[i] != TOTEM_NO_SLOT)
			t->slot_of[moved(map, i)] = slot_of[i];
}

static void
move_gather(struct totem *t, const struct idmap *map)
{
	struct totem_commit *commit = &t->commit;

	t->gather.proc = idmap_set(map, t->gather.proc);
	t->gather.fail = idmap_set(map, t->gather.fail);
	t->gather.cons = idmap_set(map, t->gather.cons);
	idmap_array(map, t->gather.why, sizeof t->gather.why[0]);
	commit->members = idmap_set(map, commit->members);
	idmap_array(map, commit->incarnation, sizeof commit->incarnation[0]);
	idmap_array(map, commit->why, sizeof commit->why[0]);
	idmap_array(map, commit->entry, sizeof commit->entry[0]);
	t->recovery.trans = idmap_set(map, t->recovery.trans);
	t->recovery.new_oblig = idmap_set(map, t->recovery.new_oblig);
}

static void
move_edges(struct totem *t, const struct idmap *map)
{
	idmap_array(map, t->edge_ns, sizeof t->edge_ns[0]);
	for (uint32_t i = 0; i < LIMIT_NODES; i++) {
		bool is_new = map->from[i] == IDMAP_NONE;

		idmap_array(map, t->edge_ns[i], sizeof t->edge_ns[i][0]);
		for (uint32_t k = 0; k < LIMIT_NODES; k++)
			if (is_new || map->from[k] == IDMAP_NONE)
				t->edge_ns[i][k] = TOTEM_NEVER;
	}
}

/* Memory for the parts of control messages goes to whoever has none now. */
static void
share_parts(struct totem *t, uint8_t *const parts[LIMIT_NODES])
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < LIMIT_NODES; i++) {
		bool is_taken = true;

		while (t->peer[i].part_bytes == NULL && is_taken) {
			is_taken = false;
			for (uint32_t k = 0; k < LIMIT_NODES; k++)
				is_taken |=
				    t->peer[k].part_bytes == parts[next];
			if (!is_taken)
				t->peer[i].part_bytes = parts[next];
			next++;
		}
	}
}

static void
move_peers(struct totem *t, const struct idmap *map)
{
	uint8_t *parts[LIMIT_NODES];

	for (uint32_t i = 0; i < LIMIT_NODES; i++)
		parts[i] = t->peer[i].part_bytes;
	idmap_array(map, t->peer, sizeof t->peer[0]);
	share_parts(t, parts);
	for (uint32_t i = 0; i < map->after; i++) {
		struct totem_peer *peer = &t->peer[i];

		peer->accusers = idmap_set(map, peer->accusers);
		peer->company = idmap_set(map, peer->company);
		peer->row.hears = idmap_set(map, peer->row.hears);
	}
	t->hears = idmap_set(map, t->hears);
	t->row_version++;
}

/* ---- the table --------------------------------------------------------- */

bool
totem_set_nodes(struct totem *t, const struct totem_nodes *nodes)
{
	struct idmap map;
	uint64_t owed = t->inst->members | t->oblig;

	ENSURE(t->out_first == t->out_count);
	ENSURE(nodes->count >= 1 && nodes->count <= LIMIT_NODES);
	ENSURE(t->cfg.frame_bytes >= totem_frame_bytes_min(nodes->count));
	if (t->state != TOTEM_STATE_OPERATIONAL ||
	    t->install.step != TOTEM_INSTALL_NONE || t->cursor.is_open)
		return false;
	idmap_make(&map, t->table.id, t->table.count, nodes->id, nodes->count);
	if (totem_wire_count(idmap_set(&map, owed)) != totem_wire_count(owed))
		return false;
	t->self = moved(&map, t->self);
	t->table = *nodes;
	t->cfg.node_count = nodes->count;
	memcpy(t->cfg.nodes, nodes->id, sizeof t->cfg.nodes);
	t->oblig = idmap_set(&map, t->oblig);
	move_ring(t, &map);
	move_slots(t, &map);
	move_gather(t, &map);
	move_edges(t, &map);
	move_peers(t, &map);
	move_token(&map, &t->token);
	if (t->has_pending)
		move_token(&map, &t->pending);
	t->ftr.node = moved_one(&map, t->ftr.node);
	t->out_nodes_set = 0;
	t->out_nodes.count = 0;
	totem_detect_rebase(t);
	return true;
}
