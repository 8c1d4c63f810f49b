/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state that sessions have, the gate of every datagram, the effects and
 * the counters.  Who is greeted and believed when is in session_hello.c.
 */
#include "bin/ringd/session.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/idmap.h"
#include "libcommon/base/num.h"

#include "bin/ringd/session_internal.h"

#define SESSION_MS ((uint64_t)1000000)

static const uint64_t session_log_ns = 10000 * SESSION_MS;
static const uint64_t session_report_gap_ns = 10 * SESSION_MS;

/* So many replays in a row are reported to the sender: copies of other links
 * come mixed with originals, those of a rolled-back sender do not. */
enum { SESSION_REPLAYS_REPORTED = 4 };

/* ---- peers ------------------------------------------------------------- */

bool
session_is_self(const struct session *s, uint32_t idx)
{
	return s->cfg.nodes[idx] == s->cfg.self;
}

struct session_peer *
session_peer(struct session *s, uint32_t idx)
{
	ENSURE(idx < s->cfg.node_count);
	ENSURE(!session_is_self(s, idx));
	return &s->peers[idx];
}

static void
session_peer_init(struct session_peer *peer, uint32_t node, uint64_t now_ns)
{
	*peer = (struct session_peer){ .node = node,
		.hello_at_ns = now_ns,
		.hello_gap_ns = SESSION_GAP_MIN_NS,
		.report_at_ns = SESSION_NEVER_NS,
		.answers = SESSION_ANSWERS,
		.answers_ns = now_ns };
}

struct session *
session_create(struct arena *arena, const struct session_config *cfg,
    const struct session_boot *boot)
{
	struct session *s = arena_take(arena, sizeof *s);

	ENSURE(cfg->node_count >= 1 && cfg->node_count <= LIMIT_NODES);
	ENSURE(cfg->ciphers & SESSION_CIPHER_PLAIN);
	ENSURE(boot->session != 0 && boot->incarnation != 0);
	if (s == NULL)
		return NULL;
	memset(s, 0, sizeof *s);
	s->cfg = *cfg;
	s->session = boot->session;
	s->incarnation = boot->incarnation;
	s->cipher = cfg->ciphers & ~SESSION_CIPHER_PLAIN
	    ? cfg->ciphers & (uint8_t)~SESSION_CIPHER_PLAIN
	    : SESSION_CIPHER_PLAIN;
	if (s->cfg.rekey_after == 0)
		s->cfg.rekey_after = (uint64_t)1 << 40;
	for (uint32_t i = 0; i < cfg->node_count; i++) {
		ENSURE(i == 0 || cfg->nodes[i - 1] < cfg->nodes[i]);
		session_peer_init(&s->peers[i], cfg->nodes[i], boot->now_ns);
	}
	return s;
}

void
session_set_nodes(
    struct session *s, const struct session_config *cfg, uint64_t now_ns)
{
	struct idmap map;

	ENSURE(cfg->node_count >= 1 && cfg->node_count <= LIMIT_NODES);
	idmap_make(
	    &map, s->cfg.nodes, s->cfg.node_count, cfg->nodes, cfg->node_count);
	idmap_array(&map, s->peers, sizeof s->peers[0]);
	s->cfg.node_count = cfg->node_count;
	memcpy(s->cfg.nodes, cfg->nodes, sizeof s->cfg.nodes);
	s->cfg.table_hash = cfg->table_hash;
	ENSURE(session_idx(s, s->cfg.self) != SESSION_NO_PEER);
	for (uint32_t i = 0; i < cfg->node_count; i++) {
		if (map.from[i] == IDMAP_NONE)
			session_peer_init(&s->peers[i], cfg->nodes[i], now_ns);
		else if (!session_is_self(s, i))
			s->peers[i].report_at_ns = now_ns;
	}
	session_choose_cipher(s);
}

/* By bisection. */
uint32_t
session_idx(const struct session *s, uint32_t node)
{
	uint32_t low = 0, high = s->cfg.node_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (s->cfg.nodes[middle] < node)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < s->cfg.node_count && s->cfg.nodes[low] == node)
		return low;
	return SESSION_NO_PEER;
}

