/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine of the shell: what happens becomes inputs of the replica, what
 * that wants is carried out.
 *
 * A turn: timers, then what came (from clients, ringd, the disk), then the
 * flushes: the ring and the disk are given what it came to, clients are told.
 * Answers leave in the same turn as they were found.
 */
#include "bin/cfgstored/cfgstored.h"

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/serve.h"

enum { WHY_BYTES = 512 };

#define LEAVE_NS (2 * CLOCK_S_NS)

void
cfgstored_tick(struct cfgstored *d, uint64_t now_ns)
{
	d->now_ns = num_max(d->now_ns, now_ns);
}

const struct kv *
cfgstored_kv(const struct cfgstored *d)
{
	return replica_kv(d->replica);
}

bool
cfgstored_is_open(const struct cfgstored *d)
{
	return d->state == REPLICA_OPEN;
}

void
cfgstored_want_reload(struct cfgstored *d)
{
	d->is_reload_due = true;
}

/* ---- what the replica wants -------------------------------------------- */

static void
on_state(struct cfgstored *d, enum replica_state state)
{
	struct replica_status now;

	d->state = state;
	replica_status(d->replica, &now);
	log_line(LOG_LEVEL_NOTICE, "state", "state=%s why=%s index=%llu",
	    replica_state_name(state), now.why,
	    (unsigned long long)now.tip.index);
}

static void
on_answer(struct cfgstored *d, const struct replica_effect *effect)
{
	if (effect->answer.cookie == CFGSTORED_LEAVE_COOKIE) {
		log_line(LOG_LEVEL_NOTICE, "left", "code=%s",
		    replica_code_name(effect->answer.code));
		loop_stop(d->loop, d->exit_code);
	} else
		cfgstored_request_answer(d, effect);
}

static void
do_effect(struct cfgstored *d, const struct replica_effect *effect)
{
	switch (effect->kind) {
	case REPLICA_OUT_PUBLISH:
		cfgstored_stream_publish(d, effect);
		break;
	case REPLICA_OUT_FOUND:
	case REPLICA_OUT_APPEND:
	case REPLICA_OUT_BEGIN:
	case REPLICA_OUT_END:
	case REPLICA_OUT_ABORT:
	case REPLICA_OUT_SAVE:
	case REPLICA_OUT_LEND:
	case REPLICA_OUT_LEND_NEXT:
	case REPLICA_OUT_LEND_END:
		cfgstored_files_do(d, effect);
		break;
	case REPLICA_OUT_ANSWER:
		on_answer(d, effect);
		break;
	case REPLICA_OUT_REV:
		d->rev = effect->rev;
		break;
	case REPLICA_OUT_STATE:
		on_state(d, effect->state);
		break;
	case REPLICA_OUT_LOG:
		log_line(LOG_LEVEL_NOTICE, "store", "%s", effect->log);
		break;
	case REPLICA_OUT_RELOAD:
		cfgstored_want_reload(d);
		break;
	case REPLICA_EFFECTS:
		break;
	}
}

/* Nobody asks a replica that is to be made anew. */
static void
refuse(struct cfgstored *d, const struct replica_input *in)
{
	const struct replica_effect answer = { .kind = REPLICA_OUT_ANSWER,
		.answer = { .cookie = in->cookie, .code = REPLICA_CLOSED } };

	if (in->kind == REPLICA_IN_PROPOSE || in->kind == REPLICA_IN_READ ||
	    in->kind == REPLICA_IN_ADMIN)
		on_answer(d, &answer);
}

static void
step(struct cfgstored *d, struct replica_input *in)
{
	struct replica_effect effect;

	/* Of no more use: its last words have been said. */
	if (d->is_reload_due && in->kind != REPLICA_IN_LOST) {
		refuse(d, in);
		return;
	}
	in->now_ns = d->now_ns;
	replica_step(d->replica, in);
	d->is_say_due = d->is_say_due || in->is_more;
	while (replica_next(d->replica, &effect))
		do_effect(d, &effect);
}

void
cfgstored_tell_room(struct cfgstored *d)
{
	while (d->is_room_due) {
		struct replica_input in = { .kind = REPLICA_IN_ROOM,
			.room = cfgstored_files_room(d),
			.is_more = true };

		d->is_room_due = false;
		step(d, &in);
	}
}

void
cfgstored_step(struct cfgstored *d, struct replica_input *in)
{
	in->is_more = true;
	step(d, in);
	cfgstored_tell_room(d);
}

/* What all inputs of a turn came to is published at its end. */
static void
say(struct cfgstored *d)
{
	while (d->is_say_due) {
		struct replica_input in = { .kind = REPLICA_IN_TIME };

		d->is_say_due = false;
		step(d, &in);
		cfgstored_tell_room(d);
	}
	if (d->ring_drop != NULL) {
		const char *why = d->ring_drop;

		d->ring_drop = NULL;
		feed_drop(d->ring_feed, why, d->now_ns);
	}
}

/*
 * A replica of what is on disk.  The ring is left and entered anew, so that
 * all begins with a view.
 */
