/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the key file.  A key that others can read or change is no key, so
 * its owner and mode are part of what is checked.  What is wrong is said
 * without quoting the line: it may hold a key.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"

enum {
	BOX_FILE_BYTES_MAX = 8192,
	BOX_FILE_MODE_BAD = 07777 & ~0440,
};

struct box_file {
	const char *path;
	uint32_t line;
	struct text *why;
	struct box_keyring *keys;
};

/* Says what is wrong with the present line, or with the file (line 0). */
static int
box_complain(const struct box_file *file, const char *what)
{
	text_put(file->why, file->path);
	text_put(file->why, ":");
	if (file->line > 0) {
		text_put_u64(file->why, file->line);
		text_put(file->why, ":");
	}
	text_put(file->why, " ");
	text_put(file->why, what);
	return BOX_E_KEYS;
}

static int
box_complain_errno(const struct box_file *file, const char *what, int error)
{
	(void)box_complain(file, what); /* the answer is the one below */
	text_put(file->why, ": ");
	text_put(file->why, strerror(error));
	return BOX_E_KEYS;
}

static int
box_file_check(const struct box_file *file, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return box_complain_errno(file, "cannot stat", errno);
	if (!S_ISREG(st.st_mode))
		return box_complain(file, "not a regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return box_complain(file,
		    "owned by another user, expected root or the daemon's");
	if (st.st_mode & BOX_FILE_MODE_BAD)
		return box_complain(file,
		    "mode is too open, expected 0400 or 0440 (chmod 0400)");
	if (st.st_size > BOX_FILE_BYTES_MAX)
		return box_complain(
		    file, "too long, expected `ID HEX64` lines");
	return 0;
}

/* Reads all of it; *len is its length. */
static int
box_file_read(const struct box_file *file, char *bytes, size_t *len)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return box_complain_errno(file, "cannot open", errno);
	rc = box_file_check(file, fd);
	for (*len = 0; rc == 0 && *len < BOX_FILE_BYTES_MAX;) {
		ssize_t n = read(fd, bytes + *len, BOX_FILE_BYTES_MAX - *len);

		if (n < 0 && errno != EINTR)
			rc = box_complain_errno(file, "cannot read", errno);
		if (n == 0)
			break;
		*len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return rc;
}

static int
box_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* All of hex, 64 digits, into key. */
static bool
box_hex_key(uint8_t key[BOX_KEY_BYTES], const char *hex, size_t len)
{
	bool is_valid = len == (size_t)2 * BOX_KEY_BYTES;

	for (size_t i = 0; is_valid && i < BOX_KEY_BYTES; i++) {
		int high = box_hex_digit(hex[2 * i]);
		int low = box_hex_digit(hex[2 * i + 1]);

		is_valid = high >= 0 && low >= 0;
		key[i] = is_valid ? (uint8_t)(high << 4 | low) : 0;
	}
	return is_valid;
}

/* All of digits as 1 .. BOX_KEY_ID_MAX; 0 when it is not that. */
static uint8_t
box_key_id(const char *digits, size_t len)
{
	uint32_t id = 0;

	if (len == 0 || len > 3 || digits[0] == '0')
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return 0;
		id = id * 10 + (uint32_t)(digits[i] - '0');
	}
	return id <= BOX_KEY_ID_MAX ? (uint8_t)id : 0;
}

static bool
box_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One line without its LF, trimmed of blanks at both ends. */
static int
box_line(const struct box_file *file, const char *line, size_t len)
{
	struct box_keyring *keys = file->keys;
	size_t id_len = 0, at;

	while (id_len < len && !box_is_blank(line[id_len]))
		id_len++;
	for (at = id_len; at < len && box_is_blank(line[at]);)
		at++;
	if (keys->count == BOX_KEYS_MAX)
		return box_complain(file, "too many keys, expected at most 16");
	keys->id[keys->count] = box_key_id(line, id_len);
	if (keys->id[keys->count] == 0)
		return box_complain(file, "bad key id, expected 1 to 255");
	if (box_keyring_has(keys, keys->id[keys->count]))
		return box_complain(
		    file, "key id used before, expected another");
	if (!box_hex_key(keys->key[keys->count], line + at, len - at))
		return box_complain(file, "bad key, expected 64 hex digits");
	keys->count++;
	return 0;
}

static int
box_lines(struct box_file *file, const char *bytes, size_t len)
{
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < len;) {
		const char *line = bytes + at;
		const char *lf = memchr(line, '\n', len - at);
		size_t line_len = lf != NULL ? (size_t)(lf - line) : len - at;

		at += line_len + 1;
		file->line++;
		for (; line_len > 0 && box_is_blank(*line); line_len--)
			line++;
		while (line_len > 0 && box_is_blank(line[line_len - 1]))
			line_len--;
		if (line_len > 0 && *line != '#')
			rc = box_line(file, line, line_len);
	}
	file->line = 0;
	if (rc == 0 && file->keys->count == 0)
		rc = box_complain(file, "no key, expected `ID HEX64`");
	return rc;
}

int
box_keyring_read(struct box_keyring *keys, const char *path, struct text *why)
{
	struct box_file file = { .path = path, .why = why, .keys = keys };
	char bytes[BOX_FILE_BYTES_MAX];
	size_t len = 0;
	int rc;

	*keys = (struct box_keyring){ 0 };
	rc = box_file_read(&file, bytes, &len);
	if (rc == 0)
		rc = box_lines(&file, bytes, len);
	if (rc != 0)
		box_keyring_fini(keys);
	sodium_memzero(bytes, sizeof bytes);
	return rc;
}
