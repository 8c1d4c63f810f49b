/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients send: reading it, gathering long data, serving it in order. */
#include <errno.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/svc_internal.h"

enum { UNREAD_SHARE = 4 }; /* not read above: a queue's limit / this */

/* Data that does not come on while somebody waits for its memory. */
#define GATHER_NS      (2 * CLOCK_S_NS)
#define GATHER_LATE_NS (100 * CLOCK_MS_NS)

/* ---- long requests ----------------------------------------------------- */

/* false: none is free; the client waits. */
static bool
begin_gather(
    struct svc_client *client, const struct svc_frame *frame, uint64_t now_ns)
{
	struct svc *svc = client->svc;

	for (uint32_t i = 0; i < svc->cfg.gathers; i++) {
		struct svc_gather *gather = &svc->gathers[i];

		if (gather->client != NULL)
			continue;
		gather->client = client;
		gather->progress_ns = now_ns;
		gather->is_late = false;
		client->gather = (int)i;
		svc_in_gather(&client->in, frame, gather->bytes);
		return true;
	}
	svc->is_gather_wanted = true;
	return false;
}

void
svc_serve_gathered(struct svc_client *client)
{
	struct svc *svc = client->svc;

	if (client->gather == SVC_NO_GATHER)
		return;
	svc->gathers[client->gather].client = NULL;
	client->gather = SVC_NO_GATHER;
	if (svc->is_gather_wanted)
		svc_resume(svc);
	svc->is_gather_wanted = false;
}

/* When the memory of a client that sends nothing falls to those who wait. */
uint64_t
svc_serve_deadline_ns(const struct svc *svc)
{
	uint64_t first_ns = UINT64_MAX;

	for (uint32_t i = 0; i < svc->cfg.gathers; i++) {
		const struct svc_gather *gather = &svc->gathers[i];

		if (svc->is_gather_wanted && gather->client != NULL &&
		    !gather->client->is_waiting)
			first_ns =
			    num_min(first_ns, gather->progress_ns + GATHER_NS);
	}
	return first_ns;
}

void
svc_serve_expire(struct svc *svc, uint64_t now_ns)
{
	for (uint32_t i = 0; i < svc->cfg.gathers; i++) {
		struct svc_gather *gather = &svc->gathers[i];
		struct svc_client *client = gather->client;

		if (client == NULL || client->is_waiting ||
		    gather->progress_ns + GATHER_NS > now_ns)
			continue;
		/* We may have stood still: what it sent is read first. */
		if (!gather->is_late) {
			gather->is_late = true;
			gather->progress_ns =
			    now_ns - (GATHER_NS - GATHER_LATE_NS);
			continue;
		}
		svc_err(client, NULL, "slow", "data: nothing came for 2s");
		svc_client_close_slow(client, "data-stalled");
		svc_serve_gathered(client);
	}
}

/* ---- requests ---------------------------------------------------------- */

bool
svc_serve_is_open(const struct svc_client *client)
{
	const struct svc *svc = client->svc;
	const size_t unread_bytes = svc->cfg.unread_bytes != 0
	    ? svc->cfg.unread_bytes
	    : svc->client_bytes_max / UNREAD_SHARE;

	return !client->is_waiting && !client->is_closing && !client->is_gone &&
	    client->queue.bytes <= unread_bytes;
}

/* Serves what is whole in the client's buffer. */
void
svc_serve_client(struct svc_client *client, uint64_t now_ns)
{
	struct svc *svc = client->svc;
	enum svc_in_result got = SVC_IN_NONE;
	struct svc_frame frame;

	while (svc_serve_is_open(client)) {
		got = svc_in_next(&client->in, svc->cfg.data_max, &frame);
		if (got == SVC_IN_GATHER) {
			client->is_waiting =
			    !begin_gather(client, &frame, now_ns);
			continue;
		}
		if (got != SVC_IN_READY)
			break;
		if (svc_verb_run(client, &frame, now_ns) == SVC_WAIT) {
			client->is_waiting = true;
			break;
		}
		svc->stats.requests++;
		svc_in_drop(&client->in, &frame);
		svc_serve_gathered(client);
	}
	client->is_backlogged =
	    got != SVC_IN_NONE || !svc_serve_is_open(client);
	if (got > SVC_IN_GATHER)
		svc_verb_refuse(client, got);
}

/* Reads once: true when the client sent something. */
static bool
read_client(struct svc_client *client, uint64_t now_ns)
{
	size_t room;
	char *space = svc_in_space(&client->in, &room);
	ssize_t n;

	ENSURE(room > 0);
	n = read(client->fd, space, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		client->is_gone = true;
		return false;
	}
	if (n == 0) {
		client->is_eof = true;
		return false;
	}
	svc_in_fill(&client->in, (size_t)n);
	client->svc->stats.bytes_in += (uint64_t)n;
	if (client->gather != SVC_NO_GATHER) {
		client->svc->gathers[client->gather].progress_ns = now_ns;
		client->svc->gathers[client->gather].is_late = false;
	}
	return true;
}

void
svc_serve_ready(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct svc_client *client = arg;

	(void)loop;
	if (ready & LOOP_WRITE)
		client->is_blocked = false;
	if (!(ready & (LOOP_READ | LOOP_HUP)))
		return;
	/* What it sent before it hung up is still served, if it can be. */
	if (svc_serve_is_open(client) && !client->is_eof &&
	    read_client(client, now_ns))
		svc_serve_client(client, now_ns);
	else if (ready & LOOP_HUP)
		client->is_gone = true;
}
