/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstored: options, configuration, privileges, the files, then the loop. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/serve.h"

#include "bin/cfgstored/cfgstored.h"

enum {
	WHY_BYTES = 512,
	MESSAGE_BYTES_MIN = 2 * REPLICA_CHUNK_BYTES_MAX,
};

/* Large, and lives as long as the process. */
static struct cfgstored cfgstored;
static struct serve serve;

/* A piece of a log or a state needs that much. */
static void
check(struct conf *file, const struct cluster_conf *conf)
{
	if (conf->ring.message_bytes_max < MESSAGE_BYTES_MIN)
		conf_fail_at(file, 0,
		    "[ring] message_bytes_max: cfgstored expected at least "
		    "%d",
		    MESSAGE_BYTES_MIN);
}

static const struct serve_program program = {
	.name = "cfgstored",
	.socket = "cfg",
	.check = check,
	.summary = "Keeps the cluster's configuration: a replicated store.",
};

static void
open_files(void)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	if (reread_start(&cfgstored.reread, &serve) < 0)
		daemon_die(EXITCODE_OS, "the reader cannot start");
	if (!cfgstored_create(&cfgstored))
		daemon_die(EXITCODE_OS, "not enough memory");
	if (cfgstored_load(&cfgstored, &why) < 0)
		daemon_die(EXITCODE_CANTCREATE, "%s", why.bytes);
}

static void
leave(void *arg, uint64_t now_ns)
{
	cfgstored_leave(arg, now_ns);
}

static void
dump(void *arg, uint64_t now_ns)
{
	cfgstored_tick(arg, now_ns);
	cfgstored_svc_dump(arg);
}

int
main(int argc, char **argv)
{
	const struct serve_handler handler = {
		.arg = &cfgstored, .leave = leave, .dump = dump
	};
	int code;

	if (!serve_options(&serve, &program, argc, argv, &code))
		return code;
	serve_configure(&serve);
	cfgstored.serve = &serve;
	if (box_init() < 0)
		daemon_die(EXITCODE_OS, "libsodium cannot start");
	serve_listen(&serve);
	serve_become(&serve);
	open_files();
	if (cfgstored_open(&cfgstored) < 0)
		daemon_die(EXITCODE_OS, "loop");
	code = serve_run(&serve, cfgstored.loop, &handler, "");
	cfgstored_close(&cfgstored);
	unixsock_close(&serve.sock);
	return code;
}
