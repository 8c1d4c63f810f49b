/* SPDX-License-Identifier: BSD-3-Clause */
/* The key file and the keyring under every change of them. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"

#include "bin/ringd/ringd.h"
#include "bin/ringd/ringd_keys_internal.h"
#include "bin/ringd/supervisor.h"
#include "tests/unit/check.h"

#define HEX_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX_B "aa112233445566778899aabbccddeeff00112233445566778899aabbccddee0f"
#define HEX_N "0303030303030303030303030303030303030303030303030303030303030303"

static char dir[] = "/tmp/test_ringd_keys.XXXXXX";
static char path[64];
static struct ringd_keyfile file = { .path = path, .node = 7 };
static char said[RINGD_KEYFILE_TEXT_BYTES + 1];

static struct ringd_keyfile_job
make_job(enum ringd_keys_change change, uint8_t id)
{
	struct ringd_keyfile_job job = { .number = 5,
		.step = RINGD_KEYFILE_PREPARE,
		.change = change,
		.id = id };

	memset(job.key, 3, sizeof job.key);
	return job;
}

/* ---- the text ---------------------------------------------------------- */

static void
test_ringd_keys_edit_keeps_all_but_the_keys(void)
{
	static const struct {
		const char *about;
		enum ringd_keys_change change;
		uint8_t id;
		const char *before, *after;
	} cases[] = {
		{ "install", RINGD_KEYS_INSTALL, 2, "# c\n1 " HEX_A "\n# end\n",
		    "# c\n2 " HEX_N "\n1 " HEX_A "\n# end\n" },
		{ "install before the last of two", RINGD_KEYS_INSTALL, 9,
		    "3 " HEX_B "\n\n 1\t" HEX_A "\n",
		    "3 " HEX_B "\n\n9 " HEX_N "\n 1\t" HEX_A "\n" },
		{ "no line end", RINGD_KEYS_INSTALL, 2, "1 " HEX_A,
		    "2 " HEX_N "\n1 " HEX_A "\n" },
		{ "switch", RINGD_KEYS_SWITCH, 2,
		    "# c\n2 " HEX_B "\n# of 1\n1 " HEX_A "\n# end\n",
		    "# c\n# of 1\n1 " HEX_A "\n# end\n2 " HEX_B "\n" },
		{ "switch, no line end", RINGD_KEYS_SWITCH, 2,
		    "2 " HEX_B "\n1 " HEX_A, "1 " HEX_A "\n2 " HEX_B "\n" },
		{ "retire", RINGD_KEYS_RETIRE, 2,
		    "# c\n1 " HEX_A "\n\n12 " HEX_A "\n2 " HEX_B "\n",
		    "# c\n\n2 " HEX_B "\n" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct ringd_keyfile_job job =
		    make_job(cases[i].change, cases[i].id);
		char bytes[1024];
		struct text out;

		check_case(cases[i].about);
		text_init(&out, bytes, sizeof bytes);
		ringd_keyfile_edit(
		    &job, cases[i].before, strlen(cases[i].before), &out);
		CHECK_STR(bytes, cases[i].after);
	}
	check_case(NULL);
}

/* ---- the disk ---------------------------------------------------------- */

static void
write_file(const char *content, mode_t mode)
{
	FILE *out;

	(void)unlink(path);
	out = fopen(path, "w");
	fputs(content, out);
	fclose(out);
	CHECK_EQ(chmod(path, mode), 0);
}

static void
expect_file(const char *want)
{
	char bytes[1024] = "";
	FILE *in = fopen(path, "r");

	CHECK(in != NULL && fread(bytes, 1, sizeof bytes - 1, in) > 0);
	fclose(in);
	CHECK_STR(bytes, want);
}

static bool
work(struct ringd_keyfile_job job, enum ringd_keyfile_step step)
{
	uint8_t bytes[RINGD_DISK_JOB_BYTES];
	struct ringd_keyfile_answer answer;

	job.step = step;
	memcpy(bytes, &job, sizeof job);
	CHECK_EQ(ringd_keyfile_work(&file, bytes, sizeof job), sizeof answer);
	memcpy(&answer, bytes, sizeof answer);
	CHECK_EQ(answer.number, 5);
	CHECK_EQ(answer.step, step);
	memcpy(said, answer.text, sizeof said);
	return answer.is_done;
}

static bool
is_beside(void)
{
	char beside[80];

	snprintf(beside, sizeof beside, "%s.new.7", path);
	return access(beside, F_OK) == 0;
}

static void
test_ringd_keys_file_changes_when_it_is_applied(void)
{
	struct ringd_keyfile_job job = make_job(RINGD_KEYS_INSTALL, 2);
	struct stat st;

	write_file("1 " HEX_A "\n", 0440);
	CHECK(work(job, RINGD_KEYFILE_PREPARE));
	expect_file("1 " HEX_A "\n");
	CHECK(is_beside());
	CHECK(work(job, RINGD_KEYFILE_APPLY));
	expect_file("2 " HEX_N "\n1 " HEX_A "\n");
	CHECK(!is_beside());
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0440);

	job.change = RINGD_KEYS_SWITCH;
	CHECK(work(job, RINGD_KEYFILE_PREPARE));
	CHECK(work(job, RINGD_KEYFILE_DISCARD));
	CHECK(!is_beside());
	expect_file("2 " HEX_N "\n1 " HEX_A "\n");
	CHECK(work(job, RINGD_KEYFILE_APPLY)); /* nothing is prepared */
	expect_file("2 " HEX_N "\n1 " HEX_A "\n");
}

