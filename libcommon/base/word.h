/* SPDX-License-Identifier: BSD-3-Clause */
/* One line of the toolkit's text: an optional tag, words, key=value words. */
#ifndef RK_WORD_H
#define RK_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

enum {
	WORD_TAG_BYTES = 16,
	WORD_VERBS = 3,  /* leading words without '=': ev ID KIND */
	WORD_PAIRS = 48, /* key=value words of one line */
};

struct word_pair {
	const char *key; /* ended by a NUL */
	char *value;     /* ended by a NUL that len does not count */
	size_t len;
	bool is_raw; /* escapes are as written */
};

/* Points into the line, which it changes: valid as long as that. */
struct word {
	const char *tag; /* NULL when there is none */
	const char *verb[WORD_VERBS];
	size_t verb_count; /* at least 1 after success */
	struct word_pair pair[WORD_PAIRS];
	size_t pair_count;
	const char *about; /* after an error: the text it is about */
};

enum word_error {
	WORD_E_EMPTY = 1, /* no verb */
	WORD_E_TAG,       /* not 1 to 16 of A-Z a-z 0-9 . _ - */
	WORD_E_BYTE,      /* a control byte or DEL */
	WORD_E_VERB,      /* a byte outside A-Z a-z 0-9 . _ - */
	WORD_E_KEY,       /* not a-z, then a-z 0-9 _ */
	WORD_E_ESCAPE,    /* not \\ \n \t \r \0ooo */
	WORD_E_DUPLICATE, /* a key that was there before */
	WORD_E_PLACE,     /* a word without '=' after one with */
	WORD_E_MANY,      /* more words than fit */
};

/*
 * Splits a line, without its LF; line[len] must be writable.  Words are apart
 * by one blank; more of them do no harm.  Answers 0 or an
 * error.  tag, if the line had a good one, is there even then, so that the
 * answer can carry it.
 */
RK_MUST_CHECK int word_parse(struct word *word, char *line, size_t len);

/* "duplicate key": for a person, together with about. */
const char *word_error_text(int error);

/* The value with its escapes undone; NULL when the key is absent. */
const struct word_pair *word_get(struct word *word, const char *key);

/*
 * The value as it was written, for globs and lists; NULL when absent.  Must
 * come before word_get of that key (ENSURE).
 */
const struct word_pair *word_get_raw(struct word *word, const char *key);

/* All there is: key=value number idx, undone; NULL behind the last. */
const struct word_pair *word_at(struct word *word, size_t idx);

/*
 * Lists are joined with commas; an item's own commas are escaped.  Takes the
 * first item off a raw list; answers false when the list is empty.  The item
 * is still escaped: escape_undo.
 */
bool word_take_item(char **list, size_t *list_len, char **item, size_t *len);

enum word_data { WORD_DATA_NONE, WORD_DATA_FOLLOWS, WORD_DATA_BAD };

/*
 * Do raw bytes follow this line, that is: is its last word len=N?  To be
 * asked before word_parse, and whether or not that will succeed.
 */
enum word_data word_data_len(const char *line, size_t len, uint64_t *data_len);

#endif
