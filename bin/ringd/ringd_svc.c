/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of ring.sock; DESIGN.md has their words.
 *
 * A verb that takes its place among the replies under way (is_ordered) may
 * only answer at once when there are none; otherwise it waits for its turn.
 */
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/glob.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_client.h"
#include "bin/ringd/ringd_net.h"

enum {
	POOL_BYTES = 8 << 20,
	GATHERS = 2, /* requests of more than a client's buffer at once */
	LISTS_BYTES = RINGD_CLIENT_LIST_BYTES,
};

#define DROP_NS_MAX (3600 * CLOCK_S_NS)

/* ---- arguments --------------------------------------------------------- */

/* Answers "usage" when that does not overtake another reply. */
static enum svc_result
misused(struct svc_request *req, const char *what)
{
	if (ringd_client_is_busy(ringd_client_of(req->client)))
		return SVC_WAIT;
	svc_err(req->client, req->tag, "usage", "%s", what);
	return SVC_DONE;
}

/* yes, no or absent, which is no; false: something else. */
static bool
get_yes_no(struct svc_request *req, const char *key, bool *out)
{
	const struct word_pair *pair = word_get(req->word, key);
	int yes = 0;

	if (pair != NULL && parse_yes_no(pair->value, pair->len, &yes) != 0)
		return false;
	*out = yes != 0;
	return true;
}

/* A name of at most max bytes; absent is empty. */
static bool
get_name(struct svc_request *req, const char *key, size_t max,
    struct group_name *out)
{
	const struct word_pair *pair = word_get(req->word, key);

	*out = (struct group_name){ (const uint8_t *)"", 0 };
	if (pair == NULL)
		return true;
	*out = (struct group_name){ (const uint8_t *)pair->value, pair->len };
	return pair->len <= max;
}

/* The group that must be there. */
static bool
get_group(struct svc_request *req, struct group_name *out)
{
	return get_name(req, "group", LIMIT_GROUP_NAME_BYTES, out) &&
	    out->len > 0;
}

/* ---- hello, attach ----------------------------------------------------- */

static enum svc_result
run_hello(void *arg, struct svc_request *req)
{
	struct ringd_client *c = ringd_client_of(req->client);
	const struct word_pair *proto = word_get(req->word, "proto");
	const struct unixsock_peer *peer = svc_client_peer(req->client);
	struct group_name name;

	(void)arg;
	if (proto != NULL && strcmp(proto->value, "1") != 0) {
		svc_err(req->client, req->tag, "version", "proto: expected 1");
		return SVC_DONE;
	}
	if (!get_name(req, "name", LIMIT_CLIENT_NAME_BYTES, &name))
		return misused(req, "name: expected at most 63 bytes");
	if (name.len > 0) {
		memcpy(c->name, name.bytes, name.len);
		c->name_len = (uint8_t)name.len;
	}
	svc_ok(req->client, req->tag, "conn=%u pid=%d uid=%u", c->conn,
	    (int)peer->pid, (unsigned)peer->uid);
	return SVC_DONE;
}

static bool
has_subs(const struct ringd_client *c)
{
	for (uint32_t i = 0; i < RINGD_CLIENT_SUBS; i++)
		if (c->subs[i].kind != RINGD_SUB_NONE)
			return true;
	return false;
}

static enum svc_result
run_attach(void *arg, struct svc_request *req)
{
	struct ringd *r = arg;
	struct ringd_client *c = ringd_client_of(req->client), *to = NULL;
	const struct word_pair *conn = word_get(req->word, "conn");
	const struct unixsock_peer *own = svc_client_peer(req->client), *peer;
	uint64_t number;

	if (conn == NULL ||
	    parse_u64(conn->value, conn->len, 1, UINT32_MAX, &number) != 0)
		return misused(req, "conn: expected a number");
	if (has_subs(c) || ringd_client_groups(r, c) > 0 ||
	    c->speaks_for != c->conn)
		return misused(req, "this connection is in use itself");
	to = ringd_client_find(r, (uint32_t)number);
	peer = to != NULL ? svc_client_peer(to->svc) : NULL;
	if (peer == NULL || to == c || to->speaks_for != to->conn ||
	    peer->pid != own->pid || peer->uid != own->uid) {
		svc_no(req->client, req->tag, "notfound");
		return SVC_DONE;
	}
	c->speaks_for = to->conn;
	svc_ok(req->client, req->tag, "conn=%u", to->conn);
	return SVC_DONE;
}

