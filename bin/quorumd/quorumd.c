/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine of the shell: what happens becomes inputs of the core, what that
 * wants is carried out, and what may be told is told.
 *
 * Two clocks: the loop's, by which the core counts its windows, and the one
 * that goes on while the machine sleeps, by which ringd stamps its ticks and
 * the lease is kept.
 */
#include "bin/quorumd/quorumd.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/serve.h"
#include "libcommon/os/watch.h"

#include "bin/quorumd/quorum_roster.h"
#include "bin/quorumd/quorum_stream.h"

#define LEAVE_NS CLOCK_S_NS

/* The cookie of our own request to leave. */
#define LEAVE_COOKIE UINT64_MAX

/* ---- what the core wants ----------------------------------------------- */

static void
fail_state(struct quorumd *d, const char *what, int rc)
{
	log_line(
	    LOG_LEVEL_ERROR, "state-failed", "file=%s errno=%d", what, -rc);
	d->exit_code = EXITCODE_OS;
	loop_stop(d->loop, EXITCODE_OS);
}

static void
log_verdict(const struct quorum_verdict *verdict)
{
	log_line(LOG_LEVEL_NOTICE,
	    verdict->is_quorate ? "quorate" : "no-quorum",
	    "view=%u.%llu votes=%u needed=%u expected=%u basis=%s reason=%s",
	    verdict->view.rep, (unsigned long long)verdict->view.seq,
	    verdict->votes, verdict->needed, verdict->expected,
	    quorum_basis_name(verdict->basis),
	    quorum_reason_name(verdict->reason));
}

static void
tell_verdict(struct quorumd *d, const struct quorum_verdict *verdict)
{
	const struct quorum_stream_verdict told = {
		.view = verdict->view,
		.pos = verdict->pos,
		.answer =
		    verdict->is_quorate ? QUORUM_STREAM_YES : QUORUM_STREAM_NO,
		.votes = verdict->votes,
		.needed = verdict->needed,
		.expected = verdict->expected,
		.basis = quorum_basis_name(verdict->basis),
		.reason = quorum_reason_name(verdict->reason),
	};

	log_verdict(verdict);
	if (!quorum_stream_verdict(d->stream, &told, d->now_ns))
		d->is_behind = true;
}

static void
on_answer(struct quorumd *d, const struct quorum_effect *effect)
{
	if (effect->answer.cookie == LEAVE_COOKIE)
		loop_stop(d->loop, d->exit_code);
	else
		quorumd_svc_answer(d, effect);
}

static void
do_effect(struct quorumd *d, const struct quorum_effect *effect)
{
	int rc;

	switch (effect->kind) {
	case QUORUM_OUT_PUBLISH:
		quorumd_ring_publish(d, effect);
		break;
	case QUORUM_OUT_KEEP:
		rc = quorumd_state_keep(&d->state, d->ring.inc,
		    effect->keep.bytes, effect->keep.len);
		if (rc < 0)
			fail_state(d, "quorumd.state", rc);
		break;
	case QUORUM_OUT_TRACK:
		rc = quorumd_state_track(&d->state, effect->track);
		if (rc < 0)
			fail_state(d, "quorumd.track", rc);
		break;
	case QUORUM_OUT_RECORD:
		rc = quorumd_state_record(&d->state, effect->record.no,
		    effect->record.bytes, effect->record.len);
		if (rc < 0)
			fail_state(d, "quorumd.record", rc);
		break;
	case QUORUM_OUT_VERDICT:
		tell_verdict(d, &effect->verdict);
		break;
	case QUORUM_OUT_ANSWER:
		on_answer(d, effect);
		break;
	case QUORUM_EFFECTS:
		break;
	}
}

void
quorumd_step(struct quorumd *d, struct quorum_input *in)
{
	struct quorum_effect effect;

	in->now_ns = d->now_ns;
	quorum_step(d->core, in);
	while (quorum_next(d->core, &effect))
		do_effect(d, &effect);
	quorumd_reload_stepped(d);
}

/* ---- the lease --------------------------------------------------------- */

uint64_t
quorumd_clock_ns(struct quorumd *d)
{
	const uint64_t boot_ns = clock_boot_ns();
	const uint64_t paused_ns = quorum_lease_run(&d->lease, boot_ns);

	d->boot_ns = num_sub(boot_ns, clock_now_ns());
	if (paused_ns > 0) {
		d->pauses++;
		log_line(LOG_LEVEL_WARNING, "paused", "ms=%llu",
		    (unsigned long long)(paused_ns / CLOCK_MS_NS));
	}
	return boot_ns;
}

