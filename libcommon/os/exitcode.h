/* SPDX-License-Identifier: BSD-3-Clause */
/* The one table of exit codes, also the n= of an err line on a socket. */
#ifndef RK_EXITCODE_H
#define RK_EXITCODE_H

enum exitcode {
	EXITCODE_OK = 0,
	EXITCODE_FALSE = 1,        /* condition false, key absent, not leader */
	EXITCODE_USAGE = 64,       /* the program was called wrongly */
	EXITCODE_DATA = 65,        /* input data is malformed or too long */
	EXITCODE_NOINPUT = 66,     /* an input file cannot be opened */
	EXITCODE_UNAVAILABLE = 69, /* daemon unreachable, state unknown */
	EXITCODE_INTERNAL = 70,
	EXITCODE_OS = 71,
	EXITCODE_CANTCREATE = 73,
	EXITCODE_IO = 74, /* output cannot be written */
	EXITCODE_TRYAGAIN = 75,
	EXITCODE_PROTOCOL = 76,
	EXITCODE_DENIED = 77,
	EXITCODE_CONFIG = 78,
	EXITCODE_LOST = 122, /* the lock was lost, the child was stopped */
	EXITCODE_TIMEOUT = 124,
	EXITCODE_WRAPPER = 125,       /* starting the child failed */
	EXITCODE_NOTEXECUTABLE = 126, /* the child is there, cannot be run */
	EXITCODE_NOTFOUND = 127,      /* no such child */
};

#endif
