/* SPDX-License-Identifier: BSD-3-Clause */
/* The service of cfg.sock: its verbs, who may, how clients come and go.
 *
 * Requests that change something may be many at once, if they have tags; they
 * take effect in their order, and each is answered when it did.
 */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/log.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"

enum {
	POOL_BYTES = 64 << 20,
	UNREAD_BYTES = 256 << 10, /* nobody is answered who has so much */
	GATHERS = 8,
	EPOCH_DIGITS = 8,
};

#define TIMEOUT_NS (30 * CLOCK_S_NS)

static const struct svc_verb verbs[] = {
	{ "get", cfgstored_svc_get, SVC_RIGHT_READ,
	    "key=K [rev=R] [sync=yes|no] [timeout=DUR]", false },
	{ "list", cfgstored_svc_list, SVC_RIGHT_READ,
	    "[glob=GLOB[,GLOB...]] [prefix=P] [after=KEY] [at=REV] "
	    "[keys=yes|no] [sync=yes|no] [timeout=DUR]",
	    false },
	{ "history", cfgstored_svc_history, SVC_RIGHT_READ,
	    "key=K [n=N] [before=REV]", false },
	{ "set", cfgstored_svc_set, SVC_RIGHT_READ,
	    "key=K [if_rev=N | if_absent=yes | if_exists=yes | if_len=M] "
	    "[lease=L | ttl=DUR] [durability=disk|memory] [timeout=DUR] "
	    "[client=L seq=N] len=N",
	    true },
	{ "del", cfgstored_svc_del, SVC_RIGHT_READ,
	    "(key=K [if_rev=N] | prefix=P) [durability=disk|memory] "
	    "[timeout=DUR] [client=L seq=N]",
	    true },
	{ "txn", cfgstored_svc_txn, SVC_RIGHT_READ,
	    "[durability=disk|memory] [timeout=DUR] [client=L seq=N] len=N",
	    true },
	{ "lease", cfgstored_svc_lease, SVC_RIGHT_READ,
	    "ttl=DUR [durability=disk|memory] [client=L seq=N]", true },
	{ "renew", cfgstored_svc_renew, SVC_RIGHT_READ,
	    "lease=L [durability=disk|memory]", true },
	{ "release", cfgstored_svc_release, SVC_RIGHT_READ,
	    "lease=L [durability=disk|memory]", true },
	{ "leases", cfgstored_svc_leases, SVC_RIGHT_READ, "", false },
	{ "sync", cfgstored_svc_sync, SVC_RIGHT_READ, "[timeout=DUR]", true },
	{ "watch", cfgstored_watch_run, SVC_RIGHT_READ,
	    "[id=N] [glob=GLOB[,GLOB...]] [prefix=P] [snapshot=yes|no] "
	    "[since=REV]",
	    false },
	{ "status", cfgstored_svc_status, SVC_RIGHT_READ, "", false },
	{ "nodes", cfgstored_svc_nodes, SVC_RIGHT_READ, "", false },
	{ "stats", cfgstored_svc_stats, SVC_RIGHT_READ, "", false },
	{ "init", cfgstored_svc_init, SVC_RIGHT_ADMIN, "yes=yes", false },
	{ "electorate", cfgstored_svc_electorate, SVC_RIGHT_READ,
	    "[remove=NODE | shrink=yes | node=NODE votes=N]", false },
	{ "limits", cfgstored_svc_limits, SVC_RIGHT_READ,
	    "[keys=N] [bytes=SIZE] [value=SIZE] [leases=N]", false },
	{ "compact", cfgstored_svc_compact, SVC_RIGHT_ADMIN, "rev=REV", false },
};

/* ---- words ------------------------------------------------------------- */

enum svc_result
cfgstored_svc_misused(struct svc_request *req, const char *what)
{
	svc_err(req->client, req->tag, "usage", "%s", what);
	return SVC_DONE;
}

enum svc_result
cfgstored_svc_denied(struct svc_request *req, const char *what)
{
	const struct unixsock_peer *peer = svc_client_peer(req->client);

	log_line(LOG_LEVEL_WARNING, "denied", "verb=%s pid=%d uid=%u",
	    req->word->verb[0], (int)peer->pid, (unsigned)peer->uid);
	svc_err(req->client, req->tag, "denied", "%s: not allowed", what);
	return SVC_DONE;
}

bool
cfgstored_svc_get_deadline(const struct cfgstored *d,
    const struct svc_request *req, uint64_t *deadline_ns)
{
	const struct word_pair *word = word_get(req->word, "timeout");
	uint64_t wait_ns = TIMEOUT_NS;

	if (word != NULL &&
	    parse_duration(word->value, word->len, &wait_ns) != 0)
		return false;
	*deadline_ns =
	    wait_ns < UINT64_MAX - d->now_ns ? d->now_ns + wait_ns : UINT64_MAX;
	return true;
}

bool
cfgstored_svc_must_wait(const struct svc_request *req)
{
	const struct cfgstored_client *user = svc_client_user(req->client);

	return req->tag == NULL && user->pending > 0;
}

/* ---- the service ------------------------------------------------------- */

static void
greet(void *arg, struct text *out)
{
	const struct cfgstored *d = arg;
	const struct cluster_conf *conf = d->serve->conf;
	struct replica_status status;

	replica_status(d->replica, &status);
	text_put(out, " node=");
	text_put_u64(out, conf->nodes[conf->self].id);
	text_put(out, " name=");
	text_put(out, conf->nodes[conf->self].name);
	text_put(out, " epoch=");
	for (int i = EPOCH_DIGITS; i-- > 0;)
		text_put_char(
		    out, "0123456789abcdef"[status.store >> (4 * i) & 15]);
}

static uint32_t
get_rights(void *arg, const struct unixsock_peer *peer)
{
	const struct cfgstored *d = arg;

	return acl_rights(d->serve->conf, peer);
}

static bool
is_busy(void *arg, const struct svc_client *client)
{
	const struct cfgstored_client *user = svc_client_user(client);

	(void)arg;
	return user->pending > 0;
}

static void
on_opened(void *arg, struct svc_client *client)
{
	struct cfgstored_client *user = svc_client_user(client);

	(void)arg;
	*user = (struct cfgstored_client){ 0 };
}

static void
on_closed(void *arg, struct svc_client *client)
{
	cfgstored_request_forget(arg, client);
	cfgstored_watch_closed(arg, client);
}

static void
on_drained(void *arg, struct svc_client *client)
{
	(void)arg;
	(void)client;
}

struct svc *
cfgstored_svc_create(struct cfgstored *d, struct arena *arena)
{
	const struct svc_config cfg = { .daemon = "cfgstored",
		.verbs = verbs,
		.verb_count = ARRAY_COUNT(verbs),
		.clients_max = LIMIT_CLIENTS,
		.pool_bytes = POOL_BYTES,
		.unread_bytes = UNREAD_BYTES,
		.data_max = KV_COMMAND_BYTES_MAX,
		.gathers = GATHERS,
		.user_bytes = sizeof(struct cfgstored_client),
		.arg = d,
		.greet = greet,
		.rights = get_rights,
		.is_busy = is_busy,
		.opened = on_opened,
		.closed = on_closed,
		.drained = on_drained };

	return svc_create(arena, &cfg);
}