/* Made again, after a crash at any point of it. */
static void
test_ringd_keys_file_changes_once(void)
{
	struct ringd_keyfile_job job = make_job(RINGD_KEYS_INSTALL, 2);

	write_file("1 " HEX_A "\n", 0400);
	CHECK(work(job, RINGD_KEYFILE_PREPARE));
	file.is_prepared = false; /* it crashed */
	for (int i = 0; i < 2; i++) {
		CHECK(work(job, RINGD_KEYFILE_PREPARE));
		CHECK(work(job, RINGD_KEYFILE_APPLY));
	}
	job.change = RINGD_KEYS_SWITCH;
	for (int i = 0; i < 2; i++) {
		CHECK(work(job, RINGD_KEYFILE_PREPARE));
		CHECK(work(job, RINGD_KEYFILE_APPLY));
	}
	expect_file("1 " HEX_A "\n2 " HEX_N "\n");
	job.change = RINGD_KEYS_RETIRE;
	for (int i = 0; i < 2; i++) {
		CHECK(work(job, RINGD_KEYFILE_PREPARE));
		CHECK(work(job, RINGD_KEYFILE_APPLY));
	}
	expect_file("2 " HEX_N "\n");
	CHECK(!is_beside());
}

/* It has keys in it, and nobody would look for it. */
static void
test_ringd_keys_file_is_swept_around(void)
{
	struct ringd_keyfile_job job = make_job(RINGD_KEYS_INSTALL, 2);

	write_file("1 " HEX_A "\n", 0400);
	CHECK(work(job, RINGD_KEYFILE_PREPARE));
	file.is_prepared = false; /* it crashed */
	CHECK(is_beside());
	ringd_keyfile_sweep(&file);
	CHECK(!is_beside());
	expect_file("1 " HEX_A "\n");
	ringd_keyfile_sweep(&file);
	expect_file("1 " HEX_A "\n");
}

