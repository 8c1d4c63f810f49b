/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing the key file: its text, and what the writer does with the disk.
 *
 * A change is prepared by writing the new file beside the old one, durably; it
 * is applied by a rename, which may not fail for any reason that would not have
 * shown before, and discarded by removing it.
 */
#ifndef RK_RINGD_KEYFILE_H
#define RK_RINGD_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/os/box.h"

struct text;

enum ringd_keys_change {
	RINGD_KEYS_SURVEY = 1, /* changes nothing */
	RINGD_KEYS_INSTALL,    /* a further key, to receive with */
	RINGD_KEYS_SWITCH,     /* that key seals */
	RINGD_KEYS_RETIRE,     /* all others go */
	RINGD_KEYS_CHANGES
};

enum ringd_keyfile_step {
	RINGD_KEYFILE_PREPARE = 1,
	RINGD_KEYFILE_APPLY,
	RINGD_KEYFILE_DISCARD,
};

enum { RINGD_KEYFILE_TEXT_BYTES = 480 };

/* A job for ringd_disk_ask_job; kind is RINGD_JOB_KEYS, as of its answer. */
struct ringd_keyfile_job {
	uint32_t kind;
	uint64_t number; /* comes back */
	enum ringd_keyfile_step step;
	enum ringd_keys_change change; /* PREPARE */
	uint8_t id;
	uint8_t key[BOX_KEY_BYTES]; /* INSTALL */
};

struct ringd_keyfile_answer {
	uint32_t kind;
	uint64_t number;
	enum ringd_keyfile_step step;
	bool is_done;
	/* PREPARE of SURVEY: the keys of the file, as ringd_keyfile_list says
	 * them; is_done is false: why not. */
	char text[RINGD_KEYFILE_TEXT_BYTES + 1];
};

/* The file, for the writer; kept while it lives. */
struct ringd_keyfile {
	const char *path; /* borrowed */
	uint32_t node;    /* several may share a folder in a test */
	bool is_prepared; /* there is something beside it */
};

/* At a start: removes what a crash left beside it, for it has keys in it. */
void ringd_keyfile_sweep(const struct ringd_keyfile *file);

/* A ringd_disk_fn; arg is a struct ringd_keyfile. */
size_t ringd_keyfile_work(void *arg, void *bytes, size_t len);

/*
 * What len bytes of a file become, keys apart as it was.  The file was read by
 * box_keyring_read before: nothing is checked.  out must be larger by 100.
 */
void ringd_keyfile_edit(const struct ringd_keyfile_job *job, const char *bytes,
    size_t len, struct text *out);

/* ID:FINGERPRINT,... in the order of the file, without any secret. */
void ringd_keyfile_list(const struct box_keyring *keys, struct text *out);

#endif
