# ringkit: one Makefile, never recursive by directory.  `make help` lists targets.
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0

# Where things go; all of it may be given on the command line.
prefix     ?= /usr/local
bindir     ?= $(prefix)/bin
sbindir    ?= $(prefix)/sbin
libexecdir ?= $(prefix)/libexec
datadir    ?= $(prefix)/share
mandir     ?= $(datadir)/man
docdir     ?= $(datadir)/doc/ringkit
bashcompdir ?= $(datadir)/bash-completion/completions
zshcompdir  ?= $(datadir)/zsh/site-functions
fishcompdir ?= $(datadir)/fish/vendor_completions.d

# One build folder per variant: make SAN=address | thread | coverage | fuzz
SAN   ?= none
BUILD ?= build/$(SAN)
B     := $(BUILD)
SAN_none     :=
SAN_address  := -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_thread   := -fsanitize=thread
SAN_coverage := --coverage
SAN_fuzz     := -fsanitize=fuzzer-no-link,address,undefined \
                -fno-sanitize-recover=all
ifeq ($(SAN),fuzz)
CC := clang
endif
ifeq ($(filter $(SAN),none address thread coverage fuzz),)
$(error SAN=$(SAN): expected none, address, thread, coverage or fuzz)
endif

# pkg-config may be missing until `make deps` has run, so it is asked at the
# first use and not while this file is read.
PKGS     := libmnl libsodium inih
PKG_CPP   = $(eval PKG_CPP := $(shell pkg-config --cflags $(PKGS)))$(PKG_CPP)
PKG_LIBS  = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