static void
test_ringd_keys_file_says_why_not(void)
{
	static const struct {
		enum ringd_keys_change change;
		uint8_t id;
		const char *want;
	} cases[] = {
		{ RINGD_KEYS_INSTALL, 1, "has another key of that number" },
		{ RINGD_KEYS_SWITCH, 3, "does not have that key" },
		{ RINGD_KEYS_RETIRE, 3, "does not have that key" },
		{ RINGD_KEYS_RETIRE, 2, "its last key is another" },
	};

	write_file("2 " HEX_B "\n1 " HEX_A "\n", 0400);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].want);
		CHECK(!work(make_job(cases[i].change, cases[i].id),
		    RINGD_KEYFILE_PREPARE));
		CHECK(strstr(said, cases[i].want) != NULL);
		CHECK(!is_beside());
	}
	check_case(NULL);
	CHECK(work(make_job(RINGD_KEYS_SURVEY, 0), RINGD_KEYFILE_PREPARE));
	CHECK(strncmp(said, "2:", 2) == 0 && strstr(said, ",1:") != NULL);
	CHECK(strstr(said, "0011223344") == NULL);
	CHECK_EQ(chmod(path, 0644), 0);
	CHECK(!work(make_job(RINGD_KEYS_INSTALL, 9), RINGD_KEYFILE_PREPARE));
	CHECK(strstr(said, "mode is too open") != NULL);
	(void)unlink(path);
	CHECK(!work(make_job(RINGD_KEYS_SURVEY, 0), RINGD_KEYFILE_PREPARE));
	CHECK(strstr(said, "No such file") != NULL);
}

/* A link stays one; what it leads to is replaced, in its own folder. */
static void
test_ringd_keys_file_may_be_a_link(void)
{
	struct ringd_keyfile_job job = make_job(RINGD_KEYS_INSTALL, 2);
	char link_path[80];
	struct stat st;

	snprintf(link_path, sizeof link_path, "%s/link", dir);
	write_file("1 " HEX_A "\n", 0400);
	CHECK_EQ(symlink(path, link_path), 0);
	file.path = link_path;
	CHECK(work(job, RINGD_KEYFILE_PREPARE));
	CHECK(work(job, RINGD_KEYFILE_APPLY));
	file.path = path;
	CHECK(lstat(link_path, &st) == 0 && S_ISLNK(st.st_mode));
	expect_file("2 " HEX_N "\n1 " HEX_A "\n");
}

/* ---- memory ------------------------------------------------------------ */

static struct box_keyring
make_ring(const char *ids)
{
	struct box_keyring ring = { 0 };

	for (; *ids != '\0'; ids++) {
		ring.id[ring.count] = (uint8_t)(*ids - '0');
		memset(ring.key[ring.count++], *ids, BOX_KEY_BYTES);
	}
	return ring;
}

