#!/bin/sh
# try.sh: each rule is broken once in a scratch tree, and must notice.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir -p libcommon/base libcommon/os bin/ringd bin/msgcat tests/unit
rc=0
spdx='/* SPDX-License-Identifier: BSD-3-Clause */'

put() # FILE LINE...
{
	put_to=$1
	shift
	printf '%s\n' "$spdx" "$@" >"$put_to"
}
judge() # WANT RULE ARG...: WANT is pass or fail
{
	want=$1 name=$2
	shift 2
	got=pass
	said=$(sh "$lint/$name.sh" "$@" 2>&1) || got=fail
	[ "$got" = "$want" ] && return
	echo "$name: ${put_to-}: $got, not $want"
	printf '%s\n' "$said" | sed 's/^/  /'
	rc=1
}
object() # NAME LINE...
{
	name=$1
	shift
	put "$name.c" "$@"
	cc -c -o "$name.o" "$name.c" || rc=1
}

put libcommon/base/a.h
put libcommon/os/b.h
put bin/ringd/totem.h
put bin/ringd/ringd.h
put bin/msgcat/cat.h

put bin/ringd/totem_x.c '#include <stdint.h>' '#include "libcommon/base/a.h"' \
	'#include "bin/ringd/totem.h"'
judge pass includes bin/ringd/totem_x.c
put bin/ringd/ringd_x.c '#include <sys/socket.h>' '#include "libcommon/os/b.h"' \
	'#include "bin/ringd/ringd.h"'
judge pass includes bin/ringd/ringd_x.c
for line in '#include "libcommon/os/b.h"' '#include "bin/ringd/ringd.h"' \
	'#include <time.h>' '#include <sys/socket.h>' '#include "totem.h"'; do
	put bin/ringd/totem_x.c "$line"
	judge fail includes bin/ringd/totem_x.c
done
put libcommon/base/x.c '#include "libcommon/os/b.h"'
judge fail includes libcommon/base/x.c
put libcommon/os/x.c '#include "bin/ringd/ringd.h"'
judge fail includes libcommon/os/x.c
put bin/msgcat/x.c '#include "bin/ringd/totem.h"'
judge fail includes bin/msgcat/x.c
put bin/ringd/x.c '#include "tests/unit/check.h"'
judge fail includes bin/ringd/x.c
put bin/msgcat/cat.c '#include <stdio.h>' '#include "bin/msgcat/cat.h"'
judge fail includes bin/msgcat/cat.c
put bin/msgcat/cat.c '#include "bin/msgcat/cat.h"' '#include <stdio.h>'
judge pass includes bin/msgcat/cat.c

put bin/ringd/x.c 'int x(void) { return clock_gettime(0, 0); }'
judge fail clock bin/ringd/x.c
put bin/ringd/x.c 'long x(void) { return time(NULL); }'
judge fail clock bin/ringd/x.c
put bin/ringd/x.c 'long x(long time_ns) { return time_ns; }'
judge pass clock bin/ringd/x.c

put bin/ringd/x.c 'int' 'x(void)' '{' "$(yes '	;' | head -n 70)" '}'
judge pass sizes bin/ringd/x.c
put bin/ringd/x.c 'int' 'x(void)' '{' "$(yes '	;' | head -n 71)" '}'
judge fail sizes bin/ringd/x.c
put bin/ringd/x.c "$(yes ';' | head -n 700)"
judge fail sizes bin/ringd/x.c
put bin/ringd/x.c "$(yes '#include <a.h>' | head -n 15)"
judge fail sizes bin/ringd/x.c
put bin/ringd/x.c "	$(yes 'a ' | head -n 37 | tr -d '\n')"
judge fail sizes bin/ringd/x.c
echo 'int x;' >bin/ringd/x.c
judge fail sizes bin/ringd/x.c
rm bin/ringd/x.c

judge pass words
put bin/ringd/x.c "/* TO""DO: later */"
judge fail words
rm bin/ringd/x.c
put tests/unit/x.sh "sle""ep 1"
judge fail words
put tests/unit/x.sh "sle""ep 1 # no event: it is absence that is tested"
judge pass words

object foo 'int foo_a; static const int foo_b[2] = { 1, 2 };' \
	'int foo_c(int i) { return foo_b[i]; }'
judge pass names foo.o
judge fail core_symbols foo.o
object bar 'int foo_a;'
judge fail names bar.o
object foo_two 'int foo_a;'
judge fail names foo.o foo_two.o
object foo 'int foo_c(const char *s) { return __builtin_strlen(s) > 3; }'
judge pass core_symbols foo.o
object foo 'long time(long *); long foo_c(void) { return time(0); }'
judge fail core_symbols foo.o
object foo 'void *malloc(unsigned long); void *foo_c(void) { return malloc(1); }'
judge fail core_symbols foo.o

put bin/ringd/x.c 'int x = 1;' '	int y;' 'int z = 1;'
row='a @@ bin/ringd/x.c @@ int x = 1;\n	int @@  @@ unit/test'
printf "%s\n" "$row" >list
judge pass mutants list
printf '%s\n' "$row" "$row" >list
judge fail mutants list
echo 'a @@ bin/ringd/x.c @@  = 1; @@  @@ unit/test' >list
judge fail mutants list
echo 'a @@ bin/ringd/x.c @@ int a @@  @@ unit/test' >list
judge fail mutants list
exit $rc
