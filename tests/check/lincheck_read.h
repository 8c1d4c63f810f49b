/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a history that clients wrote down, a line an operation. */
#ifndef RK_LINCHECK_READ_H
#define RK_LINCHECK_READ_H

#include <stdint.h>
#include <stdio.h>

#include "tests/check/lincheck.h"

/*
 * A line is
 *
 *	CLIENT BEGIN END VERB [KEY=VALUE...] [-> OUTCOME [KEY=VALUE...]]
 *
 * Words are apart by one blank, values escaped as in every record.  Times are
 * seconds with up to nine decimals, of one clock for all.  END is "-", or
 * OUTCOME missing or "unknown": nobody knows whether it happened.
 *
 *	get key= [sync=yes] -> ok rev= value= [store_rev=]
 *	                       | absent [store_rev=]
 *	list [prefix=] [sync=yes] -> ok rev= [key= rev= [value=]]...
 *	set key= value= [if_rev=|if_value=|if_absent=yes|if_exists=yes]
 *	    [lock=NAME/SLOT token=] -> ok rev=
 *	                             | conflict [rev=KEYREV] [store_rev=]
 *	del key= | del prefix=, as set -> ok rev= [n=] | conflict | absent
 *	txn (if= (rev=|value=|absent=yes|exists=yes))... (put= value=)...
 *	    (del=)... (delprefix=)... [lock= token=]
 *	    -> ok rev= [n=] | conflict [key= rev=] [store_rev=]
 *
 * and any of the last three -> refused: it changed nothing.  n=0: it changed
 * nothing for nothing was there.  What is watched and held:
 *
 *	CLIENT TIME - watch [prefix=] [since=REV]
 *	CLIENT TIME - exists key= rev= value=
 *	CLIENT TIME - ready rev=
 *	CLIENT TIME - put key= rev= prev= value=
 *	CLIENT TIME - del key= rev= prev= [why=expired|released]
 *	CLIENT TIME - gap
 *
 * (of one watch at a time in one file), and
 *
 *	CLIENT BEGIN END hold lock=NAME/SLOT token=
 *
 * Blank lines and those that begin with '#' are passed over, and so is a last
 * line without LF: a killed client leaves one.
 */
struct lincheck_reader {
	struct lincheck *check; /* borrowed */
	const char *path;       /* borrowed until the verdict */
	uint64_t line;
	const char *why; /* after a line that is none */
	/* Whose events follow. */
	bool is_watching;
	uint32_t watched_by;
	size_t watcher;
};

/* All of the file; false: see why. */
bool lincheck_read(struct lincheck_reader *reader, FILE *file);

#endif
