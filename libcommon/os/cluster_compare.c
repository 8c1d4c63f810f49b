/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every setting is in one table, with what it takes to change it.  What is not
 * in it is not in force by itself: [ring] port is in the addresses, and tags
 * are what memberd starts with.
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/wrbuf.h"
#include "libcommon/os/box.h"
#include "libcommon/os/cluster.h"

enum fact_kind { FACT_NUMBER, FACT_TEXT, FACT_IDS };

/* Whose it is: of one node alone it may differ from node to node. */
enum fact_scope { FACT_ALL, FACT_LOCAL };

struct fact {
	const char *name;
	enum fact_kind kind;
	enum fact_scope scope;
	bool is_live; /* else it takes a restart */
	size_t offset, size;
};

#define FACT(name, kind, scope, is_live, field)                        \
	{                                                              \
		name, kind, scope, is_live,                            \
		    offsetof(struct cluster_conf, field),              \
		    sizeof(((const struct cluster_conf *)NULL)->field) \
	}
#define LIVE(name, field)  FACT(name, FACT_NUMBER, FACT_ALL, true, field)
#define FIXED(name, field) FACT(name, FACT_NUMBER, FACT_ALL, false, field)
#define TTL(n)             FIXED("[ring] link" #n "_ttl", ring.link_ttl[n])
#define PRIORITY(n)        LIVE("[ring] link" #n "_priority", ring.link_priority[n])

static const struct fact facts[] = {
	FACT("[cluster] name", FACT_TEXT, FACT_ALL, false, cluster),
	FACT("[cluster] key_file", FACT_TEXT, FACT_LOCAL, false, key_file),
	FIXED("[ring] transport", ring.transport),
	FIXED("[ring] frame_bytes", ring.frame_bytes),
	LIVE("[ring] link_mode", ring.link_mode),
	PRIORITY(0),
	PRIORITY(1),
	PRIORITY(2),
	PRIORITY(3),
	PRIORITY(4),
	PRIORITY(5),
	PRIORITY(6),
	PRIORITY(7),
	TTL(0),
	TTL(1),
	TTL(2),
	TTL(3),
	TTL(4),
	TTL(5),
	TTL(6),
	TTL(7),
	FIXED("[ring] window", ring.window),
	LIVE("[ring] preset", ring.preset),
	LIVE("[ring] dead_after", ring.dead_after_ns),
	LIVE("[ring] token", ring.token_loss_ns),
	LIVE("[ring] heartbeat", ring.heartbeat_ns),
	LIVE("[ring] idle_hold", ring.idle_hold_ns),
	LIVE("[ring] join", ring.join_ns),
	LIVE("[ring] consensus", ring.consensus_ns),
	LIVE("[ring] merge", ring.merge_ns),
	FIXED("[ring] message_bytes_max", ring.message_bytes_max),
	FIXED("[ring] queue_bytes", ring.queue_bytes),
	FIXED("[ring] socket_buffer", ring.socket_buffer_bytes),
	FIXED("[ring] rt_priority", ring.rt_priority),
	LIVE("[quorum] expected_votes", quorum.expected_votes),
	FIXED("[quorum] device_votes", quorum.device_votes),
	LIVE("[quorum] device_timeout", quorum.device_timeout_ns),
	LIVE("[quorum] device_sync_timeout", quorum.device_sync_timeout_ns),
	LIVE("[quorum] last_man_standing_window",
	    quorum.last_man_standing_window_ns),
	LIVE("[quorum] lease", quorum.lease_ns),
	LIVE("[quorum] settle", quorum.settle_ns),
	LIVE("[quorum] wait_for_all", quorum.wait_for_all),
	FIXED("[quorum] auto_tie_breaker_node", quorum.tie),
	FACT("[quorum] auto_tie_breaker_node", FACT_IDS, FACT_ALL, false,
	    quorum.tie_nodes),
	LIVE("[quorum] two_node", quorum.two_node),
	FIXED("[quorum] last_man_standing", quorum.last_man_standing),
	FIXED("[quorum] auto_tie_breaker", quorum.auto_tie_breaker),
	FIXED("[quorum] allow_downscale", quorum.allow_downscale),
	FIXED(
	    "[quorum] expected_votes_tracking", quorum.expected_votes_tracking),
	FIXED("[quorum] device_master_wins", quorum.device_master_wins),
	FIXED("[store] tie", store.tie),
	FIXED("[store] durability", store.is_in_memory),
	FIXED("[store] keys_max", store.keys_max),
	FIXED("[store] bytes_max", store.bytes_max),
	FIXED("[store] value_max", store.value_max),
	FIXED("[store] leases_max", store.leases_max),
	FIXED("[store] history_bytes", store.history_bytes),
	FIXED("[store] history_versions", store.history_versions),
	FIXED("[store] history_time", store.history_time_ns),
	FIXED("[store] max_tail", store.max_tail),
	FACT("[log] level", FACT_NUMBER, FACT_LOCAL, true, log_level),
};

