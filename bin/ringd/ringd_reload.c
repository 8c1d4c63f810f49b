/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conf of struct ringd is the configuration in force; what is read goes to the
 * other of two places, and is taken by making that one the present.  Only one
 * change is under way at a time, and the writer does one job after the other,
 * so nobody writes where somebody reads.
 */
#include "bin/ringd/ringd_reload.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/base/idmap.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/base/wrbuf.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_client.h"
#include "bin/ringd/ringd_net.h"

enum { WHAT_BYTES = 360, WHY_BYTES = 256, BODY_BYTES = 8 };

/* ---- reading ----------------------------------------------------------- */

void
ringd_reload_begin(struct ringd *r, struct ringd_confs *confs)
{
	r->reload = (struct ringd_reload){ .confs = confs,
		.config = cluster_digest(r->conf) };
	memcpy(r->reload.cluster, r->conf->cluster, sizeof r->reload.cluster);
}

static struct cluster_conf *
get_next(const struct ringd *r)
{
	struct ringd_confs *confs = r->reload.confs;

	return &confs->conf[(atomic_load(&confs->at) + 1) % 2];
}

/* Its number; 0: the writer takes nothing. */
static uint64_t
ask_writer(struct ringd *r)
{
	struct ringd_reload *reload = &r->reload;
	struct ringd_reload_job job = { .kind = RINGD_JOB_RELOAD };

	if (reload->confs == NULL)
		return 0;
	job.slot = (atomic_load(&reload->confs->at) + 1) % 2;
	job.number = ++reload->number;
	if (ringd_disk_ask_job(&r->disk, &job, sizeof job) < 0)
		return 0;
	return job.number;
}

bool
ringd_reload_is_busy(const struct ringd *r)
{
	return r->reload.asked != 0;
}

/* ---- judging ----------------------------------------------------------- */

struct judgement {
	const struct ringd *r;
	struct totem_nodes members;
	struct text what;
	struct text why; /* empty: nothing is against it */
	bool is_cut;
	char what_bytes[WHAT_BYTES], why_bytes[WHY_BYTES];
};

static bool
is_member(const struct judgement *j, uint32_t node)
{
	for (uint32_t i = 0; i < j->members.count; i++)
		if (j->members.id[i] == node)
			return true;
	return false;
}

static void
put_what(struct judgement *j, const char *words, size_t len)
{
	/* An escaped octet takes five. */
	if (j->is_cut || j->what.len + 5 * len + 8 > sizeof j->what_bytes) {
		if (!j->is_cut)
			text_put(&j->what, ",...");
		j->is_cut = true;
		return;
	}
	if (j->what.len > 0)
		text_put_char(&j->what, ',');
	text_put_value(&j->what, words, len);
}

static void
object(struct judgement *j, const char *words, const char *more)
{
	if (j->why.len > 0)
		return;
	text_put(&j->why, words);
	text_put(&j->why, more);
}

/* Their sockets are bound to groups and interfaces at the start. */
static bool
has_groups(const struct ringd *r)
{
	return r->conf->ring.transport == CLUSTER_MULTICAST;
}

static void
judge_one(void *arg, const struct cluster_difference *difference)
{
	struct judgement *j = arg;
	char bytes[CLUSTER_NAME_BYTES + 32];
	struct text words;

	text_init(&words, bytes, sizeof bytes);
	cluster_difference_put(difference, &words);
	put_what(j, words.bytes, words.len);
	if (!difference->is_live ||
	    (difference->kind == CLUSTER_LINKS_CHANGED && has_groups(j->r))) {
		object(j, bytes, ": needs a restart");
		return;
	}
	if (difference->before == NULL || !is_member(j, difference->before->id))
		return;
	if (difference->kind == CLUSTER_NODE_REMOVED)
		object(j, difference->before->name,
		    " is still a member: stop it first");
	else if (difference->kind == CLUSTER_NODE_MOVED && has_groups(j->r))
		object(j, bytes,
		    ": needs a restart with transport = multicast: stop it "
		    "first");
}

/* One socket a link: all nodes have it in one family of addresses. */
static void
judge_families(struct judgement *j, const struct cluster_conf *conf)
{
	const struct cluster_node *self = &conf->nodes[conf->self];

	for (uint32_t i = 0; i < conf->node_count; i++)
		for (uint32_t link = 0; link < conf->link_count; link++)
			if (conf->nodes[i].link[link].any.sa_family !=
			    self->link[link].any.sa_family)
				object(j, conf->nodes[i].name,
				    " has a link of another family than the "
				    "others");
}

