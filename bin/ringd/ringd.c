/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine of the shell: turns what happens into inputs of the pure layers
 * and carries out what they want.
 *
 * The one rule: after every input to the core, or to the groups, all effects
 * of both are pulled before anything else is fed.  An effect of the groups
 * for the core ends a step of theirs, and is fed only when the core has
 * nothing left to say.
 */
#include "bin/ringd/ringd.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"

#include "bin/ringd/group.h"
#include "bin/ringd/ringd_client.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/supervisor.h"
#include "bin/ringd/totem.h"

enum {
	LINE_BYTES = 1024,
};

#define TICK_NS  (80 * CLOCK_MS_NS) /* at most 100 ms apart */
#define LEAVE_NS CLOCK_S_NS

void
ringd_set_now(struct ringd *r, uint64_t now_ns)
{
	r->now_ns = num_max(r->now_ns, now_ns);
}

/* ---- what the core wants ----------------------------------------------- */

static void
log_view(struct ringd *r, const struct totem_view *view)
{
	char bytes[LINE_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	text_put(&out, "view=");
	totem_ring_text(view->ring, &out);
	text_put(&out, " members=");
	ringd_client_put_nodes(&out, &view->members);
	if (view->phase == TOTEM_PHASE_REGULAR) {
		text_put(&out, " joined=");
		ringd_client_put_nodes(&out, &view->joined);
	} else {
		text_put(&out, " left=");
		ringd_client_put_nodes(&out, &view->left);
	}
	text_put(&out, " reason=");
	text_put(&out, totem_reason_name(view->reason));
	text_put(&out, " ms=");
	text_put_u64(&out, num_sub(r->now_ns, view->began_ns) / CLOCK_MS_NS);
	log_line(LOG_LEVEL_NOTICE,
	    view->phase == TOTEM_PHASE_REGULAR ? "view-installed"
					       : "view-transitional",
	    "%s", out.bytes);
}

static void
log_trace(const struct totem_trace *trace)
{
	char bytes[LINE_BYTES];
	struct text out;

	if (!log_is_wanted(LOG_LEVEL_DEBUG))
		return;
	text_init(&out, bytes, sizeof bytes);
	totem_trace_text(trace, &out);
	log_line(
	    LOG_LEVEL_DEBUG, "trace", "node=%u %s", trace->node, out.bytes);
}

static void
fail_disk(struct ringd *r, int rc)
{
	log_line(LOG_LEVEL_ERROR, "disk-failed",
	    "msg=ring\\0040sequences\\0040cannot\\0040be\\0040kept errno=%d",
	    -rc);
	r->exit_code = EXITCODE_OS;
	ringd_leave(r, r->now_ns);
}

/* Groups first hear of a delivery or view, then do what follows from it. */
static void tell_groups(struct ringd *r, const struct totem_effect *effect);

static void
do_core_effect(struct ringd *r, const struct totem_effect *effect)
{
	int rc;

	switch (effect->kind) {
	case TOTEM_OUT_SEND:
		ringd_net_send(r->net, effect, r->now_ns);
		break;
	case TOTEM_OUT_VIEW:
		r->is_alone = effect->view->phase == TOTEM_PHASE_REGULAR &&
		    effect->view->members.count == 1;
		r->had_company |= effect->view->members.count > 1;
		r->view_ns = r->now_ns;
		log_view(r, effect->view);
		ringd_client_view(r, effect->view, r->now_ns);
		ringd_change_view(r, effect->view);
		tell_groups(r, effect);
		break;
	case TOTEM_OUT_DELIVER:
	case TOTEM_OUT_DROPPED:
		tell_groups(r, effect);
		break;
	case TOTEM_OUT_PERSIST:
		rc = ringd_disk_ask(&r->disk, effect->persist_ring_seq);
		if (rc < 0)
			fail_disk(r, rc);
		break;
	case TOTEM_OUT_WRITABLE:
		r->is_resumed = true;
		break;
	case TOTEM_OUT_PAUSED:
		log_line(LOG_LEVEL_WARNING, "paused", "ms=%llu",
		    (unsigned long long)(effect->pause_ns / CLOCK_MS_NS));
		break;
	case TOTEM_OUT_LEFT:
		r->is_left = true;
		if (r->page != NULL)
			atomic_store(&r->page->has_left, true);
		break;
	case TOTEM_OUT_TRACE:
		log_trace(&effect->trace);
		break;
	}
}

/* ---- what the groups want ---------------------------------------------- */

/* true: it was fed to the core, which now has effects. */
static bool
do_group_effect(struct ringd *r, const struct group_effect *effect)
{
	struct totem_input in;

	switch (effect->kind) {
	case GROUP_OUT_SUBMIT:
	case GROUP_OUT_OPEN_GATE:
		in = effect->core;
		in.now_ns = r->now_ns;
		totem_step(r->totem, &in);
		r->is_fed = true;
		if (effect->kind == GROUP_OUT_SUBMIT)
			group_submitted(r->groups, totem_last_msg_no(r->totem));
		return true;
	case GROUP_OUT_MESSAGE:
		if (!ringd_change_message(r, &effect->message))
			ringd_client_message(r, &effect->message);
		break;
	case GROUP_OUT_VIEW:
		ringd_client_change(r, &effect->view);
		break;
	case GROUP_OUT_DONE:
		if (effect->done.cookie != 0)
			ringd_client_done(
			    r, effect->done.cookie, &effect->done.pos);
		break;
	case GROUP_OUT_FAILED:
		if (effect->failed.conn == 0)
			r->change->is_unsent = true;
		if (effect->failed.cookie != 0)
			ringd_client_failed(
			    r, effect->failed.cookie, effect->failed.reason);
		break;
	case GROUP_OUT_SYNCED:
		log_line(LOG_LEVEL_INFO, "groups-synced", "view=%u.%llu",
		    effect->synced.ring.rep,
		    (unsigned long long)effect->synced.ring.seq);
		break;
	case GROUP_EFFECTS:
		break;
	}
	return false;
}

/* true: the core has effects. */
static bool
pull_groups(struct ringd *r)
{
	struct group_effect effect;
	bool is_fed = false;

	while (group_next(r->groups, &effect))
		is_fed = do_group_effect(r, &effect) || is_fed;
	return is_fed;
}

static void
tell_groups(struct ringd *r, const struct totem_effect *effect)
{
	group_step(r->groups,
	    &(struct group_input){ .kind = GROUP_IN_TOTEM, .totem = effect });
	/* Nothing for the core comes of this: it is not drained. */
	(void)pull_groups(r);
}

/* Until neither layer has anything to say. */
static void
pull_all(struct ringd *r)
{
	for (;;) {
		struct totem_effect effect;
		struct group_input room = { .kind = GROUP_IN_ROOM };

		while (totem_next(r->totem, &effect))
			do_core_effect(r, &effect);
		if (!group_is_waiting(r->groups))
			return;
		room.room.client_bytes =
		    totem_room_bytes(r->totem, TOTEM_CLASS_CLIENT);
		room.room.system_bytes =
		    totem_room_bytes(r->totem, TOTEM_CLASS_SYSTEM);
		group_step(r->groups, &room);
		if (!pull_groups(r))
			return;
	}
}

void
ringd_step(struct ringd *r, const struct totem_input *in)
{
	ringd_set_now(r, in->now_ns);
	totem_step(r->totem, in);
	pull_all(r);
}

void
ringd_group_step(struct ringd *r, const struct group_input *in)
{
	group_step(r->groups, in);
	(void)pull_groups(r);
	pull_all(r);
}

/* ---- turns ------------------------------------------------------------- */

/* What the writer has done. */
static void
take_job(struct ringd *r)
{
	uint32_t kind;

	memcpy(&kind, r->disk.answer, sizeof kind);
	if (kind == RINGD_JOB_RELOAD)
		ringd_reload_read(r);
	else
		ringd_keys_written(r);
}

static void
on_disk(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct totem_input in = { .kind = TOTEM_IN_PERSISTED };
	struct ringd *r = arg;
	int rc;

	(void)ready;
	ringd_set_now(r, now_ns);
	rc = ringd_disk_answer(&r->disk, &in.persisted_ring_seq);
	if (rc < 0) {
		loop_remove_fd(loop, r->disk_slot);
		fail_disk(r, rc);
		return;
	}
	in.now_ns = r->now_ns;
	if (rc == RINGD_DISK_MARK)
		ringd_step(r, &in);
	else if (rc == RINGD_DISK_JOB)
		take_job(r);
}

static uint64_t
get_totem_deadline_ns(const void *arg)
{
	const struct ringd *r = arg;

	return totem_deadline_ns(r->totem);
}

static void
on_totem_deadline(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct ringd *r = arg;

	(void)loop;
	ringd_set_now(r, now_ns);
	ringd_step(r,
	    &(struct totem_input){
		.kind = TOTEM_IN_DEADLINE, .now_ns = r->now_ns });
}

static uint64_t
get_net_deadline_ns(const void *arg)
{
	const struct ringd *r = arg;

	return ringd_net_deadline_ns(r->net);
}

static void
on_net_deadline(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct ringd *r = arg;

	(void)loop;
	ringd_set_now(r, now_ns);
	ringd_net_deadline(r->net, r->now_ns);
}

static uint64_t
get_own_deadline_ns(const void *arg)
{
	const struct ringd *r = arg;

	const uint64_t tick_ns = r->tick_wants > 0 ? r->tick_ns : UINT64_MAX;

	if (r->is_fed && r->is_alone)
		return 0;
	if (r->leave_deadline_ns != 0)
		return num_min(tick_ns, r->leave_deadline_ns);
	return tick_ns;
}

/* Says so when a drop that an administrator asked for is over. */
static void
end_drops(struct ringd *r)
{
	for (uint32_t i = 0; i < r->conf->node_count; i++) {
		if (r->drop_until_ns[i] == 0 || r->drop_until_ns[i] > r->now_ns)
			continue;
		r->drop_until_ns[i] = 0;
		r->tick_wants--;
		log_line(LOG_LEVEL_NOTICE, "drop-ended", "node=%u",
		    r->conf->nodes[i].id);
	}
}

static void
on_own_deadline(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct ringd *r = arg;

	ringd_set_now(r, now_ns);
	if (now_ns >= r->tick_ns) {
		r->tick_ns = now_ns + TICK_NS;
		ringd_client_tick(r);
		end_drops(r);
	}
	if (r->leave_deadline_ns != 0 && now_ns >= r->leave_deadline_ns)
		loop_stop(loop, r->exit_code);
}

/* A token that comes brings IDLE; who is alone has to be told. */
static void
idle_alone(struct ringd *r)
{
	if (!r->is_fed || !r->is_alone)
		return;
	r->is_fed = false;
	ringd_step(r,
	    &(struct totem_input){
		.kind = TOTEM_IN_IDLE, .now_ns = r->now_ns });
}

/* One line for each start of a node whose limits are not ours. */
static void
log_mismatches(struct ringd *r)
{
	uint64_t count = totem_count(r->totem, TOTEM_COUNT_CONFIG_MISMATCH);
	struct totem_peer_status peer;

	if (count == r->mismatches)
		return;
	r->mismatches = count;
	for (uint32_t i = 0; i < r->conf->node_count; i++) {
		if (!totem_peer_status(
			r->totem, r->conf->nodes[i].id, r->now_ns, &peer) ||
		    !peer.is_mismatched || r->mismatched[i] == peer.incarnation)
			continue;
		r->mismatched[i] = peer.incarnation;
		log_line(LOG_LEVEL_WARNING, "configuration-differs",
		    "node=%u msg=cluster\\0040name,\\0040version\\0040or"
		    "\\0040message_bytes_max",
		    r->conf->nodes[i].id);
	}
}

/*
 * After all descriptors of the turn.  What clients asked for is with the core
 * by now, so a token that came in this turn takes it along.
 */
static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct ringd *r = arg;

	(void)now_ns;
	totem_set_tracing(r->totem, log_is_wanted(LOG_LEVEL_DEBUG));
	totem_set_frame(r->totem, ringd_net_frame_bytes(r->net));
	log_mismatches(r);
	if (r->is_leave_wanted)
		ringd_step(r,
		    &(struct totem_input){
			.kind = TOTEM_IN_LEAVE, .now_ns = r->now_ns });
	r->is_leave_wanted = false;
	ringd_keys_turn(r);
	ringd_reload_turn(r);
	ringd_change_turn(r);
	idle_alone(r);
	ringd_net_flush(r->net, r->now_ns);
	if (r->is_left)
		loop_stop(loop, r->exit_code);
}