static void
test_ringd_keys_keyring_follows(void)
{
	static const struct {
		enum ringd_keys_change change;
		uint8_t id;
		const char *before, *after;
	} cases[] = {
		{ RINGD_KEYS_INSTALL, 3, "1", "31" },
		{ RINGD_KEYS_INSTALL, 3, "21", "231" },
		{ RINGD_KEYS_INSTALL, 3, "31", "31" },
		{ RINGD_KEYS_SWITCH, 3, "31", "13" },
		{ RINGD_KEYS_SWITCH, 3, "321", "213" },
		{ RINGD_KEYS_SWITCH, 3, "13", "13" },
		{ RINGD_KEYS_RETIRE, 3, "213", "3" },
		{ RINGD_KEYS_RETIRE, 3, "3", "3" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct box_keyring ring = make_ring(cases[i].before);
		struct box_keyring want = make_ring(cases[i].after);
		struct ringd_keyfile_job job =
		    make_job(cases[i].change, cases[i].id);

		memset(job.key, '3', sizeof job.key);
		check_case(cases[i].after);
		ringd_keys_apply(&ring, &job);
		CHECK_MEM(&ring, sizeof ring, &want, sizeof want);
	}
	check_case(NULL);
}

/* ---- the wire ---------------------------------------------------------- */

static const char *
open_body(struct ringd *r, const uint8_t *body, size_t len,
    enum ringd_keys_change change, struct ringd_keyfile_job *out)
{
	struct change_effect effect = { .kind = CHANGE_OUT_PREPARE,
		.change = (uint8_t)change,
		.body = body,
		.len = len };

	return ringd_keys_open_body(r, &effect, out);
}

static void
test_ringd_keys_travel_sealed(void)
{
	static struct cluster_conf conf;
	struct box_keyring ring = make_ring("21");
	struct ringd_keys keys = { .ring = &ring };
	static struct ringd r;
	struct ringd_keyfile_job job = make_job(RINGD_KEYS_INSTALL, 3), got;
	uint8_t body[CHANGE_BODY_BYTES_MAX], again[CHANGE_BODY_BYTES_MAX];
	size_t len;

	snprintf(conf.cluster, sizeof conf.cluster, "%s", "test");
	r.conf = &conf;
	r.keys = &keys;
	len = ringd_keys_close_body(&r, &job, body);
	CHECK(memmem(body, len, job.key, 8) == NULL);
	CHECK(open_body(&r, body, len, RINGD_KEYS_INSTALL, &got) == NULL);
	CHECK_EQ(got.id, 3);
	CHECK_MEM(got.key, sizeof got.key, job.key, sizeof job.key);
	/* Never twice the same, and not a bit of it can be changed. */
	CHECK_EQ(ringd_keys_close_body(&r, &job, again), len);
	CHECK(memcmp(body, again, len) != 0);
	for (size_t i = 0; i < len; i++) {
		body[i] ^= 1;
		CHECK(
		    open_body(&r, body, len, RINGD_KEYS_INSTALL, &got) != NULL);
		body[i] ^= 1;
	}
	for (size_t cut = 0; cut < len; cut++)
		CHECK(
		    open_body(&r, body, cut, RINGD_KEYS_INSTALL, &got) != NULL);
	ring = make_ring("2");
	CHECK(open_body(&r, body, len, RINGD_KEYS_INSTALL, &got) != NULL);
	snprintf(conf.cluster, sizeof conf.cluster, "%s", "other");
	ring = make_ring("21");
	CHECK(open_body(&r, body, len, RINGD_KEYS_INSTALL, &got) != NULL);

	CHECK(open_body(&r, body, 1, RINGD_KEYS_CHANGES, &got) != NULL);
	CHECK(open_body(&r, body, 2, RINGD_KEYS_SWITCH, &got) != NULL);
	CHECK(open_body(&r, (const uint8_t[]){ 0 }, 1, RINGD_KEYS_RETIRE,
		  &got) != NULL);
	CHECK(open_body(&r, (const uint8_t[]){ 3 }, 1, RINGD_KEYS_RETIRE,
		  &got) == NULL);
	CHECK_EQ(got.id, 3);
}

/* Whenever the child dies, the supervisor finds one whole set or the other. */
static void
test_ringd_keys_outlive_a_child(void)
{
	static struct supervisor_page page;
	struct box_keyring ring = make_ring("1"), want = make_ring("1");

	CHECK(!supervisor_take_keys(&page, &ring));
	CHECK_MEM(&ring, sizeof ring, &want, sizeof want);
	for (int i = 0; i < 3; i++) {
		want = make_ring(i == 1 ? "12" : "21");
		supervisor_keep_keys(&page, &want);
		CHECK(supervisor_take_keys(&page, &ring));
		CHECK_MEM(&ring, sizeof ring, &want, sizeof want);
		/* The other slot is being written. */
		memset(&page.keys[(page.keys_at + 1) % 2], 0xff,
		    sizeof page.keys[0]);
		CHECK(supervisor_take_keys(&page, &ring));
		CHECK_MEM(&ring, sizeof ring, &want, sizeof want);
	}
}

static const struct check_test tests[] = {
	CHECK_TEST(test_ringd_keys_edit_keeps_all_but_the_keys),
	CHECK_TEST(test_ringd_keys_file_changes_when_it_is_applied),
	CHECK_TEST(test_ringd_keys_file_changes_once),
	CHECK_TEST(test_ringd_keys_file_is_swept_around),
	CHECK_TEST(test_ringd_keys_file_says_why_not),
	CHECK_TEST(test_ringd_keys_file_may_be_a_link),
	CHECK_TEST(test_ringd_keys_keyring_follows),
	CHECK_TEST(test_ringd_keys_travel_sealed),
	CHECK_TEST(test_ringd_keys_outlive_a_child),
};

int
main(int argc, char **argv)
{
	char command[80];
	int rc;

	if (box_init() < 0 || mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/key", dir);
	rc = CHECK_MAIN(argc, argv, tests);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) != 0 ? 1 : rc;
}