static void
vote(struct ringd *r)
{
	static struct judgement j;
	const struct cluster_conf *next = get_next(r);
	struct totem_status status;
	char bytes[CHANGE_TEXT_BYTES_MAX + 1];
	struct text text;
	uint32_t count;

	totem_status(r->totem, r->now_ns, &status);
	j = (struct judgement){ .r = r, .members = status.members };
	text_init(&j.what, j.what_bytes, sizeof j.what_bytes);
	text_init(&j.why, j.why_bytes, sizeof j.why_bytes);
	count = cluster_compare(r->conf, next, judge_one, &j);
	judge_families(&j, next);
	if (j.why.len == 0)
		ringd_links_judge(r,
		    &(struct ringd_links_case){
			next, &j.members, r->reload.is_try },
		    &j.why);
	if (j.why.len > 0) {
		ringd_change_refuse(r, &r->reload.id, j.why.bytes);
		return;
	}
	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "differences=");
	text_put_u64(&text, count);
	text_put(&text, " what=");
	text_put(&text, j.what.bytes);
	r->reload.is_prepared = true;
	ringd_change_vote(r, &r->reload.id, true, bytes);
}

/* ---- a change, in its order -------------------------------------------- */

void
ringd_reload_prepare(struct ringd *r, const struct change_effect *effect)
{
	struct ringd_reload *reload = &r->reload;
	struct rdbuf rd;

	reload->id = effect->id;
	reload->is_try = effect->change == RINGD_CHANGE_TRY;
	reload->is_prepared = false;
	reload->job = 0;
	if (effect->len != BODY_BYTES) {
		ringd_change_refuse(
		    r, &effect->id, "it does not know this change");
		return;
	}
	rdbuf_init(&rd, effect->body, effect->len);
	reload->digest = rdbuf_u64(&rd);
	reload->job = ask_writer(r);
	if (reload->job == 0)
		ringd_change_refuse(r, &effect->id, "its writer takes nothing");
}

static void
judge_answer(struct ringd *r, const struct ringd_reload_answer *answer)
{
	struct ringd_reload *reload = &r->reload;
	char bytes[WHY_BYTES];
	struct text why;

	reload->job = 0;
	text_init(&why, bytes, sizeof bytes);
	if (!answer->is_read) {
		ringd_change_refuse(r, &reload->id, answer->text);
	} else if (answer->digest != reload->digest) {
		text_put(&why, "its file differs from ");
		text_put(&why, ringd_change_name(r, reload->id.node));
		text_put(&why, "'s");
		ringd_change_refuse(r, &reload->id, bytes);
	} else {
		vote(r);
	}
}

void
ringd_reload_abort(struct ringd *r)
{
	r->reload.is_prepared = false;
	r->reload.job = 0;
}

/* ---- taking it --------------------------------------------------------- */

static void
get_ids(const struct cluster_conf *conf, struct totem_nodes *out)
{
	out->count = conf->node_count;
	for (uint32_t i = 0; i < conf->node_count; i++)
		out->id[i] = conf->nodes[i].id;
}

/* What is kept here by a node's place. */
static void
move_places(struct ringd *r, const struct cluster_conf *before)
{
	struct totem_nodes was, is;
	struct idmap map;

	get_ids(before, &was);
	get_ids(r->conf, &is);
	idmap_make(&map, was.id, was.count, is.id, is.count);
	for (uint32_t i = 0; i < was.count; i++)
		if (map.to[i] == IDMAP_NONE && r->drop_until_ns[i] != 0)
			r->tick_wants--;
	idmap_array(&map, r->drop_until_ns, sizeof r->drop_until_ns[0]);
	idmap_array(&map, r->mismatched, sizeof r->mismatched[0]);
}

static void
take(struct ringd *r)
{
	struct ringd_reload *reload = &r->reload;
	const struct cluster_conf *before = r->conf;

	r->conf = get_next(r);
	atomic_fetch_add(&reload->confs->at, 1);
	move_places(r, before);
	if (before->log_level != r->conf->log_level)
		log_set_level(r->conf->log_level);
	svc_review(r->svc);
	reload->is_net_due = true;
	reload->config = reload->digest;
	reload->taken_ns = r->now_ns;
	reload->count++;
}