/* ---- pub --------------------------------------------------------------- */

enum confirm { CONFIRM_AGREED, CONFIRM_SAFE, CONFIRM_NONE };

struct pub {
	struct group_input in;
	enum confirm confirm;
	bool is_nowait;
};

static bool
get_confirm(struct svc_request *req, struct pub *pub)
{
	static const char *const words[] = { "agreed", "safe", "none" };
	const struct word_pair *pair = word_get(req->word, "confirm");
	size_t i = 0;

	while (pair != NULL && strcmp(pair->value, words[i]) != 0)
		if (++i == ARRAY_COUNT(words))
			return false;
	pub->confirm = (enum confirm)i;
	pub->in.publish.service =
	    pub->confirm == CONFIRM_SAFE ? TOTEM_SAFE : TOTEM_AGREED;
	return true;
}

static bool
get_if_view(struct svc_request *req, struct pub *pub)
{
	const struct word_pair *pair = word_get(req->word, "if_view");
	struct parse_view view;

	if (pair == NULL)
		return true;
	if (parse_view(pair->value, pair->len, &view) != 0)
		return false;
	pub->in.publish.has_if_view = true;
	pub->in.publish.if_view =
	    (struct totem_ring_id){ .rep = view.rep, .seq = view.seq };
	return true;
}

/* data=VALUE or the data of len=N, one of them. */
static bool
get_body(struct svc_request *req, struct pub *pub)
{
	const struct word_pair *pair = word_get(req->word, "data");

	if ((pair != NULL) == (req->data != NULL))
		return false;
	pub->in.publish.bytes =
	    (const uint8_t *)(pair != NULL ? pair->value : req->data);
	pub->in.publish.len = pair != NULL ? pair->len : req->data_len;
	return true;
}

/* NULL, or what is wrong. */
static const char *
parse_pub(struct svc_request *req, struct pub *pub)
{
	struct group_name id;

	*pub = (struct pub){ .in.kind = GROUP_IN_PUBLISH };
	if (!get_group(req, &pub->in.publish.group))
		return "group: expected 1 to 128 bytes";
	if (!get_name(req, "id", GROUP_ID_BYTES_MAX, &id) ||
	    (id.len > 0 && memchr(id.bytes, ' ', id.len) != NULL))
		return "id: expected at most 63 bytes, no blank";
	pub->in.publish.id = id;
	if (!get_confirm(req, pub))
		return "confirm: expected agreed, safe or none";
	if (!get_if_view(req, pub))
		return "if_view: expected REP.SEQ";
	if (!get_yes_no(req, "nowait", &pub->is_nowait))
		return "nowait: expected yes or no";
	if (!get_body(req, pub))
		return "expected data=VALUE or len=N";
	return NULL;
}

/* The ring cannot take it now. */
static enum svc_result
postpone(struct svc_request *req, const struct pub *pub)
{
	char bytes[128];
	struct text out;

	if (!pub->is_nowait ||
	    ringd_client_is_busy(ringd_client_of(req->client)))
		return SVC_WAIT;
	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, req->tag);
	text_put(&out, "err code=full n=75 retry_ms=20 msg=ring\\0040full\n");
	svc_put(req->client, out.bytes, out.len);
	return SVC_DONE;
}

