/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients come, send, are answered and go.
 *
 * A turn of the loop: timers (requests left over from earlier turns), then
 * readable clients, then the flush: everything queued is written, and clients
 * that are finished are removed.  A client is removed nowhere else, so a
 * pointer to one is good until the end of the turn.
 */
#include "libcommon/os/svc.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/svc_internal.h"

enum {
	ACCEPTS_PER_TURN = 16,
	GREETING_BYTES = 512,
	CLIENT_SHARE = 2, /* a queue's limit: the pool / this */
};

struct svc *
svc_create(struct arena *arena, const struct svc_config *cfg)
{
	struct svc *svc = arena_take(arena, sizeof *svc);
	struct svc_client *clients =
	    arena_take(arena, cfg->clients_max * sizeof *clients);
	char *gathers = arena_take(arena, cfg->gathers * (cfg->data_max + 1));
	char *in = arena_take(arena, (size_t)cfg->clients_max * SVC_IN_BYTES);
	size_t user_bytes = num_round_up(cfg->user_bytes, 16);
	char *user = arena_take(arena, cfg->clients_max * user_bytes);
	struct svc_out *out = svc_out_create(arena, cfg->pool_bytes);

	ENSURE(cfg->gathers <= SVC_GATHERS_MAX);
	if (svc == NULL)
		return NULL;
	svc->cfg = *cfg;
	svc->clients = clients;
	svc->out = out;
	svc->client_bytes_max = cfg->pool_bytes / CLIENT_SHARE;
	for (uint32_t i = 0; i < cfg->gathers; i++)
		svc->gathers[i].bytes = gathers + i * (cfg->data_max + 1);
	for (uint32_t i = 0; i < cfg->clients_max; i++) {
		clients[i].svc = svc;
		clients[i].user = user + i * user_bytes;
		svc_in_init(&clients[i].in, in + (size_t)i * SVC_IN_BYTES);
	}
	return svc;
}

/* ---- coming and going -------------------------------------------------- */

static struct svc_client *
free_client(struct svc *svc)
{
	for (uint32_t i = 0; i < svc->cfg.clients_max; i++)
		if (svc->clients[i].id == 0)
			return &svc->clients[i];
	return NULL;
}

static void
greet(struct svc_client *client)
{
	struct svc *svc = client->svc;
	char bytes[GREETING_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	text_put(&out, "ringkit proto=1 min=1 daemon=");
	text_put(&out, svc->cfg.daemon);
	text_put(&out, " version=" RINGKIT_VERSION);
	svc->cfg.greet(svc->cfg.arg, &out);
	text_put(&out, " max_line=");
	text_put_u64(&out, LIMIT_REQUEST_BYTES);
	text_put(&out, " max_data=");
	text_put_u64(&out,
	    svc->cfg.data_told != 0 ? svc->cfg.data_told : svc->cfg.data_max);
	text_put_char(&out, '\n');
	ENSURE(!out.is_full);
	svc_put(client, out.bytes, out.len);
}

/* Fills in a free client for an accepted socket: 0 or -E…. */
static int
open_client(struct svc_client *client, int fd, uint32_t rights_max)
{
	struct svc *svc = client->svc;
	int rc = unixsock_peer(fd, &client->peer);

	if (rc < 0)
		return rc;
	rc = loop_add_fd(svc->loop, fd, svc_serve_ready, client);
	if (rc < 0)
		return rc;
	client->slot = rc;
	client->fd = fd;
	client->id = ++svc->last_id;
	client->rights_max = rights_max;
	client->rights =
	    svc->cfg.rights(svc->cfg.arg, &client->peer) & rights_max;
	client->gather = SVC_NO_GATHER;
	client->holds = 0;
	client->is_waiting = client->is_backlogged = client->is_eof = false;
	client->is_closing = client->is_gone = client->is_refused = false;
	client->is_blocked = false;
	svc_in_init(&client->in, client->in.bytes);
	svc_queue_init(&client->queue);
	svc->client_count++;
	svc->client_top = (uint32_t)num_max(
	    svc->client_top, (uint64_t)(client - svc->clients) + 1);
	return 0;
}

static void
turn_away(struct svc *svc, int fd)
{
	static const char line[] =
	    "err code=busy n=75 msg=too\\0040many\\0040clients\n";

	svc->stats.refused++;
	log_line(LOG_LEVEL_WARNING, "client-refused", "clients=%u",
	    svc->client_count);
	/* A fresh socket has room; if not, the close says enough. */
	(void)!write(fd, line, sizeof line - 1);
}

static void
accept_client(struct svc *svc, int fd, uint32_t rights_max)
{
	struct svc_client *client = free_client(svc);

	if (client == NULL || open_client(client, fd, rights_max) < 0) {
		turn_away(svc, fd);
		fd_close(&fd);
		return;
	}
	svc->stats.accepted++;
	greet(client);
	svc->cfg.opened(svc->cfg.arg, client);
}

static void
on_listener(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct svc **owner = arg;
	struct svc *svc = *owner;

	(void)loop;
	(void)ready;
	(void)now_ns;
	for (uint32_t i = 0; i < svc->listener_count; i++) {
		if (&svc->listeners[i].svc != owner)
			continue;
		for (int n = 0; n < ACCEPTS_PER_TURN; n++) {
			int fd = unixsock_accept(svc->listeners[i].fd);

			if (fd < 0)
				return;
			accept_client(svc, fd, svc->listeners[i].rights);
		}
	}
}

/*
 * A socket that is closed with bytes unread takes what its other end has not
 * read yet with it: our last words.  So nothing more may come, and what has
 * come is thrown away.
 */
static void
discard_unread(struct svc_client *client)
{
	struct svc *svc = client->svc;
	ssize_t n;

	(void)shutdown(client->fd, SHUT_RD);
	do
		n = read(client->fd, svc->line, sizeof svc->line);
	while (n > 0 || (n < 0 && errno == EINTR));
}

static void
remove_client(struct svc_client *client)
{
	struct svc *svc = client->svc;

	svc->cfg.closed(svc->cfg.arg, client);
	svc_serve_gathered(client);
	svc_queue_clear(svc->out, &client->queue);
	loop_remove_fd(svc->loop, client->slot);
	discard_unread(client);
	fd_close(&client->fd);
	client->id = 0;
	svc->client_count--;
	while (svc->client_top > 0 && svc->clients[svc->client_top - 1].id == 0)
		svc->client_top--;
}

/* ---- turns ------------------------------------------------------------- */

static bool
is_finished(const struct svc_client *client, uint64_t now_ns)
{
	if (client->is_gone)
		return true;
	if (client->is_closing)
		return client->queue.bytes == 0 || now_ns >= client->linger_ns;
	return client->is_eof && !client->is_backlogged && client->holds == 0 &&
	    client->queue.bytes == 0;
}

static void
watch_client(struct svc_client *client)
{
	uint32_t wanted = 0;

	if (svc_serve_is_open(client) && !client->is_backlogged &&
	    !client->is_eof)
		wanted |= LOOP_READ;
	if (client->queue.bytes > 0)
		wanted |= LOOP_WRITE;
	loop_want(client->svc->loop, client->slot, wanted);
}

static void
flush_client(struct svc_client *client, uint64_t now_ns)
{
	struct svc *svc = client->svc;

	if (!client->is_blocked)
		svc_client_write(client);
	if (client->is_refused && !client->is_gone && !client->is_closing &&
	    client->queue.bytes <= client->refused_bytes / 2) {
		client->is_refused = false;
		svc->cfg.drained(svc->cfg.arg, client);
	}
	if (is_finished(client, now_ns))
		remove_client(client);
	else
		watch_client(client);
}

static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct svc *svc = arg;
	struct svc_client *client = NULL;

	(void)loop;
	while ((client = svc_client_next(svc, client)) != NULL)
		flush_client(client, now_ns);
}

