/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/fd.h"

#include "tests/unit/check.h"

static char path[] = "/tmp/test_conf.XXXXXX";

struct settings {
	bool is_on;
	uint32_t count;
	uint64_t span_ns, size;
	int mode;
	char name[8];
};

static const char *const modes[] = { "fast", "safe", NULL };

static const struct conf_setting table[] = {
	{ "on", CONF_YES_NO, offsetof(struct settings, is_on), 0, 0, NULL,
	    false },
	{ "count", CONF_COUNT, offsetof(struct settings, count), 2, 100, NULL,
	    true },
	{ "span", CONF_DURATION, offsetof(struct settings, span_ns), 1000000,
	    UINT64_C(10000000000), NULL, false },
	{ "size", CONF_SIZE, offsetof(struct settings, size), 1, 1 << 20, NULL,
	    false },
	{ "mode", CONF_WORD, offsetof(struct settings, mode), 0, 0, modes,
	    false },
	{ "name", CONF_STRING, offsetof(struct settings, name), 0, 8, NULL,
	    false },
};

static struct settings settings;
static struct conf_table where;
static char sections[256], report[4096];

static void
on_section(struct conf *conf, void *arg, const char *section)
{
	(void)arg;
	strcat(strcat(sections, section), ";");
	if (strcmp(section, "bad") == 0)
		conf_fail(conf, "[bad]: expected [good]");
}

static void
on_value(struct conf *conf, void *arg, const char *key, const char *value)
{
	conf_set(conf, arg, key, value);
}

/* Reads a file of that text; the report is without the file's name. */
static int
read_text(const char *bytes, size_t len)
{
	static const struct conf_handler handler = { on_section, on_value,
		&where };
	static char full[8192];
	FILE *file = fopen(path, "w");
	struct conf conf;
	struct text text;
	int rc;

	CHECK_EQ(fwrite(bytes, 1, len, file), len);
	fclose(file);
	memset(&settings, 0, sizeof settings);
	where = (struct conf_table){ table, ARRAY_COUNT(table), &settings, 0 };
	sections[0] = report[0] = '\0';
	text_init(&text, full, sizeof full);
	rc = conf_read(&conf, path, &handler, &text);
	for (char *line = strtok(full, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		CHECK(strncmp(line, path, strlen(path)) == 0);
		strcat(strcat(report, line + strlen(path)), "\n");
	}
	return rc;
}

#define READ(string) read_text((string), strlen(string))

static void
test_conf_reads_every_kind(void)
{
	CHECK_EQ(READ("\xef\xbb\xbf; a comment\n"
		      "[one] ; another\r\n"
		      "on = yes\n"
		      "count=7 ; and one\n"
		      "span = 1.5s\n"
		      "\n# more\n[empty]\n[two words]\n"
		      "size = 4KiB\nmode = safe\nname = a b;c"),
	    0);
	CHECK_STR(sections, "one;empty;two words;");
	CHECK(settings.is_on);
	CHECK_EQ(settings.count, 7);
	CHECK_EQ(settings.span_ns, UINT64_C(1500000000));
	CHECK_EQ(settings.size, 4096);
	CHECK_EQ(settings.mode, 1);
	CHECK_STR(settings.name, "a b;c");
	CHECK_STR(report, "");
}

static void
test_conf_auto_is_zero_where_allowed(void)
{
	CHECK_EQ(READ("[x]\ncount = auto\n"), 0);
	CHECK_EQ(settings.count, 0);
	CHECK_EQ(READ("[x]\nsize = auto\n"), CONF_E_INVALID);
}

static void
test_conf_reports_all_mistakes_with_their_lines(void)
{
	CHECK_EQ(READ("early = 1\n"
		      "[x\n"
		      "[]\n"
		      "[bad]\n"
		      "on = perhaps\n"
		      "count = 101\n"
		      "count = 5\n"
		      "  span = 1s\n"
		      "span = 0.5ms\n"
		      "just words\n"
		      "= 3\n"
		      "mode = slow\n"
		      "name = 12345678\n"
		      "nmae = x\n"),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ":1: early = 1: expected a [section] first\n"
	    ":2: [x: expected [section]\n"
	    ":3: []: expected a name of 1 to 95 bytes\n"
	    ":4: [bad]: expected [good]\n"
	    ":5: on = perhaps: expected yes or no\n"
	    ":6: count = 101: expected a number from 2 to 100 or auto\n"
	    ":7: count: given twice, expected once\n"
	    ":8: indented line, expected [section] or key = value at the "
	    "start of the line\n"
	    ":9: span = 0.5ms: expected a duration from 1ms to 10000ms\n"
	    ":10: just words: expected key = value\n"
	    ":11: no key, expected key = value\n"
	    ":12: mode = slow: expected fast or safe\n"
	    ":13: name = 12345678: expected 1 to 7 bytes\n"
	    ":14: warning: nmae: unknown key\n");
}

static void
test_conf_unknown_key_alone_is_a_warning(void)
{
	CHECK_EQ(READ("[x]\nlater = 1\n"), 0);
	CHECK_STR(report, ":2: warning: later: unknown key\n");
}

/* What inih alone would cut in two, and take the rest for another line. */
static void
test_conf_long_line_is_refused_whole(void)
{
	char bytes[700];
	int n = snprintf(bytes, sizeof bytes, "[x]\nname = %0300d\n", 1);

	CHECK_EQ(read_text(bytes, (size_t)n), CONF_E_INVALID);
	CHECK_STR(report, ":2: line of 307 bytes, expected at most 198\n");
	n = snprintf(bytes, sizeof bytes, "[x]\n;%0400d\non = yes\n", 1);
	CHECK_EQ(read_text(bytes, (size_t)n), CONF_E_INVALID);
	CHECK(settings.is_on);
}

static void
test_conf_binary_noise_is_refused(void)
{
	static const char noise[] = "[x]\non = y\0es\n\x1b[2Jname = 1\n";

	CHECK_EQ(read_text(noise, sizeof noise - 1), CONF_E_INVALID);
	CHECK_STR(report,
	    ":2: control byte in the line, expected text\n"
	    ":3: control byte in the line, expected text\n");
}

static void
test_conf_missing_file_is_a_system_error(void)
{
	static const struct conf_handler handler = { on_section, on_value,
		&where };
	struct conf conf;

	CHECK_EQ(conf_read(&conf, "/nonexistent/x", &handler, NULL), -ENOENT);
	CHECK_EQ(conf_read(&conf, "/tmp", &handler, NULL), -EIO);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_conf_reads_every_kind),
		CHECK_TEST(test_conf_auto_is_zero_where_allowed),
		CHECK_TEST(test_conf_reports_all_mistakes_with_their_lines),
		CHECK_TEST(test_conf_unknown_key_alone_is_a_warning),
		CHECK_TEST(test_conf_long_line_is_refused_whole),
		CHECK_TEST(test_conf_binary_noise_is_refused),
		CHECK_TEST(test_conf_missing_file_is_a_system_error),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	fd_close(&fd);
	rc = CHECK_MAIN(argc, argv, tests);
	unlink(path);
	return rc;
}