static const unsigned char *
fact_at(const struct cluster_conf *conf, const struct fact *fact)
{
	return (const unsigned char *)conf + fact->offset;
}

static uint64_t
fact_number(const struct cluster_conf *conf, const struct fact *fact)
{
	const unsigned char *at = fact_at(conf, fact);
	uint64_t wide = 0;
	uint32_t half = 0;

	ENSURE(fact->size == 1 || fact->size == sizeof half ||
	    fact->size == sizeof wide);
	if (fact->size == 1)
		return *at;
	if (fact->size == sizeof half) {
		memcpy(&half, at, sizeof half);
		return half;
	}
	memcpy(&wide, at, sizeof wide);
	return wide;
}

/* ---- what differs ------------------------------------------------------ */

struct comparison {
	const struct cluster_conf *before, *after;
	cluster_compare_fn *fn;
	void *arg;
	uint32_t count;
};

static void
tell(struct comparison *c, const struct cluster_difference *difference)
{
	c->count++;
	if (c->fn != NULL)
		c->fn(c->arg, difference);
}

static void
tell_setting(struct comparison *c, const char *setting, bool is_live)
{
	tell(c,
	    &(struct cluster_difference){ .kind = CLUSTER_SETTING_CHANGED,
		.setting = setting,
		.is_live = is_live });
}

static void
tell_node(struct comparison *c, enum cluster_difference_kind kind,
    const struct cluster_node *before, const struct cluster_node *after)
{
	tell(c,
	    &(struct cluster_difference){ .kind = kind,
		.before = before,
		.after = after,
		.is_live = true });
}

/* All of a fact lies where its setting, or its default, was put. */
static void
compare_facts(struct comparison *c)
{
	const char *told = NULL;

	for (size_t i = 0; i < ARRAY_COUNT(facts); i++) {
		const struct fact *fact = &facts[i];

		if (memcmp(fact_at(c->before, fact), fact_at(c->after, fact),
			fact->size) == 0 ||
		    (told != NULL && strcmp(told, fact->name) == 0))
			continue;
		told = fact->name;
		tell_setting(c, fact->name, fact->is_live);
	}
}

/* They are there for unicast, too, where nobody cares. */
static bool
has_groups(const struct cluster_conf *conf)
{
	return conf->ring.transport == CLUSTER_MULTICAST;
}

static void
compare_groups(struct comparison *c)
{
	static const char *const names[] = { "[ring] link0_mcast",
		"[ring] link1_mcast", "[ring] link2_mcast",
		"[ring] link3_mcast", "[ring] link4_mcast",
		"[ring] link5_mcast", "[ring] link6_mcast",
		"[ring] link7_mcast" };

	if (!has_groups(c->before) || !has_groups(c->after) ||
	    c->before->link_count != c->after->link_count)
		return;
	for (uint32_t i = 0; i < c->before->link_count; i++)
		if (!udp_addr_equal(&c->before->ring.link_mcast[i],
			&c->after->ring.link_mcast[i]))
			tell_setting(c, names[i], false);
}