static uint64_t
get_deadline_ns(const void *arg)
{
	const struct svc *svc = arg;
	uint64_t first_ns = svc_serve_deadline_ns(svc);

	for (uint32_t i = 0; i < svc->client_top; i++) {
		const struct svc_client *client = &svc->clients[i];

		if (client->id == 0)
			continue;
		if (client->is_backlogged && svc_serve_is_open(client))
			return 0;
		/* Queued while others were flushed. */
		if (client->queue.bytes > 0 && !client->is_blocked)
			return 0;
		if (client->is_closing)
			first_ns = num_min(first_ns, client->linger_ns);
	}
	return first_ns;
}

static void
on_deadline(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct svc *svc = arg;

	(void)loop;
	svc_serve_expire(svc, now_ns);
	svc->turn++;
	for (uint32_t i = 0; i < svc->client_top; i++) {
		struct svc_client *client =
		    &svc->clients[(i + svc->turn) % svc->client_top];

		if (client->id != 0 && client->is_backlogged)
			svc_serve_client(client, now_ns);
	}
}

void
svc_review(struct svc *svc)
{
	for (uint32_t i = 0; i < svc->client_top; i++) {
		struct svc_client *client = &svc->clients[i];

		if (client->id != 0)
			client->rights =
			    svc->cfg.rights(svc->cfg.arg, &client->peer) &
			    client->rights_max;
	}
}

int
svc_listen(struct svc *svc, struct loop *loop, int listen_fd, uint32_t rights)
{
	uint32_t i = svc->listener_count;
	int rc;

	ENSURE(i < ARRAY_COUNT(svc->listeners));
	svc->listeners[i].fd = listen_fd;
	svc->listeners[i].rights = rights;
	svc->listeners[i].svc = svc;
	rc = loop_add_fd(loop, listen_fd, on_listener, &svc->listeners[i].svc);
	if (rc < 0)
		return rc;
	if (svc->listener_count++ > 0)
		return 0;
	svc->loop = loop;
	loop_add_timer(loop, get_deadline_ns, on_deadline, svc);
	loop_add_flush(loop, on_flush, svc);
	return 0;
}

void
svc_resume(struct svc *svc)
{
	struct svc_client *client = NULL;

	while ((client = svc_client_next(svc, client)) != NULL)
		client->is_waiting = false;
}

void
svc_shut(struct svc *svc, const char *reason, uint64_t now_ns)
{
	struct svc_client *client = NULL;

	while ((client = svc_client_next(svc, client)) != NULL) {
		if (!client->is_closing)
			svc_err(client, NULL, "leaving", "%s", reason);
		svc_client_write(client);
		client->is_gone = true;
		flush_client(client, now_ns);
	}
}

void
svc_stats(const struct svc *svc, struct svc_stats *out)
{
	*out = svc->stats;
	out->clients = svc->client_count;
	out->queued_bytes = 0;
	for (uint32_t i = 0; i < svc->client_top; i++)
		if (svc->clients[i].id != 0)
			out->queued_bytes += svc->clients[i].queue.bytes;
}