/*
 * Whoever was in the group when we came has spoken, or had a lease's time to:
 * before that our own vote alone would look like a verdict.
 */
static bool
is_synced(struct quorumd *d)
{
	struct quorum_node node;

	if (!d->ring.is_open || d->ring.view.rep == 0)
		return false;
	if (d->now_ns - d->ring.open_ns > d->lease.lease_ns)
		return true;
	if (!d->ring.is_joined)
		return false;
	for (size_t i = 0; quorum_node_at(d->core, i, &node); i++)
		for (size_t k = 0; k < d->ring.group.count; k++)
			if (d->ring.group.id[k] == node.id && node.is_member &&
			    !node.has_spoken)
				return false;
	return true;
}

bool
quorumd_is_fresh(const struct quorumd *d)
{
	return d->is_fresh;
}

static void
set_gate(struct quorumd *d)
{
	const uint64_t boot_ns = quorumd_clock_ns(d);
	bool is_fresh;

	d->ring.is_synced = d->ring.is_synced || is_synced(d);
	is_fresh = d->ring.is_open && d->ring.is_synced &&
	    quorum_lease_is_fresh(&d->lease, boot_ns);
	if (is_fresh == d->is_fresh)
		return;
	d->is_fresh = is_fresh;
	if (is_fresh) {
		log_line(LOG_LEVEL_NOTICE, "fresh", "%s", "");
		quorum_stream_open(d->stream, "fresh");
	} else {
		const char *reason = quorum_lease_reason(&d->lease);

		log_line(LOG_LEVEL_WARNING, "unknown", "reason=%s", reason);
		quorum_stream_shut(d->stream, reason);
	}
}

void
quorumd_look(struct quorumd *d)
{
	(void)quorumd_clock_ns(d);
	/* If it is not open, the gate says so. */
	(void)feed_drain(d->ring_feed, d->now_ns);
	quorumd_relay(d);
}

/* ---- what leaves ------------------------------------------------------- */

/* In the history a `ready` has the cursor of itself, as a snapshot's has. */
static void
put_cursor(struct quorumd *d, struct text *out)
{
	struct watch_stats stats;

	watch_stats(d->watch, &stats);
	text_put(out, " cursor=");
	watch_put_epoch(d->watch, out);
	text_put_char(out, ':');
	text_put_u64(out, stats.seq + 1);
}

void
quorumd_end_change(struct quorumd *d)
{
	if (!d->is_changing)
		return;
	d->is_changing = false;
	svc_resume(d->svc);
}

static bool
is_event(const struct text *record, const char *name)
{
	const size_t len = strlen(name);

	return record->len > len && memcmp(record->bytes, name, len) == 0 &&
	    record->bytes[len] == ' ';
}

/* Between them a snapshot would show members that its view does not have. */
static void
note_change(struct quorumd *d, const struct text *record)
{
	if (is_event(record, "leave") || is_event(record, "join"))
		d->is_changing = true;
	else if (is_event(record, "view") || is_event(record, "ready"))
		quorumd_end_change(d);
}

/*
 * Nobody watches before the first snapshot of memberd's is complete: its
 * records are state, not events.
 */
static void
tell(struct quorumd *d, struct text *record)
{
	const bool is_ready = is_event(record, "ready");

	if (!quorum_roster_apply(d->roster, record->bytes, d->now_ns))
		log_line(LOG_LEVEL_ERROR, "roster-full", "%s", "");
	if (d->is_told && is_ready)
		put_cursor(d, record);
	if (d->is_told)
		watch_tell(d->watch, record);
	d->is_told = d->is_told || is_ready;
	if (is_ready)
		svc_resume(d->svc);
	note_change(d, record);
}

void
quorumd_relay(struct quorumd *d)
{
	struct text record;

	set_gate(d);
	while (quorum_stream_next(d->stream, &record))
		tell(d, &record);
	watch_flush(d->watch);
}

/* A memberd that stands still must not hide a loss of quorum. */
static void
drop_behind(struct quorumd *d)
{
	const uint64_t owed_ns = quorum_stream_owed_ns(d->stream);

	if (owed_ns != UINT64_MAX && d->now_ns > owed_ns + d->lease.lease_ns)
		d->is_behind = true;
	if (d->is_behind)
		feed_drop(d->member_feed, "behind", d->now_ns);
	d->is_behind = false;
}

