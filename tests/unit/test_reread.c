/* SPDX-License-Identifier: BSD-3-Clause */
/* A file that is read again, and again. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/reread.h"
#include "libcommon/os/serve.h"

#include "tests/unit/check.h"

static char folder[] = "/tmp/reread-XXXXXX";
static char path[64];
static const struct serve_program program = { .name = "test" };
static struct serve serve;
static struct cluster_conf first;
static struct reread reread;
static struct loop *loop;
static void *memory;
static unsigned taken, asked;
static bool is_refusing, is_readable;
static const struct cluster_conf *last_old;
static char last_why[REREAD_WHY_BYTES];

static const char start_text[] = "[cluster]\n"
				 "name = test\n"
				 "[node alpha]\n"
				 "id = 1\n"
				 "link0 = 127.0.0.1\n"
				 "tag.rack = a\n"
				 "[node beta]\n"
				 "id = 2\n"
				 "link0 = 127.0.0.2\n";

static void
write_raw(const char *text, const char *more)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fputs(text, file) < 0 || fputs(more, file) < 0 ||
	    fclose(file) != 0)
		abort();
}

static void
write_file(const char *more)
{
	write_raw(start_text, more);
}

static bool
refuses(void *arg, const struct cluster_conf *conf, struct text *why)
{
	(void)arg;
	(void)conf;
	if (is_refusing)
		text_put(why, "needs a restart: [test]");
	return is_refusing;
}

static void
on_taken(void *arg, const struct cluster_conf *old, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
	taken++;
	last_old = old;
	loop_stop(loop, 0);
}

static void
on_asked(void *arg, const struct cluster_conf *conf, const char *why,
    uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
	asked++;
	is_readable = conf != NULL;
	snprintf(last_why, sizeof last_why, "%s", why);
	loop_stop(loop, 0);
}

/* The loop, until what was begun has come to an end. */
static void
on_flush(struct loop *l, void *arg, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
	if (reread.state != REREAD_READING && !reread.is_asking)
		loop_stop(l, 0);
}

static void
run(void)
{
	CHECK_EQ(loop_run(loop), 0);
}

static uint64_t
digest_of_file(void)
{
	static struct cluster_conf conf;
	const struct cluster_source source = { .path = path, .node = "alpha" };
	char bytes[1024];
	struct text report;

	text_init(&report, bytes, sizeof bytes);
	CHECK_EQ(cluster_read(&conf, &source, &report), 0);
	return cluster_digest(&conf);
}

static void
begin(void)
{
	const struct reread_config cfg = { .serve = &serve,
		.refuses = refuses,
		.taken = on_taken,
		.asked = on_asked };
	const struct cluster_source source = { .path = path, .node = "alpha" };
	struct reread_config with_loop = cfg;
	struct arena arena;
	char bytes[1024];
	struct text report;

	write_file("");
	text_init(&report, bytes, sizeof bytes);
	CHECK_EQ(cluster_read(&first, &source, &report), 0);
	serve = (struct serve){ .program = &program,
		.config = path,
		.node = "alpha",
		.conf = &first };
	arena_init(&arena, NULL, 0);
	(void)loop_create(&arena, 8);
	memory = aligned_alloc(64, (arena.used_bytes + 127) / 64 * 64);
	if (memory == NULL)
		abort();
	memset(memory, 0, (arena.used_bytes + 127) / 64 * 64);
	arena_init(&arena, memory, (arena.used_bytes + 127) / 64 * 64);
	loop = loop_create(&arena, 8);
	CHECK_EQ(loop_open(loop), 0);
	with_loop.loop = loop;
	CHECK_EQ(reread_start(&reread, &serve), 0);
	CHECK_EQ(reread_open(&reread, &with_loop), 0);
	loop_add_flush(loop, on_flush, NULL);
	taken = asked = 0;
	is_refusing = false;
}

static void
end(void)
{
	reread_close(&reread);
	loop_close(loop);
	free(memory);
}

static void
tell(uint64_t digest)
{
	reread_tell(&reread, digest, clock_now_ns());
	CHECK_EQ(reread.state, REREAD_READING);
	run();
}