enum session_refusal
session_find(
    const struct session *s, const struct session_header *header, uint32_t *idx)
{
	*idx = SESSION_NO_PEER;
	if (header->cluster_tag != s->cfg.cluster_tag)
		return SESSION_REFUSED_CLUSTER;
	if (header->sender == s->cfg.self)
		return SESSION_REFUSED_NODE;
	*idx = session_idx(s, header->sender);
	if (*idx == SESSION_NO_PEER)
		return SESSION_REFUSED_NODE;
	if (header->dst != 0 && header->dst != s->cfg.self)
		return SESSION_REFUSED_DESTINATION;
	return SESSION_OK;
}

/* ---- the gate ---------------------------------------------------------------
 */

bool
session_is_believed(
    const struct session_peer *peer, const struct session_header *header)
{
	return peer->is_believed && header->session == peer->session &&
	    header->key_id == peer->key_id;
}

enum session_refusal
session_check(struct session *s, uint32_t idx,
    const struct session_header *header, uint64_t now_ns, bool *is_believed)
{
	struct session_peer *peer = session_peer(s, idx);

	*is_believed = session_is_believed(peer, header);
	if (!*is_believed) {
		if (header->kind == SESSION_HELLO)
			return SESSION_OK;
		session_want(peer, now_ns);
		return SESSION_REFUSED_SESSION;
	}
	if (!(header->cipher & s->cfg.ciphers))
		return SESSION_REFUSED_CIPHER;
	if (header->kind == SESSION_LINK ||
	    session_window_is_fresh(&peer->window, header->counter))
		return SESSION_OK;
	if (++peer->replays % SESSION_REPLAYS_REPORTED == 0)
		peer->report_at_ns = num_min(peer->report_at_ns,
		    num_max(now_ns, peer->greeted_ns + session_report_gap_ns));
	return SESSION_REFUSED_REPLAY;
}

uint64_t
session_pass(
    struct session *s, uint32_t idx, const struct session_header *header)
{
	struct session_peer *peer = session_peer(s, idx);

	ENSURE(session_is_believed(peer, header));
	session_window_take(&peer->window, header->counter);
	peer->replays = 0;
	return peer->incarnation;
}

void
session_choose_cipher(struct session *s)
{
	uint8_t common = s->cfg.ciphers & (uint8_t)~SESSION_CIPHER_PLAIN;

	for (uint32_t i = 0; i < s->cfg.node_count; i++)
		if (s->peers[i].is_believed)
			common &= s->peers[i].ciphers;
	s->cipher = common != 0 ? common : SESSION_CIPHER_PLAIN;
}

/* ---- effects ----------------------------------------------------------- */

static bool
session_next_of(
    struct session_peer *peer, uint32_t idx, struct session_effect *out)
{
	if (peer->has_believed) {
		peer->has_believed = false;
		*out = (struct session_effect){
			.kind = SESSION_OUT_BELIEVED,
			.peer = idx,
			.is_restart = peer->is_restart,
		};
		return true;
	}
	if (!peer->has_hello)
		return false;
	peer->has_hello = false;
	*out = (struct session_effect){
		.kind = SESSION_OUT_HELLO,
		.peer = idx,
		.hello = peer->hello,
	};
	return true;
}

bool
session_next(struct session *s, struct session_effect *out)
{
	*out = (struct session_effect){ .peer = SESSION_NO_PEER };
	if (s->has_rolled_back) {
		s->has_rolled_back = false;
		out->kind = SESSION_OUT_ROLLED_BACK;
		return true;
	}
	if (s->outlived != 0) {
		out->kind = SESSION_OUT_OUTLIVED;
		out->outlived = s->outlived;
		s->outlived = 0;
		return true;
	}
	if (s->has_rekey) {
		s->has_rekey = false;
		out->kind = SESSION_OUT_REKEY;
		return true;
	}
	for (uint32_t i = 0; i < s->cfg.node_count; i++)
		if (session_next_of(&s->peers[i], i, out))
			return true;
	return false;
}

void
session_stamp(struct session *s, enum session_kind kind, uint32_t dst,
    struct session_header *out)
{
	s->counter++;
	if (s->counter == s->cfg.rekey_after)
		s->has_rekey = true;
	*out = (struct session_header){
		.kind = kind,
		.cipher = kind == SESSION_DATA || kind == SESSION_PIECE
		    ? s->cipher
		    : SESSION_CIPHER_PLAIN,
		.key_id = s->cfg.key_id,
		.cluster_tag = s->cfg.cluster_tag,
		.sender = s->cfg.self,
		.dst = dst,
		.session = s->session,
		.counter = s->counter,
	};
}