static void
reload(struct cfgstored *d)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	d->stats.reloads++;
	if (d->ring.is_open)
		feed_drop(d->ring_feed, "reload", d->now_ns);
	cfgstored_files_leave(d);
	if (cfgstored_load(d, &why) < 0) {
		log_line(LOG_LEVEL_ERROR, "reload-failed", "why=%s", bytes);
		loop_stop(d->loop, EXITCODE_OS);
		return;
	}
	cfgstored_files_watch(d);
	if (!d->is_permitted) {
		struct replica_input in = { .kind = REPLICA_IN_QUORUM };

		cfgstored_step(d, &in);
	}
	/* Who is fenced has to be told anew, too. */
	if (feed_is_open(d->member_feed))
		feed_drop(d->member_feed, "reload", d->now_ns);
}

void
cfgstored_look(struct cfgstored *d)
{
	(void)feed_drain(d->ring_feed, d->now_ns);
}

/* ---- turns ------------------------------------------------------------- */

static uint64_t
get_deadline_ns(const void *arg)
{
	const struct cfgstored *d = arg;
	uint64_t at_ns = num_min(replica_deadline_ns(d->replica),
	    cfgstored_age_deadline_ns(&d->age));

	at_ns = num_min(at_ns, cfgstored_files_deadline_ns(d));
	if (d->leave_deadline_ns != 0)
		at_ns = num_min(at_ns, d->leave_deadline_ns);
	if (d->is_reload_due || d->is_unsaved)
		at_ns = 0;
	return at_ns;
}

static void
forget_history(struct cfgstored *d)
{
	const struct kv *kv = cfgstored_kv(d);
	uint64_t rev =
	    cfgstored_age_look(&d->age, kv != NULL ? kv_rev(kv) : 0, d->now_ns);

	if (rev > 0 && kv != NULL)
		replica_compact(d->replica, rev);
}

static void
on_deadline(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct cfgstored *d = arg;
	struct replica_input in = { .kind = REPLICA_IN_TIME };

	cfgstored_tick(d, now_ns);
	if (replica_deadline_ns(d->replica) <= d->now_ns)
		cfgstored_step(d, &in);
	forget_history(d);
	cfgstored_files_on_time(d);
	if (d->leave_deadline_ns != 0 && d->now_ns >= d->leave_deadline_ns)
		loop_stop(loop, d->exit_code);
}

/* Before the service writes: what was found in this turn leaves in it. */
static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct cfgstored *d = arg;

	(void)loop;
	cfgstored_tick(d, now_ns);
	cfgstored_files_turn(d);
	say(d);
	if (d->is_reload_due)
		reload(d);
	cfgstored_files_flush(d);
	cfgstored_watch_pump(d);
	if (d->is_resume_due)
		svc_resume(d->svc);
	d->is_resume_due = false;
}

/* And behind it: who has read what was queued gets more. */
static void
on_flushed(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)loop;
	(void)now_ns;
	cfgstored_watch_pump(arg);
}

/* ---- opening and closing ------------------------------------------------ */

int
cfgstored_open(struct cfgstored *d)
{
	int rc = loop_open(d->loop);

	if (rc < 0)
		return rc;
	cfgstored_tick(d, clock_now_ns());
	d->start_ns = d->now_ns;
	cfgstored_files_watch(d);
	loop_add_timer(d->loop, get_deadline_ns, on_deadline, d);
	loop_add_flush(d->loop, on_flush, d);
	rc = cfgstored_reload_open(d);
	if (rc < 0)
		return rc;
	feed_start(d->ring_feed, d->loop, d->now_ns);
	feed_start(d->quorum_feed, d->loop, d->now_ns);
	feed_start(d->member_feed, d->loop, d->now_ns);
	rc = svc_listen(d->svc, d->loop, d->serve->sock.fd, SVC_RIGHT_ALL);
	loop_add_flush(d->loop, on_flushed, d);
	return rc;
}

/* The others are asked to count without us, if that is possible. */
void
cfgstored_leave(struct cfgstored *d, uint64_t now_ns)
{
	struct replica_input in = { .kind = REPLICA_IN_ADMIN,
		.admin = { .what = REPLICA_ADMIN_LEAVE } };

	cfgstored_tick(d, now_ns);
	if (!cfgstored_is_open(d)) {
		loop_stop(d->loop, d->exit_code);
		return;
	}
	d->leave_deadline_ns = d->now_ns + LEAVE_NS;
	in.cookie = CFGSTORED_LEAVE_COOKIE;
	in.deadline_ns = d->leave_deadline_ns;
	cfgstored_step(d, &in);
}

void
cfgstored_close(struct cfgstored *d)
{
	svc_shut(d->svc, "cfgstored ends", d->now_ns);
	feed_stop(d->member_feed);
	feed_stop(d->quorum_feed);
	feed_stop(d->ring_feed);
	reread_close(&d->reread);
	cfgstored_lend_end(&d->lend);
	cfgstored_disk_close(d->disk);
	loop_close(d->loop);
}