static bool
is_same_rule(const struct cluster_rule *a, const struct cluster_rule *b)
{
	return a->right == b->right && a->who == b->who && a->id == b->id &&
	    strcmp(a->glob, b->glob) == 0;
}

static void
compare_rules(struct comparison *c)
{
	bool is_same = c->before->rule_count == c->after->rule_count;

	for (uint32_t i = 0; is_same && i < c->after->rule_count; i++)
		is_same =
		    is_same_rule(&c->before->rules[i], &c->after->rules[i]);
	if (!is_same)
		tell_setting(c, "[acl]", true);
}

/* The next tag of a node, from *at on; NULL: there is none. */
static const struct cluster_tag *
next_tag(const struct cluster_conf *conf, uint32_t node, uint32_t *at)
{
	while (*at < conf->tag_count) {
		const struct cluster_tag *tag = &conf->tags[(*at)++];

		if (tag->node == node)
			return tag;
	}
	return NULL;
}

static bool
has_same_tags(const struct comparison *c, uint32_t node)
{
	const struct cluster_tag *a, *b;
	uint32_t i = 0, k = 0;

	do {
		a = next_tag(c->before, node, &i);
		b = next_tag(c->after, node, &k);
		if (a != NULL && b != NULL &&
		    (strcmp(a->name, b->name) != 0 ||
			strcmp(a->value, b->value) != 0))
			return false;
	} while (a != NULL && b != NULL);
	return a == b;
}

/* Of links that both have. */
static bool
has_same_links(const struct cluster_node *a, const struct cluster_node *b)
{
	const uint32_t count = (uint32_t)num_min(a->link_count, b->link_count);

	for (uint32_t i = 0; i < count; i++)
		if (!udp_addr_equal(&a->link[i], &b->link[i]))
			return false;
	return true;
}

static void
compare_node(struct comparison *c, const struct cluster_node *before,
    const struct cluster_node *after)
{
	if (strcmp(before->name, after->name) != 0)
		tell_node(c, CLUSTER_NODE_RENAMED, before, after);
	if (!has_same_links(before, after))
		tell_node(c, CLUSTER_NODE_MOVED, before, after);
	if (before->votes != after->votes)
		tell_node(c, CLUSTER_NODE_VOTES, before, after);
	if (!has_same_tags(c, before->id))
		tell_node(c, CLUSTER_NODE_TAGS, before, after);
}

/* Both ascend. */
static void
compare_nodes(struct comparison *c)
{
	const struct cluster_node *a = c->before->nodes, *b = c->after->nodes;
	const struct cluster_node *a_end = a + c->before->node_count;
	const struct cluster_node *b_end = b + c->after->node_count;

	while (a < a_end || b < b_end) {
		if (b == b_end || (a < a_end && a->id < b->id))
			tell_node(c, CLUSTER_NODE_REMOVED, a++, NULL);
		else if (a == a_end || b->id < a->id)
			tell_node(c, CLUSTER_NODE_ADDED, NULL, b++);
		else
			compare_node(c, a++, b++);
	}
}

uint32_t
cluster_compare(const struct cluster_conf *before,
    const struct cluster_conf *after, cluster_compare_fn *fn, void *arg)
{
	struct comparison c = { before, after, fn, arg, 0 };

	compare_facts(&c);
	compare_groups(&c);
	compare_rules(&c);
	if (before->link_count != after->link_count)
		tell_node(&c, CLUSTER_LINKS_CHANGED, NULL, NULL);
	compare_nodes(&c);
	return c.count;
}

