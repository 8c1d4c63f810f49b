/* SPDX-License-Identifier: BSD-3-Clause */
/* One client: who it is, and what is queued for it. */
#include <sys/uio.h>

#include <errno.h>

#include "libcommon/base/ensure.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/log.h"
#include "libcommon/os/svc_internal.h"

enum {
	IOVECS = 64,
	OFFENDER_SHARE = 8, /* who holds the pool / this is an offender */
	GRANT_SHARE = 64,   /* the pool / this is for everybody */
};

#define LINGER_NS (5 * CLOCK_S_NS)

uint32_t
svc_client_id(const struct svc_client *client)
{
	return client->id;
}

void *
svc_client_user(const struct svc_client *client)
{
	return client->user;
}

const struct unixsock_peer *
svc_client_peer(const struct svc_client *client)
{
	return &client->peer;
}

bool
svc_client_may(const struct svc_client *client, enum svc_right right)
{
	return (client->rights & (uint32_t)right) != 0;
}

size_t
svc_client_queued(const struct svc_client *client)
{
	return client->queue.bytes;
}

void
svc_client_hold(struct svc_client *client, int change)
{
	client->holds += change;
	ENSURE(client->holds >= 0);
}

void
svc_client_close(struct svc_client *client)
{
	if (client->is_closing)
		return;
	client->is_closing = true;
	client->linger_ns = clock_now_ns() + LINGER_NS;
}

struct svc_client *
svc_client_next(struct svc *svc, const struct svc_client *after)
{
	uint32_t i = after == NULL ? 0 : (uint32_t)(after - svc->clients) + 1;

	for (; i < svc->client_top; i++)
		if (svc->clients[i].id != 0)
			return &svc->clients[i];
	return NULL;
}

/* ---- queues ------------------------------------------------------------ */

void
svc_client_write(struct svc_client *client)
{
	struct svc *svc = client->svc;
	struct iovec iov[IOVECS];

	client->is_blocked = false;
	while (client->queue.bytes > 0 && !client->is_gone) {
		int count =
		    svc_queue_peek(svc->out, &client->queue, iov, IOVECS);
		ssize_t n = writev(client->fd, iov, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			client->is_blocked = true;
			return;
		}
		if (n < 0) {
			client->is_gone = true;
			return;
		}
		svc->stats.bytes_out += (uint64_t)n;
		svc_queue_drop(svc->out, &client->queue, (size_t)n);
	}
}

void
svc_client_close_slow(struct svc_client *client, const char *why)
{
	if (client->is_closing)
		return;
	log_line(LOG_LEVEL_WARNING, "client-slow",
	    "conn=%u pid=%d uid=%u queue_bytes=%zu why=%s", client->id,
	    (int)client->peer.pid, (unsigned)client->peer.uid,
	    client->queue.bytes, why);
	client->svc->stats.closed_slow++;
	svc_client_close(client);
}

/*
 * The pool is full: the client that holds most of it loses its connection and
 * its queue.  false: nobody holds so much that this would be just.
 */
static bool
drop_offender(struct svc *svc, const struct svc_client *spared)
{
	struct svc_client *at = NULL, *worst = NULL;

	while ((at = svc_client_next(svc, at)) != NULL)
		if (at != spared && !at->is_gone &&
		    (worst == NULL || at->queue.bytes > worst->queue.bytes))
			worst = at;
	if (worst == NULL || worst->queue.bytes <= spared->queue.bytes ||
	    worst->queue.bytes < svc->cfg.pool_bytes / OFFENDER_SHARE)
		return false;
	svc_client_close_slow(worst, "pool-full");
	worst->is_gone = true;
	svc_queue_clear(svc->out, &worst->queue);
	return true;
}

void
svc_put(struct svc_client *client, const void *bytes, size_t len)
{
	struct svc *svc = client->svc;

	if (client->is_gone)
		return;
	while (!svc_queue_put(svc->out, &client->queue, bytes, len)) {
		if (drop_offender(svc, client))
			continue;
		svc_client_close_slow(client, "no-room-for-reply");
		client->is_gone = true;
		return;
	}
}

/*
 * A queue may grow to half of the pool, and only while it is no longer than
 * what is free: however many clients do not read, some room is always left.
 * Who hardly has anything queued is not refused for what others hoard; then
 * the pool is made to have room.
 */
static bool
is_short_enough(const struct svc_client *client, size_t len)
{
	const struct svc *svc = client->svc;
	size_t bytes = client->queue.bytes + len;
	size_t free_bytes =
	    (size_t)svc_out_free(svc->out) * SVC_OUT_CHUNK_BYTES;

	if (bytes > svc->client_bytes_max)
		return false;
	return client->queue.bytes <= free_bytes ||
	    bytes <= svc->cfg.pool_bytes / GRANT_SHARE;
}

static bool
is_offerable(struct svc_client *client, size_t len)
{
	if (client->is_gone || client->is_closing || client->is_refused)
		return false;
	if (is_short_enough(client, len))
		return true;
	/* Perhaps it only was not written to for a while. */
	if (!client->is_blocked)
		svc_client_write(client);
	return is_short_enough(client, len);
}

static void
refuse(struct svc_client *client)
{
	if (!client->is_refused)
		client->refused_bytes = client->queue.bytes;
	client->is_refused = true;
}

bool
svc_offer(struct svc_client *client, const void *bytes, size_t len)
{
	struct svc *svc = client->svc;

	if (!is_offerable(client, len)) {
		refuse(client);
		return false;
	}
	while (!svc_queue_put(svc->out, &client->queue, bytes, len)) {
		if (drop_offender(svc, client))
			continue;
		refuse(client);
		return false;
	}
	return true;
}

bool
svc_offer_data(struct svc_client *client, const void *line, size_t len,
    struct svc_payload *payload)
{
	struct svc *svc = client->svc;

	if (!is_offerable(client, len + payload->len + 1)) {
		refuse(client);
		return false;
	}
	while (
	    !svc_queue_put_data(svc->out, &client->queue, line, len, payload)) {
		if (drop_offender(svc, client))
			continue;
		refuse(client);
		return false;
	}
	return true;
}

void
svc_release(struct svc *svc, struct svc_payload *payload)
{
	svc_payload_done(svc->out, payload);
}