static void
takes_what_is_in_force(void)
{
	begin();
	write_file("[node gamma]\nid = 3\nlink0 = 127.0.0.3\ntag.zone = z\n");
	tell(digest_of_file());
	CHECK_EQ(taken, 1);
	CHECK_EQ(reread.state, REREAD_CURRENT);
	CHECK(last_old == &first);
	CHECK_EQ(serve.conf->node_count, 3);
	CHECK_EQ(serve.conf->tag_count, 2);
	CHECK_STR(serve.conf->tags[1].value, "z");
	CHECK_STR(serve.conf->tags[0].name, "rack");
	/* The same once more is another page. */
	tell(digest_of_file());
	CHECK_EQ(taken, 2);
	CHECK_EQ(last_old->node_count, 3);
	CHECK(last_old != serve.conf);
	end();
}

static void
keeps_what_it_has(void)
{
	char bytes[1024];
	struct text out;

	begin();
	/* Another one. */
	write_file("[node gamma]\nid = 3\nlink0 = 127.0.0.3\n");
	tell(42);
	CHECK_EQ(reread.state, REREAD_STALE);
	CHECK(strstr(reread.why, "not the configuration") != NULL);
	text_init(&out, bytes, sizeof bytes);
	reread_put(&reread, &out);
	CHECK(strstr(bytes, "kind=config state=stale ") == bytes);
	CHECK(strstr(bytes, " wanted=000000000000002a why=") != NULL);
	/* One with a mistake, again and again. */
	for (int i = 0; i < 20; i++) {
		write_file("[node gamma]\nid = x\n");
		tell(42);
		CHECK_EQ(reread.state, REREAD_STALE);
		CHECK(strstr(reread.why, ":11: id") != NULL);
	}
	/* None. */
	CHECK_EQ(unlink(path), 0);
	tell(42);
	CHECK_EQ(reread.state, REREAD_STALE);
	CHECK(strstr(reread.why, "No such file") != NULL);
	/* This node would be somebody else. */
	write_raw("[cluster]\nname = test\n",
	    "[node alpha]\nid = 5\nlink0 = 127.0.0.1\n");
	tell(digest_of_file());
	CHECK_EQ(reread.state, REREAD_STALE);
	CHECK(strstr(reread.why, "needs a restart") != NULL);
	is_refusing = true;
	write_file("[node gamma]\nid = 3\nlink0 = 127.0.0.3\n");
	tell(digest_of_file());
	CHECK_EQ(reread.state, REREAD_REFUSED);
	CHECK_STR(reread.why, "needs a restart: [test]");
	CHECK_EQ(taken, 0);
	CHECK(serve.conf == &first);
	is_refusing = false;
	tell(digest_of_file());
	CHECK_EQ(taken, 1);
	CHECK_EQ(reread.state, REREAD_CURRENT);
	end();
}

/* What is told while a child reads is read by another child. */
static void
the_last_word_counts(void)
{
	begin();
	reread_tell(&reread, 42, clock_now_ns());
	write_file("[node gamma]\nid = 3\nlink0 = 127.0.0.3\n");
	reread_tell(&reread, digest_of_file(), clock_now_ns());
	run();
	CHECK_EQ(taken, 1);
	CHECK_EQ(serve.conf->node_count, 3);
	end();
}

static void
answers_who_asks(void)
{
	begin();
	write_file("[node gamma]\nid = 3\nlink0 = 127.0.0.3\n");
	CHECK(reread_ask(&reread, clock_now_ns()));
	CHECK(!reread_ask(&reread, clock_now_ns()));
	/* It is answered, and what is in force meanwhile is taken, too. */
	reread_tell(&reread, digest_of_file(), clock_now_ns());
	run();
	if (taken == 0)
		run();
	CHECK_EQ(asked, 1);
	CHECK(is_readable);
	CHECK_EQ(taken, 1);
	write_file("[node");
	CHECK(reread_ask(&reread, clock_now_ns()));
	run();
	CHECK_EQ(asked, 2);
	CHECK(!is_readable && strstr(last_why, ":10: ") != NULL);
	CHECK_EQ(reread.state, REREAD_CURRENT);
	CHECK_EQ(taken, 1);
	end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(takes_what_is_in_force),
		CHECK_TEST(keeps_what_it_has),
		CHECK_TEST(the_last_word_counts),
		CHECK_TEST(answers_who_asks),
	};
	int rc;

	if (mkdtemp(folder) == NULL)
		abort();
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_LEVEL_NOTICE);
	snprintf(path, sizeof path, "%s/conf", folder);
	rc = CHECK_MAIN(argc, argv, tests);
	(void)unlink(path);
	(void)rmdir(folder);
	return rc;
}