void
ringd_reload_commit(struct ringd *r, const struct change_effect *effect,
    const struct group_pos *pos)
{
	struct ringd_reload *reload = &r->reload;
	struct ringd_client_config told = {
		.pos = *pos, .by = effect->id.node, .digest = reload->digest
	};

	if (effect->change == RINGD_CHANGE_RELOAD && reload->is_prepared) {
		take(r);
		log_line(LOG_LEVEL_NOTICE, "reloaded", "by=%u config=%016llx",
		    effect->id.node, (unsigned long long)reload->digest);
		ringd_client_reloaded(r, &told);
	}
	ringd_reload_abort(r);
}

/* Nothing is being received, sent or delivered now. */
void
ringd_reload_turn(struct ringd *r)
{
	static struct ringd_net_config net; /* too large for the stack */
	struct ringd_reload *reload = &r->reload;
	struct totem_nodes nodes;
	struct totem_config cfg;

	if (reload->is_net_due) {
		ringd_configure_net(r, &net);
		ringd_links_change(r, &net);
		ringd_local_change(r);
		ringd_configure_totem(r, &cfg);
		totem_set_spans(r->totem, &cfg);
		reload->is_net_due = false;
		reload->is_table_due = true;
	}
	if (!reload->is_table_due)
		return;
	get_ids(r->conf, &nodes);
	reload->is_table_due = !totem_set_nodes(r->totem, &nodes);
}

/* ---- asking for it ----------------------------------------------------- */

static void
fail(struct ringd *r, uint64_t cookie, const char *words)
{
	char bytes[CHANGE_TEXT_BYTES_MAX + 1];
	struct text value;

	text_init(&value, bytes, sizeof bytes);
	text_put_value(&value, words, strlen(words));
	log_line(LOG_LEVEL_WARNING, "reload-refused", "msg=%s", bytes);
	ringd_change_fail(r, cookie, "refused", words);
}

static void
begin(struct ringd *r, uint8_t kind, uint64_t cookie)
{
	struct ringd_reload *reload = &r->reload;
	uint64_t job = ask_writer(r);

	if (job == 0) {
		fail(r, cookie, "its writer takes nothing");
		return;
	}
	reload->asked = kind;
	reload->asked_job = job;
	reload->cookie = cookie;
}

/* The first that decides about quorum. */
static void
find_quorum(void *arg, const struct cluster_difference *difference)
{
	struct text *out = arg;
	bool is_it = difference->kind == CLUSTER_NODE_ADDED ||
	    difference->kind == CLUSTER_NODE_REMOVED ||
	    difference->kind == CLUSTER_NODE_VOTES ||
	    (difference->kind == CLUSTER_SETTING_CHANGED &&
		strncmp(difference->setting, "[quorum]", 8) == 0);

	if (is_it && out->len == 0)
		cluster_difference_put(difference, out);
}

/* Nobody asks quorumd before a signal, nor waits until it has agreed. */
static bool
is_for_signals(struct ringd *r)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	(void)cluster_compare(r->conf, get_next(r), find_quorum, &why);
	if (why.len == 0)
		return true;
	text_put(&why, " is about quorum: use ringkit reload");
	fail(r, 0, bytes);
	return false;
}

static void
find_links(void *arg, const struct cluster_difference *difference)
{
	bool *is_it = arg;

	*is_it |= difference->kind == CLUSTER_LINKS_CHANGED ||
	    difference->kind == CLUSTER_NODE_MOVED;
}

/* 0: as long as any change. */
static uint64_t
patience_ns(const struct ringd *r)
{
	bool has_links = false;

	(void)cluster_compare(r->conf, get_next(r), find_links, &has_links);
	return has_links ? RINGD_LINKS_VOTE_NS : 0;
}

static void
propose(struct ringd *r, const struct ringd_reload_answer *answer)
{
	struct ringd_reload *reload = &r->reload;
	uint8_t body[BODY_BYTES];
	struct ringd_change_proposal proposal = { .kind = reload->asked,
		.body = body,
		.len = sizeof body,
		.cookie = reload->cookie };
	struct wrbuf wr;

	reload->asked = 0;
	reload->cookie = 0;
	if (!answer->is_read) {
		fail(r, proposal.cookie, answer->text);
		return;
	}
	if (proposal.cookie == 0 && !is_for_signals(r))
		return;
	wrbuf_init(&wr, body, sizeof body);
	wrbuf_u64(&wr, answer->digest);
	proposal.patience_ns = patience_ns(r);
	ringd_change_propose(r, &proposal);
}