CFLAGS  ?= -O2 -g
FORTIFY ?= $(if $(filter none,$(SAN)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
           -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum \
           $(if $(CI),-Werror)
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection \
           -fno-strict-overflow
CPPALL   = -I. -D_GNU_SOURCE -DRINGKIT_VERSION='"$(VERSION)"' $(FORTIFY) \
           $(PKG_CPP) $(CPPFLAGS)
CALL     = -std=c17 $(CFLAGS) $(WARN) $(HARDEN) $(SAN_$(SAN)) \
           -ffile-prefix-map=$(CURDIR)=.
LDALL    = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id=sha1 \
           $(SAN_$(SAN)) $(LDFLAGS)
LIBS     = $(PKG_LIBS)
# Only the front door must know where `make install` puts the others.
PATHS    = -DRINGKIT_LIBEXECDIR='"$(libexecdir)/ringkit"'
Q       := $(if $(V),,@)
# A make that was given no -j works on two jobs.
JOBS    ?= 2
PAR      = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
AGAIN    = +$(Q)$(MAKE) --no-print-directory

# What there is.  Every .c below tests/ that has a main is a program; the
# others (but fuzzers and the seal) are helpers that programs may link.
PROGS   := $(patsubst bin/%/main.c,%,$(sort $(wildcard bin/*/main.c)))
DAEMONS := $(filter ringd memberd quorumd cfgstored,$(PROGS))
TOOLS   := $(filter-out $(DAEMONS),$(PROGS))
MODULES := $(filter-out %/main.c,$(sort $(wildcard libcommon/*/*.c bin/*/*.c)))
PURE    := $(sort $(wildcard libcommon/base/*.c bin/ringd/totem*.c \
             bin/ringd/group*.c bin/ringd/session*.c bin/ringd/link*.c \
             bin/ringd/change*.c bin/memberd/member*.c bin/quorumd/quorum*.c \
             bin/cfgstored/kv*.c bin/cfgstored/replica*.c bin/ringlock/lock*.c))
PURE    := $(filter-out bin/memberd/memberd% bin/quorumd/quorumd%,$(PURE))
TESTS_C := $(filter-out tests/mutants/% tests/lint/%,$(sort $(wildcard tests/*/*.c)))
MAINS   := $(sort $(if $(TESTS_C),$(shell grep -lw '^main' $(TESTS_C) /dev/null)))
FUZZ_C  := $(filter tests/fuzz/fuzz_%,$(TESTS_C))
HELPERS := $(filter-out $(MAINS) $(FUZZ_C) tests/seal/%,$(TESTS_C))
bins     = $(patsubst %.c,$B/%,$1)
objs     = $(patsubst %.c,$B/%.o,$1)
UNIT    := $(call bins,$(filter tests/unit/test_% tests/sim/test_%,$(MAINS)))
SEALED  := $(call bins,$(filter tests/seal/test_%,$(MAINS)))
FUZZ    := $(call bins,$(FUZZ_C))
BENCH   := $(call bins,$(filter tests/bench/bench_%,$(MAINS)))
AIDS    := $(filter-out $(UNIT) $(BENCH) $(SEALED),$(call bins,$(filter-out \
             tests/fuzz/% tests/seal/%,$(MAINS))))
TRAITOR := $B/tests/seal/traitor
SOURCES := $(sort $(wildcard libcommon/*/*.[ch] bin/*/*.[ch] tests/*/*.[ch]))
SCRIPTS := $(sort $(wildcard .ci/run tests/*/*.sh tests/*/*.bash \
             tests/*/*.bats examples/*.sh completions/*.bash))
BATS    := $(sort $(wildcard tests/cli/*.bats))
CLUSTER := $(sort $(wildcard tests/cluster/*.bats))
REPLAY  := $(filter %/sim/replay,$(AIDS))
MUTANTS := $(wildcard tests/mutants/run.sh)

.PHONY: all deps deps-lint demo check check-parallel check-paired check-alone \
  check-unit check-cli quorum-check sim soak mutants fuzz fuzz-run lint bench \
  install uninstall clean help format repro tests tidy FORCE

all: $(PROGS:%=$B/%)                    ## build every program

tests: all $(UNIT) $(FUZZ) $(AIDS) $(BENCH) $(TRAITOR) $(PROGS:%=$B/check/%)
	@:

# ---- link -------------------------------------------------------------------
# A program sees its own folder and libcommon.a, nothing else.
define PROGRAM
$B/$1: $(call objs,$(sort $(wildcard bin/$1/*.c))) $B/libcommon.a
$B/check/$1: $B/$1
endef
$(foreach p,$(PROGS),$(eval $(call PROGRAM,$p)))
$(PROGS:%=$B/%):
	$(Q)$(CC) $(CALL) $(LDALL) -o $@ $^ $(LIBS)

# The programs under test: a daemon that allocates after arena_seal aborts.
# (Not under a sanitizer, whose own allocator that would bypass.)
SEAL := $(if $(filter none,$(SAN)),$(wildcard tests/seal/seal.c))
$(TOOLS:%=$B/check/%) $(if $(SEAL),,$(DAEMONS:%=$B/check/%)):
	@mkdir -p $(@D)
	$(Q)ln -f $< $@
ifneq ($(SEAL),)
UNIT += $(SEALED)
$(SEALED): $B/%: $B/%.o $B/tests/seal/seal.o $B/modules.a
	$(Q)$(CC) $(CALL) $(LDALL) -Wl,--wrap=arena_seal -o $@ $^ $(LIBS)
define SEAL_PROGRAM
$B/check/$1: $(call objs,$(sort $(wildcard bin/$1/*.c)) $(SEAL)) $B/libcommon.a
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CALL) $$(LDALL) -Wl,--wrap=arena_seal -o $$@ \
	  $$(filter %.o %.a,$$^) $$(LIBS)
endef
$(foreach p,$(DAEMONS),$(eval $(call SEAL_PROGRAM,$p)))
endif

# A ringd that lies to the others, see there.
$(TRAITOR): $(call objs,$(sort $(wildcard bin/ringd/*.c)) \
    tests/seal/traitor.c) $B/libcommon.a
	$(Q)$(CC) $(CALL) $(LDALL) -Wl,--wrap=ringd_net_send \
	  -Wl,--wrap=totem_step -o $@ $^ $(LIBS)

$B/libcommon.a: $(call objs,$(filter libcommon/%,$(MODULES)))
$B/modules.a: $(call objs,$(MODULES) $(HELPERS))
$B/libcommon.a $B/modules.a:
	$(Q)rm -f $@ && $(AR) rcsD $@ $^
$(filter-out $(SEALED),$(UNIT)) $(BENCH) $(AIDS): $B/%: $B/%.o $B/modules.a
	$(Q)$(CC) $(CALL) $(LDALL) -o $@ $^ $(LIBS)
# Corosync beside us in `make bench`, when it is there; else a stub.
$B/tests/bench/peer_cpg: LIBS += $(shell pkg-config --libs libcpg 2>/dev/null)
$(FUZZ): $B/%: $B/%.o $(if $(filter fuzz,$(SAN)),,$B/tests/fuzz/replay.o) \
    $B/modules.a
	$(Q)$(CC) $(CALL) $(LDALL) $(if $(filter fuzz,$(SAN)),-fsanitize=fuzzer) \
	  -o $@ $^ $(LIBS)

# ---- compile ----------------------------------------------------------------
# The compiler tracks headers; a changed flag rebuilds everything.
$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(if $V,,@echo "  CC $<")
	$(Q)$(CC) $(CPPALL) $(if $(filter bin/ringkit/%,$<),$(PATHS)) $(CALL) \
	  -MMD -MP -c -o $@ $<
$B/bin/ringkit/%.o: $B/paths
stamp = mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$1)' | cmp -s - $@ || \
  printf '%s\n' '$(subst ','\'',$1)' >$@
$B/flags: FORCE
	@for t in $(firstword $(CC)) pkg-config; do command -v $$t >/dev/null || \
	  { echo "$$t is missing: run 'make deps' first" >&2; exit 1; }; done
	@pkg-config --exists --print-errors $(PKGS) || \
	  { echo "a library is missing: run 'make deps' first" >&2; exit 1; }
	@$(call stamp,$(CC) $(CPPALL) $(CALL))
$B/paths: FORCE
	@$(call stamp,$(PATHS))
FORCE:
-include $(patsubst %.c,$B/%.d,$(filter %.c,$(SOURCES)))

# ---- what has to be there ---------------------------------------------------
deps:                                   ## install what building and testing need
	@sh tests/run/deps.sh build check
deps-lint:                              ## and what lint and fuzz need
	@sh tests/run/deps.sh build check lint

# ---- test -------------------------------------------------------------------
# Each test writes a log whose last line is "N passed, N failed"; sum.sh adds
# them up and counts a log that is not there as a failure.
CHECK_SEEDS ?= 200
LOGS_UNIT := $(patsubst $B/%,$B/log/%.log,$(UNIT) $(FUZZ))
# The longest first, so that none of them is left over at the end.
LONG      := $(filter $(patsubst %,tests/cli/%.bats,ringlock-loss \
               watch-membership-hooks ringlock-examples cfgstored),$(BATS))
LOGS_LONG := $(LONG:%=$B/log/%.log)
LOGS_CLI  := $(LOGS_LONG) $(filter-out $(LOGS_LONG),$(BATS:%=$B/log/%.log))
# What waits for disks, and what has no clock.
LOGS_PAIRED := $(patsubst %,$B/log/%.log,$(filter %/store.bats,$(CLUSTER))) \
               $(if $(REPLAY),$B/log/seeds.log) \
               $(if $(MUTANTS),$B/log/mutants.log)
LOGS_ALONE := $(filter-out $(LOGS_PAIRED),$(CLUSTER:%=$B/log/%.log))
ONE = $(Q)sh tests/run/one.sh $@

demo:                                   ## a ring of three nodes, in a minute
	@sh tests/run/deps.sh build demo
	$(AGAIN) $(PAR) all
	$(Q)PATH="$(CURDIR)/$B:$$PATH" bash examples/demo.sh

check:                                  ## every test; ends "N passed, N failed"
	@sh tests/run/deps.sh build check
	@rm -rf $B/log
	-$(AGAIN) -k $(PAR) check-parallel
	-$(AGAIN) -k $(PAR) check-paired
	-$(AGAIN) -k -j1 check-alone
	@sh tests/run/sum.sh $(LOGS_UNIT) $(LOGS_CLI) $(LOGS_PAIRED) $(LOGS_ALONE)
check-unit:                             ## unit tests and scenarios only
	@rm -rf $B/log
	-$(AGAIN) -k $(PAR) $(LOGS_UNIT)
	@sh tests/run/sum.sh $(LOGS_UNIT)
check-cli:                              ## command line tests only
	@rm -rf $B/log
	-$(AGAIN) -k $(PAR) $(LOGS_CLI)
	@sh tests/run/sum.sh $(LOGS_CLI)
check-parallel: $(LOGS_LONG) $(LOGS_UNIT) $(LOGS_CLI)
	@:
check-paired: $(LOGS_PAIRED)
	@:
# What measures time or fills both cores has the machine for itself.
check-alone: $(LOGS_ALONE)
	@:
$(LOGS_UNIT): $B/log/%.log: $B/% FORCE
	$(ONE) $< $(wildcard $(patsubst tests/fuzz/fuzz_%,tests/fuzz/corpus/%/*,$*))
# slot: a number of its own for each file, to derive ports and addresses from.
$(LOGS_CLI) $(CLUSTER:%=$B/log/%.log): $B/log/%.log: % tests FORCE
	$(Q)RINGKIT_BIN="$(CURDIR)/$B/check" RINGKIT_BUILD="$(CURDIR)/$B" \
	  RINGKIT_TEST_SLOT=$$(printf '%s\n' $(BATS) $(CLUSTER) | \
	    sed -n '\|^$<$$|=') sh tests/run/one.sh $@ \
	  bats --tap --timing $<
$B/log/seeds.log: $(REPLAY) FORCE
	$(ONE) sh tests/run/seeds.sh $(REPLAY) $(CHECK_SEEDS) 1 $(JOBS)
$B/log/mutants.log: FORCE
	$(ONE) bash $(MUTANTS) 5 "$$(git rev-parse HEAD 2>/dev/null || echo 0)"

# The long form of what kills, stops and cuts off at random.
SOAK_S ?= 300
soak: tests                             ## SOAK_S seconds of each kind of chaos
	$(Q)for f in $(CLUSTER) tests/cli/ringlock-loss.bats; do \
	  RINGKIT_BIN="$(CURDIR)/$B/check" RINGKIT_BUILD="$(CURDIR)/$B" \
	  RINGKIT_TEST_SLOT=90 STORE_S=$(SOAK_S) CHAOS_S=$(SOAK_S) \
	  STORE_ROUNDS=$$(($(SOAK_S) / 10)) ROUNDS=$$(($(SOAK_S) / 10)) \
	  bats --tap $$f || exit; done

QUORUM := $(filter %/quorum/simulate,$(AIDS))
quorum-check: $(QUORUM)                 ## all partitions under all rules; an hour
	$(Q)python3 -B tests/quorum/compare.py $(QUORUM) --all
SEEDS ?= 2000
FIRST ?= 1
sim: $(REPLAY)                          ## SEEDS=n random runs from FIRST=s on
	$(if $(REPLAY),,$(error there is no tests/sim/replay.c))
	$(Q)sh tests/run/seeds.sh $(REPLAY) $(SEEDS) $(FIRST) $(JOBS)
mutants:                                ## put every known bug back: all must die
	$(if $(MUTANTS),,$(error there is no tests/mutants/run.sh))
	$(Q)bash $(MUTANTS)
FUZZ_S ?= 60
fuzz: deps-lint                         ## run every fuzzer, FUZZ_S seconds each
	$(AGAIN) SAN=fuzz fuzz-run
fuzz-run: $(FUZZ)
	$(Q)sh tests/run/fuzz.sh $B $(FUZZ_S) $(FUZZ)
bench: all $(BENCH) $(AIDS)             ## measure; tab separated
	$(Q)for b in $(BENCH); do $$b || exit; done
	$(Q)! [ -e tests/bench/run.sh ] || \
	  RINGKIT_BIN="$(CURDIR)/$B" RINGKIT_BUILD="$(CURDIR)/$B" \
	  bash tests/bench/run.sh

# ---- law --------------------------------------------------------------------
TIDY := $(patsubst %.c,$B/tidy/%.ok,$(filter %.c,$(SOURCES)))
lint: export LINT_SOURCES = $(SOURCES)
lint: export LINT_SCRIPTS = $(SCRIPTS)
lint: export LINT_PROGS = $(PROGS)
lint: export LINT_OBJECTS = $(call objs,$(MODULES) $(HELPERS))
lint: export LINT_PURE = $(call objs,$(PURE))
lint: deps-lint                         ## format, analysis, layers, names, sizes
	$(AGAIN) $(PAR) -s $(call objs,$(MODULES) $(HELPERS))
	+$(Q)MAKE='$(MAKE)' sh tests/lint/all.sh
# The object knows on which headers its source depends.
tidy: $(TIDY)
	@:
$B/tidy/%.ok: $B/%.o .clang-tidy tests/.clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $*.c -- $(CPPALL) $(if $(filter bin/ringkit/%,$*),$(PATHS)) \
	  -std=c17 >$@.log 2>/dev/null || { cat $@.log; exit 1; }
	@mv $@.log $@
format:                                 ## rewrite every source as lint wants it
	$(Q)clang-format -i $(SOURCES)
repro:                                  ## two checkouts must build the same bytes
	$(Q)sh tests/lint/repro.sh

# ---- install ----------------------------------------------------------------
# mode:from:to, or link:target:to.  In bindir only the front door and the
# names that nobody else ships: msgcat, for one, is gettext's.
FREE := $(filter msgsend cfgstore watch-membership ringlock check-quorum,$(TOOLS))
NAMED = $(if $(filter $(FREE) $(DAEMONS) ringkit,$1),$1,ringkit-$1)
PAGES := $(sort $(wildcard man/*.[1-8]))
page_name = $(if $(filter $(TOOLS),$(basename $(notdir $1))),$(call \
  NAMED,$(basename $(notdir $1)))$(suffix $1),$(notdir $1))
EXAMPLES := $(addprefix examples/,systemd/*/*.conf systemd/*.conf \
              systemd/*.service systemd/*.target *.conf *.cron *.sh)
INSTALL = \
  $(foreach p,$(DAEMONS),755:$B/$p:$(sbindir)/$p \
    link:$(sbindir)/$p:$(libexecdir)/ringkit/$p) \
  $(foreach p,$(filter-out ringkit,$(TOOLS)),755:$B/$p:$(libexecdir)/ringkit/$p) \
  $(if $(filter ringkit,$(TOOLS)),755:$B/ringkit:$(bindir)/ringkit \
    link:$(bindir)/ringkit:$(libexecdir)/ringkit/ringkit) \
  $(foreach p,$(FREE),link:$(libexecdir)/ringkit/$p:$(bindir)/$p) \
  $(foreach m,$(PAGES),644:$m:$(mandir)/man$(patsubst .%,%,$(suffix \
    $m))/$(call page_name,$m)) \
  $(foreach c,$(sort $(wildcard completions/*.bash)),644:$c:$(bashcompdir)/$(call \
    NAMED,$(basename $(notdir $c)))) \
  $(foreach c,$(sort $(wildcard completions/_*)),644:$c:$(zshcompdir)/_$(call \
    NAMED,$(patsubst _%,%,$(notdir $c)))) \
  $(foreach c,$(sort $(wildcard completions/*.fish)),644:$c:$(fishcompdir)/$(call \
    NAMED,$(basename $(notdir $c))).fish) \
  $(foreach e,$(wildcard $(EXAMPLES)),644:$e:$(docdir)/$e)
install: all                            ## honours DESTDIR, prefix, bindir, ...
	$(Q)sh tests/run/install.sh install "$(DESTDIR)" $(INSTALL)
uninstall:                              ## remove what install put there
	$(Q)sh tests/run/install.sh uninstall "$(DESTDIR)" $(INSTALL)

clean:                                  ## remove build/
	$(Q)rm -rf build
help:                                   ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1	\2/p' $(firstword \
	  $(MAKEFILE_LIST)) | while IFS='	' read -r t d; do \
	  printf '  %-11s %s\n' "$$t" "$$d"; done