static bool
refuse_group(
    struct ringd *r, struct svc_request *req, const struct group_name *group)
{
	const struct unixsock_peer *peer = svc_client_peer(req->client);

	if (acl_may_publish(r->conf, peer, group->bytes, group->len))
		return false;
	log_line(LOG_LEVEL_WARNING, "denied", "verb=%s pid=%d uid=%u",
	    req->word->verb[0], (int)peer->pid, (unsigned)peer->uid);
	svc_err(req->client, req->tag, "denied", "group: not allowed");
	return true;
}

/* Of a group of the daemons': there is more room, and not everybody may. */
static bool
is_own(const struct group_name *group)
{
	static const char own[] = "ringkit/";

	return group->len >= sizeof own - 1 &&
	    memcmp(group->bytes, own, sizeof own - 1) == 0;
}

static bool
refuse_pub(struct ringd *r, struct svc_request *req, const struct pub *pub)
{
	const size_t len_max = (size_t)r->conf->ring.message_bytes_max;
	const bool is_ours = is_own(&pub->in.publish.group);

	if (!is_ours && pub->in.publish.len > len_max) {
		svc_err(req->client, req->tag, "toolong", "len: at most %zu",
		    len_max);
		return true;
	}
	return (is_ours || r->conf->rule_count > 0) &&
	    refuse_group(r, req, &pub->in.publish.group);
}

static enum svc_result
run_pub(void *arg, struct svc_request *req)
{
	struct ringd *r = arg;
	struct ringd_client *c = ringd_client_of(req->client);
	struct pub pub;
	const char *wrong = parse_pub(req, &pub);
	enum ringd_pending_kind kind;
	size_t room;

	if (wrong != NULL)
		return misused(req, wrong);
	if (refuse_pub(r, req, &pub))
		return SVC_DONE;
	room = totem_room_bytes(r->totem, TOTEM_CLASS_CLIENT);
	if (room < pub.in.publish.len + GROUP_HEAD_BYTES_MAX)
		return postpone(req, &pub);
	pub.in.conn = c->speaks_for;
	pub.in.publish.room_bytes = room;
	kind = pub.confirm == CONFIRM_NONE ? RINGD_PENDING_PUB_NONE
					   : RINGD_PENDING_PUB;
	pub.in.publish.cookie = ringd_client_pend(r, c, req->tag, kind);
	if (pub.in.publish.cookie == 0)
		return SVC_WAIT;
	if (pub.confirm == CONFIRM_NONE) {
		ringd_client_accepted(r, pub.in.publish.cookie);
		pub.in.publish.cookie = 0;
	}
	ringd_group_step(r, &pub.in);
	return SVC_DONE;
}

/* ---- join, leave ------------------------------------------------------- */

static enum svc_result
run_change(struct ringd *r, struct svc_request *req, struct group_input *in)
{
	struct ringd_client *c = ringd_client_of(req->client);
	uint64_t cookie;

	if (refuse_group(r, req,
		in->kind == GROUP_IN_JOIN ? &in->join.group : &in->leave.group))
		return SVC_DONE;
	cookie = ringd_client_pend(r, c, req->tag, RINGD_PENDING_CHANGE);
	if (cookie == 0)
		return SVC_WAIT;
	in->conn = c->speaks_for;
	if (in->kind == GROUP_IN_JOIN)
		in->join.cookie = cookie;
	else
		in->leave.cookie = cookie;
	ringd_group_step(r, in);
	return SVC_DONE;
}

static enum svc_result
run_join(void *arg, struct svc_request *req)
{
	const struct ringd_client *c = ringd_client_of(req->client);
	struct group_input in = { .kind = GROUP_IN_JOIN };

	if (!get_group(req, &in.join.group))
		return misused(req, "group: expected 1 to 128 bytes");
	if (!get_name(req, "name", LIMIT_CLIENT_NAME_BYTES, &in.join.name))
		return misused(req, "name: expected at most 63 bytes");
	if (in.join.name.len == 0)
		in.join.name = (struct group_name){ (const uint8_t *)c->name,
			c->name_len };
	return run_change(arg, req, &in);
}