/*
 * Clients that went may have something sent; whoever waited for what this
 * turn brought is served in the next, at once.
 */
static void
on_last_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct ringd *r = arg;

	(void)loop;
	(void)now_ns;
	idle_alone(r);
	ringd_net_flush(r->net, r->now_ns);
	if (r->is_resumed)
		svc_resume(r->svc);
	r->is_resumed = false;
}

void
ringd_leave(struct ringd *r, uint64_t now_ns)
{
	if (r->leave_deadline_ns != 0)
		return;
	ringd_set_now(r, now_ns);
	r->leave_deadline_ns = r->now_ns + LEAVE_NS;
	log_line(LOG_LEVEL_NOTICE, "leaving", "%s", "");
	r->is_leave_wanted = true;
}

/* ---- opening and closing ------------------------------------------------ */

int
ringd_open(struct ringd *r, struct text *why)
{
	int rc = loop_open(r->loop);

	if (rc < 0) {
		text_put(why, strerror(-rc));
		return rc;
	}
	rc = ringd_links_open(r, why);
	if (rc < 0)
		return rc;
	ringd_local_watch(r);
	r->disk_slot = loop_add_fd(r->loop, r->disk.fd, on_disk, r);
	if (r->disk_slot < 0)
		return r->disk_slot;
	loop_add_timer(r->loop, get_totem_deadline_ns, on_totem_deadline, r);
	loop_add_timer(r->loop, get_net_deadline_ns, on_net_deadline, r);
	loop_add_timer(r->loop, get_own_deadline_ns, on_own_deadline, r);
	loop_add_flush(r->loop, on_flush, r);
	rc = svc_listen(r->svc, r->loop, r->sock.fd, SVC_RIGHT_ALL);
	if (rc < 0)
		return rc;
	loop_add_flush(r->loop, on_last_flush, r);
	/* Effects of the start. */
	pull_all(r);
	return 0;
}

void
ringd_close(struct ringd *r)
{
	if (r->page != NULL)
		atomic_store(&r->page->is_ending, true);
	svc_shut(r->svc, "ringd ends", r->now_ns);
	ringd_net_flush(r->net, r->now_ns);
	unixsock_close(&r->sock);
	ringd_local_close(r);
	ringd_net_close(r->net);
	loop_close(r->loop);
	if (r->outlived_by != 0 &&
	    ringd_disk_outlive(&r->disk, r->outlived_by) < 0)
		log_line(LOG_LEVEL_ERROR, "disk-failed", "inc=%llu",
		    (unsigned long long)r->outlived_by);
	ringd_disk_close(&r->disk);
}