void
ringd_reload_read(struct ringd *r)
{
	struct ringd_reload *reload = &r->reload;
	struct ringd_reload_answer answer;

	if (r->disk.answer_len != sizeof answer)
		return;
	memcpy(&answer, r->disk.answer, sizeof answer);
	if (reload->asked != 0 && answer.number == reload->asked_job)
		propose(r, &answer);
	else if (reload->job != 0 && answer.number == reload->job)
		judge_answer(r, &answer);
}

void
ringd_reload_ask(struct ringd *r, uint64_t now_ns)
{
	const char *words = NULL;

	ringd_set_now(r, now_ns);
	if (ringd_change_obstacle(r, &words) != NULL)
		fail(r, 0, words);
	else
		begin(r, RINGD_CHANGE_RELOAD, 0);
}

enum svc_result
ringd_reload_verb(void *arg, struct svc_request *req)
{
	struct ringd *r = arg;
	const struct word_pair *dry = word_get(req->word, "try");
	const char *words = NULL, *code;
	uint64_t cookie;
	int is_dry = 0;

	if (dry != NULL && parse_yes_no(dry->value, dry->len, &is_dry) != 0) {
		svc_err(
		    req->client, req->tag, "usage", "try: expected yes or no");
		return SVC_DONE;
	}
	ringd_set_now(r, req->now_ns);
	code = ringd_change_obstacle(r, &words);
	if (code != NULL) {
		svc_err(req->client, req->tag, code, "%s", words);
		return SVC_DONE;
	}
	cookie = ringd_client_pend(
	    r, ringd_client_of(req->client), req->tag, RINGD_PENDING_NODES);
	if (cookie == 0)
		return SVC_WAIT;
	begin(r, is_dry ? RINGD_CHANGE_TRY : RINGD_CHANGE_RELOAD, cookie);
	return SVC_DONE;
}

void
ringd_reload_put_digest(struct text *out, uint64_t digest)
{
	char digits[17];

	snprintf(digits, sizeof digits, "%016llx", (unsigned long long)digest);
	text_put(out, digits);
}

/* ---- the answer -------------------------------------------------------- */

/* To the log, always: nobody may be waiting. */
void
ringd_reload_result(struct ringd *r, enum change_outcome outcome)
{
	struct change_member member;

	log_line(
	    outcome == CHANGE_COMMITTED ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING,
	    "reload-result", "outcome=%s try=%s", change_outcome_name(outcome),
	    r->change->asked == RINGD_CHANGE_TRY ? "yes" : "no");
	if (outcome != CHANGE_REFUSED)
		return;
	for (uint32_t i = 0; change_member(r->change->core, i, &member); i++)
		if (member.ballot == CHANGE_AGAINST)
			log_line(LOG_LEVEL_WARNING, "reload-refused",
			    "node=%u %s", member.node, member.text);
}

void
ringd_reload_put(const struct ringd *r, struct text *out)
{
	text_put(out,
	    r->change->asked == RINGD_CHANGE_TRY ? "change=try"
						 : "change=reload");
}

/* The names of nodes of the configuration that are not in the ring. */
static void
put_absent(struct ringd *r, const struct cluster_conf *conf, struct text *out)
{
	struct judgement j;
	struct totem_status status;
	bool is_first = true;

	totem_status(r->totem, r->now_ns, &status);
	j.members = status.members;
	for (uint32_t i = 0; i < conf->node_count; i++) {
		if (is_member(&j, conf->nodes[i].id))
			continue;
		if (!is_first)
			text_put_char(out, ',');
		is_first = false;
		text_put(out, conf->nodes[i].name);
	}
}

void
ringd_reload_done(
    struct ringd *r, struct svc_client *client, const char *tag, uint32_t items)
{
	const bool is_try = r->change->asked == RINGD_CHANGE_TRY;
	char bytes[LIMIT_NODES * CLUSTER_NAME_BYTES + 256];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	svc_put_tag(&out, tag);
	text_put(&out, "ok n=");
	text_put_u64(&out, items);
	text_put(&out, " config=");
	ringd_reload_put_digest(&out, r->reload.digest);
	text_put(&out, " absent=");
	put_absent(r, is_try ? get_next(r) : r->conf, &out);
	text_put_char(&out, '\n');
	svc_put(client, out.bytes, out.len);
}