static enum svc_result
run_leave(void *arg, struct svc_request *req)
{
	struct group_input in = { .kind = GROUP_IN_LEAVE };

	if (!get_group(req, &in.leave.group))
		return misused(req, "group: expected 1 to 128 bytes");
	return run_change(arg, req, &in);
}

/* ---- listen, views ----------------------------------------------------- */

/* A place for a subscription with the id asked for; NULL: answered. */
static struct ringd_sub *
begin_sub(struct svc_request *req)
{
	const struct word_pair *id = word_get(req->word, "id");
	struct ringd_sub *sub;
	uint64_t number = 0;

	if (id != NULL &&
	    parse_u64(id->value, id->len, 1, INT32_MAX, &number) != 0) {
		(void)misused(req, "id: expected 1 to 2147483647");
		return NULL;
	}
	sub = ringd_client_sub(ringd_client_of(req->client), (uint32_t)number);
	if (sub == NULL)
		svc_err(req->client, req->tag, "busy",
		    "id: in use, or 8 subscriptions already");
	return sub;
}

static void
end_sub(struct ringd *r, struct svc_request *req, struct ringd_sub *sub,
    enum ringd_sub_kind kind)
{
	sub->kind = kind;
	svc_client_hold(req->client, 1);
	svc_ok(req->client, req->tag, "id=%u", sub->id);
	ringd_client_snapshot(r, ringd_client_of(req->client), sub);
}

/* The globs as they were written; false when one is malformed. */
static bool
get_globs(struct svc_request *req, const struct word_pair **out)
{
	const struct word_pair *pair = word_get_raw(req->word, "group");

	*out = pair;
	return pair == NULL ||
	    (pair->len > 0 && pair->len < RINGD_CLIENT_GLOB_BYTES &&
		glob_is_valid(pair->value, pair->len));
}

static enum svc_result
run_listen(void *arg, struct svc_request *req)
{
	const struct word_pair *globs;
	bool has_members, is_lossless;
	struct ringd_sub *sub;

	if (!get_globs(req, &globs))
		return misused(req, "group: expected globs, at most 511 bytes");
	if (!get_yes_no(req, "members", &has_members))
		return misused(req, "members: expected yes or no");
	if (!get_yes_no(req, "lossless", &is_lossless))
		return misused(req, "lossless: expected yes or no");
	sub = begin_sub(req);
	if (sub == NULL)
		return SVC_DONE;
	sub->has_members = has_members;
	sub->is_lossless = is_lossless;
	if (globs != NULL) {
		sub->glob_len = globs->len;
		memcpy(sub->globs, globs->value, globs->len);
	}
	end_sub(arg, req, sub, RINGD_SUB_LISTEN);
	return SVC_DONE;
}

static enum svc_result
run_views(void *arg, struct svc_request *req)
{
	struct ringd *r = arg;
	struct ringd_sub *sub;
	bool has_tick;

	if (!get_yes_no(req, "tick", &has_tick))
		return misused(req, "tick: expected yes or no");
	sub = begin_sub(req);
	if (sub == NULL)
		return SVC_DONE;
	sub->has_tick = has_tick;
	r->tick_wants += has_tick;
	end_sub(r, req, sub, RINGD_SUB_VIEWS);
	return SVC_DONE;
}

/* ---- groups ------------------------------------------------------------ */

