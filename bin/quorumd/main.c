/* SPDX-License-Identifier: BSD-3-Clause */
/* quorumd: options, configuration, privileges, then the loop. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/serve.h"

#include "bin/quorumd/quorumd.h"
#include "bin/quorumd/quorumd_simulate.h"

enum { WHY_BYTES = 512 };

static const char *script;

static const struct opt own[] = {
	{ '\0', "simulate", OPT_STRING, &script, NULL, "FILE",
	    "play a script of nodes, print verdicts" },
};

/* Large, and lives as long as the process. */
static struct quorumd quorumd;
static struct serve serve;

static const struct serve_program program = {
	.name = "quorumd",
	.socket = "quorum",
	.summary = "Decides whether this node may act: votes and quorum.",
	.own = own,
	.own_count = ARRAY_COUNT(own),
};

/* What the file may say is less than that; so this is a second look. */
static void
check_rules(void)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	if (quorum_config_mistake(&quorumd.cfg, 0, &why))
		daemon_die(EXITCODE_CONFIG, "%s: %s", serve.config, why.bytes);
}

static void
open_state(void)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	if (quorumd_state_open(&quorumd.state, serve.rundir, &why) < 0)
		daemon_die(EXITCODE_CANTCREATE, "%s", why.bytes);
}

/* The record of a node that starts for the first time is its file. */
static void
open_record(void)
{
	static char bytes[QUORUMD_STATE_RECORD_BYTES];
	const char *wrong = NULL;
	struct text text;
	int rc = 0;

	text_init(&text, bytes, sizeof bytes);
	if (quorumd_state_open_record(&quorumd.state, serve.statedir, &text) <
	    0)
		daemon_die(EXITCODE_CANTCREATE, "%s", text.bytes);
	if (quorumd.state.recorded.len > 0) {
		wrong = quorumd_make_recorded(&quorumd);
	} else {
		quorum_record_begin(&quorumd.cfg, &text);
		rc = quorumd_state_begin_record(
		    &quorumd.state, text.bytes, text.len);
	}
	if (wrong != NULL)
		daemon_die(EXITCODE_CONFIG,
		    "%s/quorumd.record %s: see quorumd(8), FILES",
		    serve.statedir, wrong);
	if (rc < 0)
		daemon_die(EXITCODE_CANTCREATE, "%s/quorumd.record: %s",
		    serve.statedir, strerror(-rc));
}

static void
open_track(void)
{
	char bytes[WHY_BYTES];
	struct text why;

	text_init(&why, bytes, sizeof bytes);
	if ((quorumd.cfg.expected_votes_tracking ||
		quorumd.next.expected_votes_tracking) &&
	    quorumd_state_open_track(&quorumd.state, serve.statedir, &why) < 0)
		daemon_die(EXITCODE_CANTCREATE, "%s", why.bytes);
}

static void
leave(void *arg, uint64_t now_ns)
{
	quorumd_leave(arg, now_ns);
}

static void
dump(void *arg, uint64_t now_ns)
{
	(void)now_ns;
	quorumd_look(arg);
	quorumd_svc_dump(arg);
}

int
main(int argc, char **argv)
{
	const struct serve_handler handler = {
		.arg = &quorumd, .leave = leave, .dump = dump
	};
	int code;

	if (!serve_options(&serve, &program, argc, argv, &code))
		return code;
	if (script != NULL)
		return quorumd_simulate(script);
	serve_configure(&serve);
	quorumd.serve = &serve;
	quorumd_make_config(&quorumd.cfg, serve.conf);
	check_rules();
	if (box_init() < 0)
		daemon_die(EXITCODE_OS, "libsodium cannot start");
	serve_listen(&serve);
	open_state();
	serve_become(&serve);
	open_record();
	open_track();
	if (reread_start(&quorumd.reread, &serve) < 0)
		daemon_die(EXITCODE_OS, "the reader cannot start");
	if (!quorumd_create(&quorumd))
		daemon_die(EXITCODE_OS, "not enough memory");
	if (quorumd_open(&quorumd) < 0)
		daemon_die(EXITCODE_OS, "loop");
	code = serve_run(&serve, quorumd.loop, &handler, "");
	quorumd_close(&quorumd);
	unixsock_close(&serve.sock);
	return code;
}
