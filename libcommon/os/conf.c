/* SPDX-License-Identifier: BSD-3-Clause */
/* What inih 55 does to a file by itself: it cuts lines at 200 bytes, takes an
 * indented line for the rest of the value above, cuts a section's name at 50
 * bytes, and answers only the number of the first bad line.  Our reader sees
 * every line first, keeps the section's name, and passes on an empty line in
 * place of one it has complained about.
 */
#include "libcommon/os/conf.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"

static_assert(CONF_LINE_BYTES < INI_MAX_LINE, "inih takes whole lines");

enum { MISTAKE_BYTES = 400 };

static void
put_mistake(
    struct conf *conf, unsigned line, const char *kind, const char *words)
{
	text_put(conf->report, conf->path);
	if (line > 0) {
		text_put_char(conf->report, ':');
		text_put_u64(conf->report, line);
	}
	text_put(conf->report, ": ");
	text_put(conf->report, kind);
	/* The words may quote the file, and go to a terminal. */
	for (; *words != '\0'; words++) {
		bool is_control = (unsigned char)*words < ' ' ||
		    (unsigned char)*words == 0x7f;

		text_put_char(conf->report, (char)(is_control ? '?' : *words));
	}
	text_put_char(conf->report, '\n');
}

void
conf_fail(struct conf *conf, const char *format, ...)
{
	char words[MISTAKE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	conf->errors++;
	put_mistake(conf, conf->line, "", words);
}

void
conf_fail_at(struct conf *conf, unsigned line, const char *format, ...)
{
	char words[MISTAKE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	conf->errors++;
	put_mistake(conf, line, "", words);
}

void
conf_warn(struct conf *conf, const char *format, ...)
{
	char words[MISTAKE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	put_mistake(conf, conf->line, "warning: ", words);
}

void
conf_warn_at(struct conf *conf, unsigned line, const char *format, ...)
{
	char words[MISTAKE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	put_mistake(conf, line, "warning: ", words);
}

/* ---- lines ------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Only blanks, or a comment. */
static bool
says_nothing(const char *at)
{
	while (is_blank(*at))
		at++;
	return *at == '\0' || *at == ';' || *at == '#';
}

/* "[section]", perhaps a comment: tells the caller's handler its name. */
static bool
take_section(struct conf *conf, const char *line)
{
	char name[CONF_SECTION_BYTES] = "";
	const char *end = strchr(line, ']');
	bool is_whole = end != NULL && says_nothing(end + 1);
	size_t len = is_whole ? (size_t)(end - line - 1) : 0;

	if (len < sizeof name)
		memcpy(name, line + 1, len);
	conf->has_section = true;
	/* Even a broken one ends the section before. */
	conf->handler->section(conf, conf->handler->arg, name);
	if (!is_whole)
		conf_fail(conf, "%s: expected [section]", line);
	else if (*name == '\0')
		conf_fail(conf, "%s: expected a name of 1 to %d bytes", line,
		    CONF_SECTION_BYTES - 1);
	return *name != '\0';
}

/* May inih have this line? */
static bool
check_line(struct conf *conf, const char *line)
{
	if (says_nothing(line))
		return true;
	if (is_blank(line[0])) {
		conf_fail(conf,
		    "indented line, expected [section] or key = value at the "
		    "start of the line");
		return false;
	}
	if (line[0] == '[')
		return take_section(conf, line);
	if (strchr(line, '=') == NULL) {
		conf_fail(conf, "%s: expected key = value", line);
		return false;
	}
	if (line[0] == '=') {
		conf_fail(conf, "no key, expected key = value");
		return false;
	}
	if (!conf->has_section) {
		conf_fail(conf, "%s: expected a [section] first", line);
		return false;
	}
	return true;
}

/*
 * Reads one line, without what ends it, into size bytes: its length, or -1 at
 * the end of the file.  The length may be larger than what was kept.
 */
static long
read_line(FILE *file, char *line, size_t size, bool *has_control)
{
	long len = 0;
	int c = getc(file);

	if (c == EOF)
		return -1;
	*has_control = false;
	for (; c != EOF && c != '\n'; c = getc(file)) {
		if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
			*has_control = true;
		if ((size_t)len + 1 < size)
			line[len] = (char)c;
		len++;
	}
	if ((size_t)len < size && len > 0 && line[len - 1] == '\r')
		len--;
	line[(size_t)len < size ? (size_t)len : size - 1] = '\0';
	return len;
}

/* inih's reader: gives it a line that it will understand, or an empty one. */
static char *
on_read(char *out, int size, void *stream)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8 files */
	struct conf *conf = stream;
	char bytes[CONF_LINE_BYTES] = "";
	char *line = bytes;
	bool has_control;
	long len = read_line(conf->file, bytes, sizeof bytes, &has_control);

	if (len < 0)
		return NULL;
	if (++conf->line == 1 && strncmp(line, mark, strlen(mark)) == 0)
		line += strlen(mark);
	ENSURE(strlen(line) < (size_t)size);
	out[0] = '\0';
	if (has_control)
		conf_fail(conf, "control byte in the line, expected text");
	else if (len >= (long)sizeof bytes)
		conf_fail(conf, "line of %ld bytes, expected at most %d", len,
		    CONF_LINE_BYTES - 1);
	else if (check_line(conf, line))
		strcpy(out, line);
	return out;
}

/* inih's handler.  Its idea of the section is not used. */
static int
on_value(void *user, const char *section, const char *key, const char *value)
{
	struct conf *conf = user;

	(void)section;
	conf->handler->value(conf, conf->handler->arg, key, value);
	return 1;
}

int
conf_read(struct conf *conf, const char *path,
    const struct conf_handler *handler, struct text *report)
{
	FILE *file = fopen(path, "re");
	int bad_line;

	if (file == NULL)
		return -errno;
	*conf = (struct conf){
		.path = path, .report = report, .handler = handler, .file = file
	};
	bad_line = ini_parse_stream(on_read, conf, on_value, conf);
	if (bad_line != 0 && conf->errors == 0)
		conf_fail_at(conf, bad_line > 0 ? (unsigned)bad_line : 0,
		    "expected key = value");
	bad_line = ferror(file);
	fclose(file);
	conf->file = NULL;
	if (bad_line)
		return -EIO;
	return conf->errors > 0 ? CONF_E_INVALID : 0;
}

/* ---- settings ---------------------------------------------------------- */

static bool
set_word(const struct conf_setting *setting, int *to, const char *value)
{
	for (int i = 0; setting->words[i] != NULL; i++) {
		if (strcmp(setting->words[i], value) == 0) {
			*to = i;
			return true;
		}
	}
	return false;
}

static bool
set_yes_no(bool *to, const char *value)
{
	int yes;

	if (parse_yes_no(value, strlen(value), &yes) != 0)
		return false;
	*to = yes != 0;
	return true;
}

static bool
set_string(const struct conf_setting *setting, char *to, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len >= setting->max)
		return false;
	memcpy(to, value, len + 1);
	return true;
}

/* A number of any kind; false when it is malformed or out of range. */
static bool
set_number(const struct conf_setting *setting, void *to, const char *value)
{
	size_t len = strlen(value);
	uint64_t number;
	int rc;

	if (setting->has_auto && strcmp(value, "auto") == 0)
		number = 0;
	else {
		if (setting->kind == CONF_DURATION)
			rc = parse_duration(value, len, &number);
		else if (setting->kind == CONF_SIZE)
			rc = parse_size(value, len, &number);
		else
			rc = parse_u64(value, len, 0, UINT32_MAX, &number);
		if (rc != 0 || number < setting->min || number > setting->max)
			return false;
	}
	if (setting->kind == CONF_COUNT)
		*(uint32_t *)to = (uint32_t)number;
	else
		*(uint64_t *)to = number;
	return true;
}

static bool
set(const struct conf_setting *setting, void *base, const char *value)
{
	void *to = (char *)base + setting->offset;

	switch (setting->kind) {
	case CONF_YES_NO:
		return set_yes_no(to, value);
	case CONF_WORD:
		return set_word(setting, to, value);
	case CONF_STRING:
		return set_string(setting, to, value);
	case CONF_COUNT:
	case CONF_DURATION:
	case CONF_SIZE:
		return set_number(setting, to, value);
	}
	return false;
}

static void
put_duration(struct text *out, uint64_t ns)
{
	const uint64_t ms_ns = 1000000;

	text_put_u64(out, ns / ms_ns);
	text_put(out, "ms");
}

/* "a duration from 10ms to 60000ms or auto" */
static void
put_expected(const struct conf_setting *setting, struct text *out)
{
	switch (setting->kind) {
	case CONF_YES_NO:
		text_put(out, "yes or no");
		break;
	case CONF_WORD:
		for (int i = 0; setting->words[i] != NULL; i++) {
			text_put(out, i > 0 ? " or " : "");
			text_put(out, setting->words[i]);
		}
		break;
	case CONF_STRING:
		text_put(out, "1 to ");
		text_put_u64(out, setting->max - 1);
		text_put(out, " bytes");
		break;
	case CONF_DURATION:
		text_put(out, "a duration from ");
		put_duration(out, setting->min);
		text_put(out, " to ");
		put_duration(out, setting->max);
		break;
	case CONF_COUNT:
	case CONF_SIZE:
		text_put(out,
		    setting->kind == CONF_SIZE ? "a size from "
					       : "a number from ");
		text_put_u64(out, setting->min);
		text_put(out, " to ");
		text_put_u64(out, setting->max);
		break;
	}
	if (setting->has_auto)
		text_put(out, " or auto");
}

static const struct conf_setting *
find(const struct conf_table *table, const char *key)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->settings[i].key, key) == 0)
			return &table->settings[i];
	return NULL;
}

void
conf_set(struct conf *conf, struct conf_table *table, const char *key,
    const char *value)
{
	const struct conf_setting *setting = find(table, key);
	char bytes[200];
	struct text expected;
	uint64_t bit;

	ENSURE(table->count <= 64);
	if (setting == NULL) {
		conf_warn(conf, "%s: unknown key", key);
		return;
	}
	bit = UINT64_C(1) << (setting - table->settings);
	if (table->seen & bit) {
		conf_fail(conf, "%s: given twice, expected once", key);
		return;
	}
	table->seen |= bit;
	if (set(setting, table->base, value))
		return;
	text_init(&expected, bytes, sizeof bytes);
	put_expected(setting, &expected);
	conf_fail(conf, "%s = %s: expected %s", key, value, expected.bytes);
}