/* One group; its list of members in as many items as that takes. */
static uint64_t
put_group(struct ringd *r, struct svc_request *req, size_t i,
    const struct group_name *group)
{
	static char bytes[RINGD_CLIENT_LINE_BYTES];
	const struct group_member *m = NULL;
	uint64_t items = 0;
	bool has_more;

	do {
		bool is_first = true;
		struct text out;

		text_init(&out, bytes, sizeof bytes);
		svc_put_tag(&out, req->tag);
		text_put(&out, "item group=");
		text_put_value(&out, group->bytes, group->len);
		text_put(&out, " members=");
		has_more = false;
		while (!has_more &&
		    (m = group_member_next(r->groups, i, m)) != NULL) {
			if (!is_first)
				text_put_char(&out, ',');
			is_first = false;
			ringd_client_put_member(&out, m, NULL);
			has_more = out.len >= LISTS_BYTES;
		}
		if (has_more)
			text_put(&out, " more=yes");
		text_put_char(&out, '\n');
		svc_put(req->client, out.bytes, out.len);
		items++;
	} while (has_more);
	return items;
}

static enum svc_result
run_groups(void *arg, struct svc_request *req)
{
	struct ringd *r = arg;
	const struct word_pair *globs;
	struct totem_status status;
	char bytes[64];
	struct text view;
	uint64_t items = 0;

	if (!get_globs(req, &globs))
		return misused(req, "group: expected globs, at most 511 bytes");
	for (size_t i = 0; i < group_total(r->groups); i++) {
		struct group_name group;

		group_at(r->groups, i, &group);
		if (globs == NULL ||
		    ringd_client_matches(globs->value, globs->len, &group))
			items += put_group(r, req, i, &group);
	}
	totem_status(r->totem, r->now_ns, &status);
	text_init(&view, bytes, sizeof bytes);
	totem_ring_text(status.ring, &view);
	svc_ok(req->client, req->tag, "n=%llu view=%s",
	    (unsigned long long)items, view.bytes);
	return SVC_DONE;
}

/* ---- drop -------------------------------------------------------------- */

static bool
get_direction(struct svc_request *req, enum ringd_net_direction *out)
{
	const struct word_pair *dir = word_get(req->word, "dir");

	*out = RINGD_NET_BOTH;
	if (dir == NULL || strcmp(dir->value, "both") == 0)
		return true;
	*out = strcmp(dir->value, "in") == 0 ? RINGD_NET_IN : RINGD_NET_OUT;
	return *out == RINGD_NET_IN || strcmp(dir->value, "out") == 0;
}

static enum svc_result
run_drop(void *arg, struct svc_request *req)
{
	struct ringd *r = arg;
	const struct word_pair *peer = word_get(req->word, "peer");
	const struct word_pair *span = word_get(req->word, "for");
	int node = peer != NULL ? cluster_find(r->conf, peer->value) : -1;
	const struct unixsock_peer *who = svc_client_peer(req->client);
	enum ringd_net_direction direction;
	uint64_t span_ns;

	if (node < 0 || (uint32_t)node == r->conf->self)
		return misused(req, "peer: expected another node");
	if (!get_direction(req, &direction))
		return misused(req, "dir: expected in, out or both");
	if (span == NULL ||
	    parse_duration(span->value, span->len, &span_ns) != 0 ||
	    span_ns > DROP_NS_MAX)
		return misused(req, "for: expected a duration, at most 1h");
	if (ringd_net_drop(r->net, r->conf->nodes[node].id, direction,
		span_ns == 0 ? 0 : req->now_ns + span_ns) < 0)
		return misused(req, "peer: expected another node");
	if (r->drop_until_ns[node] == 0)
		r->tick_wants++;
	r->drop_until_ns[node] = req->now_ns + span_ns;
	log_line(LOG_LEVEL_NOTICE, "drop",
	    "node=%u dir=%s ms=%llu pid=%d uid=%u", r->conf->nodes[node].id,
	    direction == RINGD_NET_IN        ? "in"
		: direction == RINGD_NET_OUT ? "out"
					     : "both",
	    (unsigned long long)(span_ns / CLOCK_MS_NS), (int)who->pid,
	    (unsigned)who->uid);
	svc_ok(req->client, req->tag, "left_ms=%llu",
	    (unsigned long long)(span_ns / CLOCK_MS_NS));
	return SVC_DONE;
}