void
cluster_difference_put(
    const struct cluster_difference *difference, struct text *out)
{
	static const char *const words[] = {
		[CLUSTER_NODE_ADDED] = "added",
		[CLUSTER_NODE_REMOVED] = "removed",
		[CLUSTER_NODE_RENAMED] = "renamed",
		[CLUSTER_NODE_MOVED] = "address",
		[CLUSTER_NODE_VOTES] = "votes",
		[CLUSTER_NODE_TAGS] = "tags",
	};
	const struct cluster_node *node =
	    difference->before != NULL ? difference->before : difference->after;

	if (difference->kind == CLUSTER_SETTING_CHANGED) {
		text_put(out, difference->setting);
		return;
	}
	if (difference->kind == CLUSTER_LINKS_CHANGED) {
		text_put(out, "number of links");
		return;
	}
	text_put(out, "[node ");
	text_put(out, node->name);
	text_put(out, "] ");
	text_put(out, words[difference->kind]);
}

/* ---- the digest -------------------------------------------------------- */

enum { ITEM_BYTES = 4096 };

/* Each item is hashed together with the hash of those before it. */
static void
chain(uint64_t *hash, const char *name, const void *bytes, size_t len)
{
	uint8_t item[ITEM_BYTES];
	struct wrbuf wr;

	wrbuf_init(&wr, item, sizeof item);
	wrbuf_u64(&wr, *hash);
	wrbuf_u32(&wr, (uint32_t)strlen(name));
	wrbuf_bytes(&wr, name, strlen(name));
	wrbuf_bytes(&wr, bytes, len);
	ENSURE(!wr.is_full);
	*hash = box_hash(item, wr.len);
}

static void
chain_number(uint64_t *hash, const char *name, uint64_t number)
{
	uint8_t bytes[sizeof number];
	struct wrbuf wr;

	wrbuf_init(&wr, bytes, sizeof bytes);
	wrbuf_u64(&wr, number);
	chain(hash, name, bytes, wr.len);
}

static void
chain_fact(
    uint64_t *hash, const struct cluster_conf *conf, const struct fact *fact)
{
	const char *text = (const char *)fact_at(conf, fact);

	switch (fact->kind) {
	case FACT_NUMBER:
		chain_number(hash, fact->name, fact_number(conf, fact));
		break;
	case FACT_TEXT:
		chain(hash, fact->name, text, strlen(text));
		break;
	case FACT_IDS:
		for (uint32_t i = 0; i < conf->quorum.tie_count; i++)
			chain_number(
			    hash, fact->name, conf->quorum.tie_nodes[i]);
		break;
	}
}

static void
chain_address(uint64_t *hash, const char *name, const union udp_addr *addr)
{
	char bytes[UDP_ADDR_TEXT_BYTES];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	udp_addr_text(addr, &text);
	chain(hash, name, bytes, text.len);
}

static void
chain_node(uint64_t *hash, const struct cluster_conf *conf,
    const struct cluster_node *node)
{
	const struct cluster_tag *tag;
	uint32_t at = 0;

	chain_number(hash, "id", node->id);
	chain_number(hash, "votes", node->votes);
	chain(hash, "name", node->name, strlen(node->name));
	for (uint32_t i = 0; i < node->link_count; i++)
		chain_address(hash, "link", &node->link[i]);
	while ((tag = next_tag(conf, node->id, &at)) != NULL) {
		chain(hash, "tag", tag->name, strlen(tag->name));
		chain(hash, "value", tag->value, strlen(tag->value));
	}
}

uint64_t
cluster_digest(const struct cluster_conf *conf)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < ARRAY_COUNT(facts); i++)
		if (facts[i].scope == FACT_ALL)
			chain_fact(&hash, conf, &facts[i]);
	for (uint32_t i = 0; has_groups(conf) && i < conf->link_count; i++)
		chain_address(&hash, "group", &conf->ring.link_mcast[i]);
	for (uint32_t i = 0; i < conf->node_count; i++)
		chain_node(&hash, conf, &conf->nodes[i]);
	return hash;
}