/* ---- turns ------------------------------------------------------------- */

static uint64_t
get_deadline_ns(const void *arg)
{
	const struct quorumd *d = arg;
	uint64_t at_ns =
	    num_sub(quorum_lease_deadline_ns(&d->lease), d->boot_ns);

	if (d->core != NULL && d->ring.is_open)
		at_ns = num_min(at_ns, quorum_deadline_ns(d->core));
	if (d->leave_deadline_ns != 0)
		at_ns = num_min(at_ns, d->leave_deadline_ns);
	if (d->is_awaited)
		at_ns = num_min(at_ns, d->patience_end_ns);
	return at_ns;
}

/* Before the descriptors of the turn: who was stopped learns it here first. */
static void
on_deadline(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct quorumd *d = arg;
	struct quorum_input in = { .kind = QUORUM_IN_TIME };

	d->now_ns = num_max(d->now_ns, now_ns);
	(void)quorumd_clock_ns(d);
	if (d->core != NULL && d->ring.is_open &&
	    quorum_deadline_ns(d->core) <= d->now_ns)
		quorumd_step(d, &in);
	if (d->leave_deadline_ns != 0 && d->now_ns >= d->leave_deadline_ns)
		loop_stop(loop, d->exit_code);
	if (d->is_awaited && d->now_ns >= d->patience_end_ns) {
		d->is_awaited = false;
		svc_resume(d->svc);
	}
}

static void
on_track(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct quorumd *d = arg;
	int rc = durable_answer(&d->state.track);

	(void)loop;
	(void)ready;
	d->now_ns = num_max(d->now_ns, now_ns);
	if (rc < 0)
		fail_state(d, "quorumd.track", rc);
}

static void
on_record(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct quorumd *d = arg;
	struct quorum_input in = { .kind = QUORUM_IN_RECORDED };
	int rc = quorumd_state_recorded(&d->state, &in.recorded);

	(void)loop;
	(void)ready;
	d->now_ns = num_max(d->now_ns, now_ns);
	if (rc < 0)
		fail_state(d, "quorumd.record", rc);
	else if (rc > 0 && in.recorded != 0 && d->core != NULL)
		quorumd_step(d, &in);
}

static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct quorumd *d = arg;

	(void)loop;
	d->now_ns = num_max(d->now_ns, now_ns);
	quorumd_relay(d);
	drop_behind(d);
}

/* ---- opening and closing ------------------------------------------------ */

int
quorumd_open(struct quorumd *d)
{
	int rc = loop_open(d->loop);

	if (rc == 0 && d->state.track.fd >= 0)
		rc = loop_add_fd(d->loop, d->state.track.fd, on_track, d);
	if (rc == 0)
		rc = loop_add_fd(d->loop, d->state.record.fd, on_record, d);
	if (rc < 0)
		return rc;
	d->now_ns = d->start_ns = clock_now_ns();
	d->patience_end_ns = d->now_ns + QUORUMD_PATIENCE_NS;
	(void)quorumd_clock_ns(d);
	loop_add_timer(d->loop, get_deadline_ns, on_deadline, d);
	rc = quorumd_reload_open(d);
	if (rc < 0)
		return rc;
	feed_start(d->ring_feed, d->loop, d->now_ns);
	feed_start(d->member_feed, d->loop, d->now_ns);
	loop_add_flush(d->loop, on_flush, d);
	return svc_listen(d->svc, d->loop, d->serve->sock.fd, SVC_RIGHT_ALL);
}

/*
 * With allow_downscale the others are told that our votes go with us; else
 * there is nothing to tell.
 */
void
quorumd_leave(struct quorumd *d, uint64_t now_ns)
{
	struct quorum_input in = { .kind = QUORUM_IN_LEAVE,
		.cookie = LEAVE_COOKIE };

	d->now_ns = num_max(d->now_ns, now_ns);
	d->leave_deadline_ns = d->now_ns + LEAVE_NS;
	if (!d->cfg.allow_downscale || !d->ring.is_open || d->core == NULL)
		loop_stop(d->loop, d->exit_code);
	else
		quorumd_step(d, &in);
}

void
quorumd_close(struct quorumd *d)
{
	svc_shut(d->svc, "quorumd ends", d->now_ns);
	feed_stop(d->member_feed);
	feed_stop(d->ring_feed);
	reread_close(&d->reread);
	loop_close(d->loop);
	quorumd_state_close(&d->state);
}