void
session_set_key(struct session *s, uint8_t key_id)
{
	s->cfg.key_id = key_id;
}

void
session_rekey(struct session *s, uint64_t session, uint64_t now_ns)
{
	ENSURE(session != 0 && session != s->session);
	s->session = session;
	s->counter = 0;
	for (uint32_t i = 0; i < s->cfg.node_count; i++)
		if (!session_is_self(s, i))
			s->peers[i].report_at_ns = now_ns;
}

/* ---- counting ---------------------------------------------------------- */

bool
session_refuse(struct session *s, uint32_t idx, enum session_refusal refusal,
    uint64_t now_ns)
{
	ENSURE(refusal > SESSION_OK && refusal < SESSION_REFUSALS);
	s->refused[refusal]++;
	if (idx != SESSION_NO_PEER)
		session_peer(s, idx)->refused[refusal]++;
	/* Whoever starts is not believed for a moment: nothing to report. */
	if (refusal == SESSION_REFUSED_SESSION ||
	    now_ns < s->log_at_ns[refusal])
		return false;
	s->log_at_ns[refusal] = now_ns + session_log_ns;
	return true;
}

uint64_t
session_refused(
    const struct session *s, uint32_t idx, enum session_refusal refusal)
{
	ENSURE(idx < s->cfg.node_count && refusal < SESSION_REFUSALS);
	return s->peers[idx].refused[refusal];
}

uint64_t
session_refused_total(const struct session *s, enum session_refusal refusal)
{
	ENSURE(refusal < SESSION_REFUSALS);
	return s->refused[refusal];
}

uint64_t
session_self(const struct session *s)
{
	return s->session;
}

uint64_t
session_counter(const struct session *s)
{
	return s->counter;
}

uint8_t
session_cipher(const struct session *s)
{
	return s->cipher;
}

void
session_peer_status(
    const struct session *s, uint32_t idx, struct session_peer_status *out)
{
	const struct session_peer *peer = &s->peers[idx];

	ENSURE(idx < s->cfg.node_count);
	*out = (struct session_peer_status){ .node = peer->node };
	if (!peer->is_believed)
		return;
	out->is_believed = true;
	out->session = peer->session;
	out->incarnation = peer->incarnation;
	out->ciphers = peer->ciphers;
	out->key_id = peer->key_id;
	out->is_table_different = peer->table_hash != s->cfg.table_hash;
}

static void
session_assert_peer(const struct session *s, uint32_t i)
{
	const struct session_peer *peer = &s->peers[i];

	ENSURE(peer->node == s->cfg.nodes[i]);
	ENSURE(peer->answers <= SESSION_ANSWERS);
	ENSURE(peer->hello_gap_ns >= SESSION_GAP_MIN_NS);
	ENSURE(peer->hello_gap_ns <= SESSION_GAP_MAX_NS);
	if (session_is_self(s, i))
		ENSURE(!peer->is_believed && !peer->has_hello);
	if (!peer->is_believed)
		return;
	ENSURE(peer->session != 0 && peer->incarnation != 0);
	ENSURE(peer->window.highest != 0);
	/* Whoever is believed hears DATA in a cipher it has. */
	ENSURE(s->cipher & peer->ciphers);
}

void
session_assert(const struct session *s)
{
	uint64_t refused = 0;

	ENSURE(s->session != 0 && s->incarnation != 0);
	ENSURE(s->cipher & s->cfg.ciphers);
	for (uint32_t i = 0; i < s->cfg.node_count; i++) {
		session_assert_peer(s, i);
		/* Not believed and nobody asks: it would stay so for ever. */
		ENSURE(session_is_self(s, i) || s->peers[i].is_believed ||
		    s->peers[i].hello_at_ns != SESSION_NEVER_NS);
		refused += s->peers[i].refused[SESSION_REFUSED_REPLAY];
	}
	/* Those of nodes that are gone count in the sum alone. */
	ENSURE(refused <= s->refused[SESSION_REFUSED_REPLAY]);
}