/* ---- the service ------------------------------------------------------- */

static const struct svc_verb verbs[] = {
	{ "hello", run_hello, SVC_RIGHT_READ, "[proto=1] [name=NAME]", false },
	{ "attach", run_attach, SVC_RIGHT_READ, "conn=N", false },
	{ "pub", run_pub, SVC_RIGHT_WRITE,
	    "group=G [confirm=agreed|safe|none] [if_view=REP.SEQ] "
	    "[nowait=no|yes] [id=CLIENT.SEQ] (data=VALUE | len=N)",
	    true },
	{ "listen", run_listen, SVC_RIGHT_READ,
	    "[id=N] [group=GLOB[,GLOB...]] [members=no|yes] "
	    "[lossless=no|yes]",
	    false },
	{ "join", run_join, SVC_RIGHT_WRITE, "group=G [name=NAME]", true },
	{ "leave", run_leave, SVC_RIGHT_WRITE, "group=G", true },
	{ "views", run_views, SVC_RIGHT_READ, "[id=N] [tick=no|yes]", false },
	{ "groups", run_groups, SVC_RIGHT_READ, "[group=GLOB[,GLOB...]]",
	    false },
	{ "status", ringd_svc_status, SVC_RIGHT_READ, "", false },
	{ "stats", ringd_svc_stats, SVC_RIGHT_READ, "", false },
	{ "rotate-key", ringd_keys_rotate, SVC_RIGHT_ADMIN,
	    "stage=survey|install|switch|retire [id=N]", false },
	{ "reload", ringd_reload_verb, SVC_RIGHT_ADMIN, "[try=no|yes]", false },
	{ "drop", run_drop, SVC_RIGHT_ADMIN,
	    "peer=NODE [dir=both|in|out] for=DUR", false },
};

static void
greet(void *arg, struct text *out)
{
	const struct ringd *r = arg;
	const struct cluster_node *self = &r->conf->nodes[r->conf->self];

	text_put(out, " node=");
	text_put_u64(out, self->id);
	text_put(out, " name=");
	text_put(out, self->name);
	text_put(out, " inc=");
	text_put_u64(out, r->disk.incarnation);
}

static uint32_t
get_rights(void *arg, const struct unixsock_peer *peer)
{
	const struct ringd *r = arg;

	return acl_rights(r->conf, peer);
}

static bool
is_busy(void *arg, const struct svc_client *client)
{
	(void)arg;
	return ringd_client_is_busy(ringd_client_of(client));
}

static void
on_opened(void *arg, struct svc_client *client)
{
	ringd_client_opened(arg, client);
}

static void
on_closed(void *arg, struct svc_client *client)
{
	ringd_client_closed(arg, client);
}

static void
on_drained(void *arg, struct svc_client *client)
{
	ringd_client_drained(arg, ringd_client_of(client));
}

struct svc *
ringd_svc_create(struct ringd *r, struct arena *arena)
{
	size_t data_told = (size_t)r->conf->ring.message_bytes_max;
	size_t data_max = data_told + LIMIT_MESSAGE_BYTES_OWN;
	struct svc_config cfg = { .daemon = "ringd",
		.verbs = verbs,
		.verb_count = ARRAY_COUNT(verbs),
		.clients_max = LIMIT_CLIENTS,
		.pool_bytes = num_max(POOL_BYTES, 4 * data_max),
		.data_max = data_max,
		.data_told = data_told,
		.gathers = GATHERS,
		.user_bytes = sizeof(struct ringd_client),
		.arg = r,
		.greet = greet,
		.rights = get_rights,
		.is_busy = is_busy,
		.opened = on_opened,
		.closed = on_closed,
		.drained = on_drained };

	return svc_create(arena, &cfg);
}
