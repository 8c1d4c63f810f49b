/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/word.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/escape.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"

struct word_span {
	char *bytes;
	size_t len;
};

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name(const char *string)
{
	for (; *string != '\0'; string++)
		if (!is_lower(*string) && !is_digit(*string) &&
		    !(*string >= 'A' && *string <= 'Z') &&
		    strchr("._-", *string) == NULL)
			return false;
	return true;
}

static bool
is_key(const char *string)
{
	if (!is_lower(*string))
		return false;
	for (; *string != '\0'; string++)
		if (!is_lower(*string) && !is_digit(*string) && *string != '_')
			return false;
	return true;
}

static int
fail(struct word *word, int error, const char *about)
{
	word->about = about;
	return error;
}

static struct word_pair *
find(struct word *word, const char *key)
{
	for (size_t i = 0; i < word->pair_count; i++)
		if (strcmp(word->pair[i].key, key) == 0)
			return &word->pair[i];
	return NULL;
}

static int
add_verb(struct word *word, const char *verb)
{
	if (!is_name(verb))
		return fail(word, WORD_E_VERB, verb);
	if (word->pair_count > 0)
		return fail(word, WORD_E_PLACE, verb);
	if (word->verb_count == WORD_VERBS)
		return fail(word, WORD_E_MANY, verb);
	word->verb[word->verb_count++] = verb;
	return 0;
}

/* equals points at the '=' between key and value. */
static int
add_pair(struct word *word, char *key, char *equals, size_t value_len)
{
	char *value = equals + 1;

	*equals = '\0';
	if (!is_key(key))
		return fail(word, WORD_E_KEY, key);
	if (word->verb_count == 0)
		return fail(word, WORD_E_EMPTY, key);
	if (find(word, key) != NULL)
		return fail(word, WORD_E_DUPLICATE, key);
	if (!escape_is_valid(value, value_len))
		return fail(word, WORD_E_ESCAPE, key);
	if (word->pair_count == WORD_PAIRS)
		return fail(word, WORD_E_MANY, key);
	word->pair[word->pair_count++] =
	    (struct word_pair){ key, value, value_len, true };
	return 0;
}

static int
add_tag(struct word *word, const char *tag, size_t len)
{
	if (len == 0 || len > WORD_TAG_BYTES || !is_name(tag))
		return fail(word, WORD_E_TAG, tag);
	word->tag = tag;
	return 0;
}

/* The next word from *at on, ended by a NUL; false at the end of the line. */
static bool
take_word(char *line, size_t len, size_t *at, struct word_span *out)
{
	while (*at < len && line[*at] == ' ')
		++*at;
	if (*at == len)
		return false;
	out->bytes = line + *at;
	char *blank = memchr(out->bytes, ' ', len - *at);
	out->len = blank != NULL ? (size_t)(blank - out->bytes) : len - *at;
	out->bytes[out->len] = '\0';
	*at += out->len + (blank != NULL);
	return true;
}

static int
add(struct word *word, struct word_span span)
{
	char *equals = memchr(span.bytes, '=', span.len);

	if (equals == NULL)
		return add_verb(word, span.bytes);
	size_t key_len = (size_t)(equals - span.bytes);
	return add_pair(word, span.bytes, equals, span.len - key_len - 1);
}

static bool
has_control(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7F)
			return true;
	return false;
}

int
word_parse(struct word *word, char *line, size_t len)
{
	bool is_clean = !has_control(line, len);
	struct word_span span;
	size_t at = 0;
	int rc = 0;

	word->tag = NULL;
	word->about = "";
	word->verb_count = word->pair_count = 0;
	bool is_there = take_word(line, len, &at, &span);
	if (is_there && span.bytes[0] == '#') {
		rc = add_tag(word, span.bytes + 1, span.len - 1);
		is_there = take_word(line, len, &at, &span);
	}
	if (rc == 0 && !is_clean)
		return fail(word, WORD_E_BYTE, "");
	for (; rc == 0 && is_there; is_there = take_word(line, len, &at, &span))
		rc = add(word, span);
	if (rc == 0 && word->verb_count == 0)
		return fail(word, WORD_E_EMPTY, "");
	return rc;
}

const char *
word_error_text(int error)
{
	static const char *const text[] = {
		[0] = "no error",
		[WORD_E_EMPTY] = "no verb",
		[WORD_E_TAG] = "bad tag",
		[WORD_E_BYTE] = "control byte in the line",
		[WORD_E_VERB] = "bad word",
		[WORD_E_KEY] = "bad key",
		[WORD_E_ESCAPE] = "bad escape in the value",
		[WORD_E_DUPLICATE] = "key given twice",
		[WORD_E_PLACE] = "word without = after key=value",
		[WORD_E_MANY] = "too many words",
	};

	ENSURE(error >= 0 && (size_t)error < ARRAY_COUNT(text));
	return text[error];
}

static const struct word_pair *
undo(struct word_pair *pair)
{
	if (pair == NULL || !pair->is_raw)
		return pair;
	pair->len = escape_undo(pair->value, pair->len);
	pair->value[pair->len] = '\0';
	pair->is_raw = false;
	return pair;
}

const struct word_pair *
word_get(struct word *word, const char *key)
{
	return undo(find(word, key));
}

const struct word_pair *
word_get_raw(struct word *word, const char *key)
{
	const struct word_pair *pair = find(word, key);

	ENSURE(pair == NULL || pair->is_raw);
	return pair;
}

const struct word_pair *
word_at(struct word *word, size_t idx)
{
	return idx < word->pair_count ? undo(&word->pair[idx]) : NULL;
}

bool
word_take_item(char **list, size_t *list_len, char **item, size_t *len)
{
	if (*list_len == 0)
		return false;
	char *comma = memchr(*list, ',', *list_len);
	*item = *list;
	*len = comma != NULL ? (size_t)(comma - *list) : *list_len;
	size_t taken = *len + (comma != NULL);
	*list += taken;
	*list_len -= taken;
	return true;
}

enum word_data
word_data_len(const char *line, size_t len, uint64_t *data_len)
{
	static const char key[] = "len=";
	const size_t key_len = sizeof key - 1;

	while (len > 0 && line[len - 1] == ' ')
		len--;
	size_t at = len;
	while (at > 0 && line[at - 1] != ' ')
		at--;
	if (len - at < key_len || memcmp(line + at, key, key_len) != 0)
		return WORD_DATA_NONE;
	at += key_len;
	if (parse_u64(line + at, len - at, 0, UINT64_MAX, data_len) != 0)
		return WORD_DATA_BAD;
	return WORD_DATA_FOLLOWS;
}
