# Builds, tests and installs chatd and chat.
#
#   make                      both programs, in the top directory
#   make check                every test; the last line is "N passed, N failed"
#   make check-fast           the tests that are done at once, for between two edits
#   make chaos                everything goes wrong at once, for CHAOS_SECONDS=15
#   make model                the cluster's models in all their states, where spin is there
#   make run                  build, and talk in a room on this machine
#   make coverage             which lines the tests execute, by gcov
#   make bench                chatd beside bare relays: bench/README.md; BENCHFLAGS are its options
#   make install              see the directories below; DESTDIR is put before each
#   make install-strip        the same, without symbols in the programs
#   make BUILD=dir ...        put everything that is made into dir instead
#   make V=1 ...              show the commands
#
# CC, CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are yours. What the programs need is in the variables
# that begin with OUR_; HARDEN_CFLAGS and HARDEN_LDFLAGS may be emptied for a compiler or a linker
# that knows none of them.

# A dependency line to a make that is not GNU's, which then reads the line behind it.
ifdef OTHER_MAKE:
.error This makefile needs GNU make: run gmake
endif

CFLAGS ?= -O2 -g
# Each directory has two names, GNU's in lower case and another; either can be set.
PREFIX ?= /usr/local
prefix = $(PREFIX)
exec_prefix = $(prefix)
BINDIR ?= $(exec_prefix)/bin
bindir = $(BINDIR)
SBINDIR ?= $(exec_prefix)/sbin
sbindir = $(SBINDIR)
datarootdir = $(prefix)/share
MANDIR ?= $(datarootdir)/man
mandir = $(MANDIR)
DOCDIR ?= $(datarootdir)/doc/$(PROGPREFIX)chatd
docdir = $(DOCDIR)
# Only named in what is installed: nothing is put there.
SYSCONFDIR ?= /etc
sysconfdir = $(SYSCONFDIR)
BASHCOMPDIR ?= $(datarootdir)/bash-completion/completions
ZSHCOMPDIR ?= $(datarootdir)/zsh/site-functions
FISHCOMPDIR ?= $(datarootdir)/fish/vendor_completions.d
# Put before the names of both programs, also where they give them, and of their pages and units.
PROGPREFIX ?=
INSTALL ?= install
INSTALL_PROGRAM = $(INSTALL) -m 755
INSTALL_SCRIPT = $(INSTALL_PROGRAM)
INSTALL_DATA = $(INSTALL) -m 644
PKG_CONFIG ?= pkg-config
STATIC_CC ?= musl-gcc

BUILD =
B := $(if $(BUILD),$(BUILD)/)
VERSION := $(shell sed -n 's/^\#define CHAT_VERSION "\(.*\)"/\1/p' protocol.h)

# The last -O counts. _FORTIFY_SOURCE is left out without optimisation, where it only warns; with a
# sanitizer, from which it hides calls; and if CPPFLAGS or CFLAGS set it.
OPTIMISED = $(filter-out -O0,$(lastword $(filter -O%,$(CC) $(CFLAGS))))
OWN_IDEAS = $(findstring FORTIFY,$(CPPFLAGS) $(CFLAGS))$(findstring -fsanitize,$(CFLAGS))
FORTIFY = $(if $(OWN_IDEAS),,$(if $(OPTIMISED),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
HARDEN_CFLAGS = $(FORTIFY) -fstack-protector-strong -fPIE
HARDEN_LDFLAGS = -Wl,-z,relro,-z,now $(if $(filter -static%,$(CC) $(LDFLAGS)),,-pie)
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wformat=2 -Wconversion

# The last two: files beyond 2 GiB, and dates beyond 2038, where a long has 32 bits.
OUR_CPPFLAGS = -I. -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
OUR_CPPFLAGS += $(if $(PROGPREFIX),-DPROGPREFIX='"$(PROGPREFIX)"')
OUR_CFLAGS = -std=c11 -MMD -MP $(WARNINGS) $(HARDEN_CFLAGS)
COMPILE = $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS)
LINK = $(CC) $(CFLAGS) $(HARDEN_LDFLAGS) $(LDFLAGS)

# $(call quiet,CC) before a command shows a short line instead of it; with V=1 the command, with
# -s nothing.
IS_SILENT = $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
quiet = $(if $(filter 1,$(V)),,$(if $(IS_SILENT),,$(info $(1) $@))@)

COMMON_SRCS := $(wildcard protocol.c wire/*.c compat/*.c)
SERVER_SRCS := $(wildcard server/*.c server/*/*.c)
CLIENT_SRCS := $(wildcard client/*.c)
TEST_SRCS := $(wildcard tests/test_*.c)
CHAOS_SRC := tests/chaos.c
WIDTHS_SRC := tests/widths.c
OBSERVER_SRC := tests/observer.c
TEST_LIB_SRCS := $(filter-out $(TEST_SRCS) $(CHAOS_SRC) $(WIDTHS_SRC) $(OBSERVER_SRC),\
	$(wildcard tests/*.c))
TEST_SCRIPTS := $(sort $(wildcard tests/test_*.sh))
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRCS := $(wildcard bench/*.c)
SRCS = chatd.c chat.c $(COMMON_SRCS) $(SERVER_SRCS) $(CLIENT_SRCS) $(TEST_SRCS) $(TEST_LIB_SRCS) \
	$(CHAOS_SRC) $(WIDTHS_SRC) $(OBSERVER_SRC) $(wildcard tests/fuzz/*.c) $(BENCH_SRCS)

PROGRAMS = $(B)chatd $(B)chat
# Everything but the two mains: the linker takes from a library what a program asks for.
COMMON = $(B)libcommon.a
SERVER = $(B)libserver.a
CLIENT = $(B)libclient.a
TEST_LIB = $(B)tests/libtest.a
BENCH_LIB = $(B)bench/libbench.a
LIBS = $(COMMON) $(SERVER) $(CLIENT) $(TEST_LIB) $(BENCH_LIB)

TESTS = $(TEST_SRCS:%.c=$(B)%)
CHAOS = $(CHAOS_SRC:%.c=$(B)%)
WIDTHS = $(WIDTHS_SRC:%.c=$(B)%)
OBSERVER = $(OBSERVER_SRC:%.c=$(B)%)
REPLAYS = $(FUZZ_SRCS:tests/fuzz/fuzz_%.c=$(B)tests/fuzz/replay_%)
BENCHES = $(patsubst %,$(B)bench/%,$(filter load floor stream,$(basename $(notdir $(BENCH_SRCS)))))
# What scripts are told.
PROGRAM_PATHS = dir=$$(cd "$(or $(B),.)" && pwd) && export CHATD="$$dir/chatd" CHAT="$$dir/chat"

all: $(PROGRAMS)

# All that is compiled, and nothing run.
everything: all $(TESTS) $(CHAOS) $(WIDTHS) $(OBSERVER) $(REPLAYS) $(BENCHES)

$(B)chatd: $(B)chatd.o $(SERVER) $(COMMON)
	$(call quiet,LD)$(LINK) -o $@ $^ $(LDLIBS)

$(B)chat: $(B)chat.o $(CLIENT) $(COMMON)
	$(call quiet,LD)$(LINK) -pthread -o $@ $^ $(LDLIBS)

$(COMMON): $(COMMON_SRCS:%.c=$(B)%.o)
$(SERVER): $(SERVER_SRCS:%.c=$(B)%.o)
$(CLIENT): $(CLIENT_SRCS:%.c=$(B)%.o)
$(TEST_LIB): $(TEST_LIB_SRCS:%.c=$(B)%.o)
$(BENCH_LIB): $(patsubst %.c,$(B)%.o,$(filter-out bench/load.c bench/floor.c bench/stream.c,$(BENCH_SRCS)))

# Made anew: ar would keep a member whose source is gone.
$(LIBS):
	@mkdir -p $(@D)
	@rm -f $@
	$(call quiet,AR)$(AR) rc $@ $^

# Programs know their names: objects are made anew when the prefix is another.
NAMED = $(B).progprefix
$(NAMED): FORCE
	@mkdir -p $(@D)
	@[ -e $@ ] && [ "$$(cat $@)" = '$(PROGPREFIX)' ] || printf '%s\n' '$(PROGPREFIX)' >$@

$(B)%.o: %.c $(NAMED)
	@mkdir -p $(@D)
	$(call quiet,CC)$(COMPILE) -c -o $@ $<

# ---- Tests: tests/test_*.c are libcheck programs, tests/test_*.sh are scripts. ----

CHECK_CFLAGS = $(shell $(PKG_CONFIG) --cflags check 2>/dev/null)
CHECK_LIBS = $(shell $(PKG_CONFIG) --libs check 2>/dev/null || \
	echo -lcheck -lsubunit -lm -lrt -lpthread)

$(patsubst %.c,$(B)%.o,$(TEST_SRCS) $(TEST_LIB_SRCS) $(CHAOS_SRC)): OUR_CPPFLAGS += $(CHECK_CFLAGS)

$(TESTS) $(CHAOS): %: %.o $(TEST_LIB) $(CLIENT) $(SERVER) $(COMMON)
	$(call quiet,LD)$(LINK) $(WRAP) -pthread -o $@ $^ $(CHECK_LIBS) $(LDLIBS)

# Calls of these go through functions of its own, which let them fail. With 64-bit offsets mmap() is
# mmap64(), and with 64-bit times sendmsg() is __sendmsg64() where a long has 32 bits.
WRAPPED = malloc calloc realloc recv __recv_chk send sendmsg __sendmsg64 poll __poll_chk ppoll __ppoll_chk \
	poller_set mmap64 memory_file random_bytes
$(B)tests/test_listener: WRAP = -Wl,--wrap=accept_cloexec_nonblock,--wrap=poller_set
$(B)tests/test_faults: WRAP = $(WRAPPED:%=-Wl,--wrap=%)
$(B)tests/test_link: WRAP = -Wl,--wrap=sendmsg,--wrap=__sendmsg64
$(B)tests/test_sandbox_filter: WRAP = -Wl,--wrap=prctl,--wrap=__prctl_time64

$(REPLAYS): $(B)tests/fuzz/replay_%: $(B)tests/fuzz/fuzz_%.o $(B)tests/fuzz/replay.o \
    $(CLIENT) $(SERVER) $(COMMON)
	$(call quiet,LD)$(LINK) $(WRAP) -pthread -o $@ $(sort $(filter %.o,$^)) $(filter %.a,$^) $(LDLIBS)

# A hub's sockets are in memory, and the client's reads and writes; the transcript's writer waits in
# poll() until the hub has had its turns.
SOCKET_CALLS = close dup shutdown recv __recv_chk send sendmsg __sendmsg64 setsockopt __setsockopt64 \
	fcntl fcntl64 __fcntl_time64
MEMORY_CALLS = memory_file_blank mmap mmap64 munmap input_init input_free
HUB_CALLS = $(SOCKET_CALLS) $(MEMORY_CALLS)
WRITER_CALLS = _exit poll __poll_chk socket_recv socket_send
$(B)tests/fuzz/replay_hub $(B)fuzz_hub $(B)tests/fuzz/replay_transcript $(B)fuzz_transcript: \
    $(B)tests/fuzz/sockets.o $(B)tests/fuzz/memory.o
$(B)tests/fuzz/replay_hub $(B)fuzz_hub: WRAP = $(HUB_CALLS:%=-Wl,--wrap=%)
$(B)tests/fuzz/replay_client $(B)fuzz_client: \
    WRAP = -Wl,--wrap=read,--wrap=write,--wrap=queue_init,--wrap=queue_free
$(B)tests/fuzz/replay_transcript $(B)fuzz_transcript: WRAP = $(HUB_CALLS:%=-Wl,--wrap=%) $(WRITER_CALLS:%=-Wl,--wrap=%)

# tests/slow has the names of those that take seconds.
SLOW_NAMES := $(shell grep '^test_' tests/slow)
SLOW_TESTS = $(filter $(SLOW_NAMES:%=$(B)tests/%) $(SLOW_NAMES:%=tests/%),$(TESTS) $(TEST_SCRIPTS))
FAST_TESTS = $(filter-out $(SLOW_TESTS),$(TESTS) $(TEST_SCRIPTS)) $(REPLAYS)

check: all $(TESTS) $(REPLAYS)
	@$(PROGRAM_PATHS) && sh tests/run.sh $(TESTS) $(TEST_SCRIPTS) $(REPLAYS)

check-fast: all $(filter-out %.sh,$(FAST_TESTS))
	@$(PROGRAM_PATHS) && sh tests/run.sh $(FAST_TESTS)

# Not part of check: a minute or two of computing.
model:
	@CC='$(CC)' sh tests/run.sh tests/spin.sh

$(WIDTHS): %: %.o $(CLIENT) $(COMMON)
	$(call quiet,LD)$(LINK) -o $@ $^ $(LDLIBS)

$(OBSERVER): %: %.o $(SERVER) $(COMMON)
	$(call quiet,LD)$(LINK) -o $@ $^ $(LDLIBS)

# Not part of check: see tests/chaos.c for its variables, which may stand on the command line.
chaos: all $(CHAOS)
	@$(PROGRAM_PATHS) && $(if $(B),,./)$(CHAOS)

# ---- Speed: bench/README.md ----

$(BENCHES): %: %.o $(BENCH_LIB) $(SERVER) $(COMMON)
	$(call quiet,LD)$(LINK) -pthread -o $@ $^ $(LDLIBS)

bench: $(B)chatd $(BENCHES)
	@$(PROGRAM_PATHS) && LOAD="$$dir/bench/load" FLOOR="$$dir/bench/floor" sh bench/run.sh $(BENCHFLAGS)

# ---- Fuzzing: libFuzzer programs, in fuzz/. `make check` replays what they have found. ----

FUZZ_CC = clang
FUZZ_CFLAGS = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZERS = $(FUZZ_SRCS:tests/fuzz/%.c=$(B)%)

fuzz:
	$(MAKE) BUILD=fuzz CC=$(FUZZ_CC) CFLAGS='$(FUZZ_CFLAGS)' fuzzers

fuzzers: $(FUZZERS)

# Of text, libFuzzer sees what memcmp() compares anyway. That each comparison of numbers is noted costs
# more than it finds where they are characters and lengths; it is left to forms with binary numbers.
fuzz/tests/fuzz/%.o fuzz/protocol.o fuzz/wire/%.o fuzz/client/%.o fuzz/compat/%.o fuzz/server/hub/%.o \
    fuzz/server/journal/%.o fuzz/server/report.o: override CFLAGS += -fno-sanitize-coverage=trace-cmp
# What these do themselves is no reason to keep an input.
fuzz/tests/fuzz/fuzz_hub.o fuzz/tests/fuzz/fuzz_transcript.o fuzz/tests/fuzz/sockets.o \
    fuzz/tests/fuzz/memory.o: override CFLAGS += -fno-sanitize=fuzzer-no-link
# Nor are their own accesses checked, which would take time: what the hub hands them, they take by
# memcpy() and the like, which are.
fuzz/tests/fuzz/fuzz_hub.o fuzz/tests/fuzz/sockets.o: override CFLAGS += -fno-sanitize=address,undefined
fuzz/server/hub/codec.o fuzz/server/hub/replica.o: override CFLAGS += -fsanitize-coverage=trace-cmp

# What the hub hands over is its own, and all of it numbers: there these notes are half of the time.
fuzz/fuzz_hub: fuzz/tests/fuzz/codec.o fuzz/tests/fuzz/replica.o
fuzz/tests/fuzz/codec.o fuzz/tests/fuzz/replica.o: fuzz/tests/fuzz/%.o: server/hub/%.c $(NAMED)
	@mkdir -p $(@D)
	$(call quiet,CC)$(COMPILE) -c -o $@ $<

$(FUZZERS): $(B)fuzz_%: $(B)tests/fuzz/fuzz_%.o $(B)tests/fuzz/fuzzer.o $(CLIENT) $(SERVER) $(COMMON)
	$(call quiet,LD)$(LINK) $(WRAP) -fsanitize=fuzzer -pthread -o $@ $(sort $(filter %.o,$^)) $(filter %.a,$^) $(LDLIBS)

# ---- Coverage: in coverage/. ----

COVERAGE_CFLAGS = -O0 --coverage -fprofile-update=prefer-atomic
# Each test is a process that writes the counters of all its files.
coverage/tests/%.o: override CFLAGS = -O0
COVERAGE_WRAP = -Wl,--wrap=_exit,--wrap=execv,--wrap=sandbox_enter coverage/tests/coverage.o
# A directory of counters is open to processes that have given up root. That all tests pass is not asked
# for here: a few count descriptors, or what a process may do, which writing counters disturbs.
coverage:
	rm -rf coverage
	$(MAKE) BUILD=coverage CC=gcc CFLAGS='$(COVERAGE_CFLAGS)' coverage/tests/coverage.o
	$(MAKE) BUILD=coverage CC=gcc CFLAGS='$(COVERAGE_CFLAGS)' LDFLAGS='$(COVERAGE_WRAP)' \
	    all $(TEST_SRCS:%.c=coverage/%) $(REPLAYS:%=coverage/%)
	find coverage -type d -exec chmod a+w {} +
	-umask 0 && CHATD_OPTIONS='-S off' $(MAKE) BUILD=coverage CC=gcc CFLAGS='$(COVERAGE_CFLAGS)' \
	    LDFLAGS='$(COVERAGE_WRAP)' TEST_SCRIPTS='$(filter %.sh,$(FAST_TESTS))' check
	@sh tests/coverage.sh coverage

# ---- Other ways to build and run. ----

# Both programs in static/, with nothing to link at run time. The kernel's headers are looked for
# last: musl-gcc does not know them.
static:
	$(MAKE) BUILD=static CC='$(STATIC_CC)' LDFLAGS='-static $(LDFLAGS)' \
	    CPPFLAGS='$(CPPFLAGS) -idirafter /usr/include -idirafter /usr/include/$(shell \
	    $(CC) -dumpmachine)' all

run: all
	@sh contrib/run.sh $(B)chatd $(B)chat

format-check:
	clang-format --dry-run -Werror $(wildcard *.[ch] */*.[ch] server/*/*.[ch] tests/fuzz/*.[ch])

# Three analyzers, of the programs. gcc's does not follow lists whose links are in the entries, nor
# states that one function writes and reads: its searches for leaks and NULL are left to sanitizers.
ANALYZED = chatd.c chat.c $(COMMON_SRCS) $(SERVER_SRCS) $(CLIENT_SRCS)
CPPCHECK_FLAGS = -q --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
	--suppress=missingIncludeSystem -D__linux__ -D__GLIBC__ -D__x86_64__ -D__LP64__
analyze:
	cppcheck $(CPPCHECK_FLAGS) $(OUR_CPPFLAGS) $(ANALYZED)
	printf '%s\n' $(ANALYZED) | xargs -P 2 -n 8 sh -c \
	    'clang-tidy --quiet "$$@" -- -std=c11 -I. -D_POSIX_C_SOURCE=200809L' tidy
	$(MAKE) BUILD=analyzed CC=gcc CFLAGS='-O2 -Werror -fanalyzer -Wno-analyzer-malloc-leak \
	    -Wno-analyzer-null-dereference -Wno-analyzer-null-argument' all

man-check:
	mandoc -T lint -W warning man/*.[178]

# ---- Installation. ----

# The names of both programs are words of their own in the pages, so a prefix is put before each.
RENAME_WORDS = $(foreach twice,1 2,-e 's,(^|[^[:alnum:]_./-])(chatd?|chat-protocol)($$|[^[:alnum:]_./@:-]),\1$(PROGPREFIX)\2\3,g') \
	-e 's,$(PROGPREFIX)chat server,chat server,g' \
	-e 's,(^|/| )(chatd[-@[:alnum:]]*\.(service|socket|pid|cluster)|chatd-team/),\1$(PROGPREFIX)\2,g'
RENAME_PAGE = sed -E -e 's,^(\.Dt )(CHAT),\1$(shell echo '$(PROGPREFIX)' | tr a-z A-Z)\2,' $(RENAME_WORDS)
RENAME_COMPLETION = sed -E -e 's,^(\#compdef|complete .*) (chatd?)$$,\1 $(PROGPREFIX)\2,' \
	-e 's,^(complete -c) (chatd?) ,\1 $(PROGPREFIX)\2 ,'
# Users, sockets, directories and other units are named after the program, too.
RENAME_UNIT = sed -E -e 's,/usr/local/sbin/chatd,$(sbindir)/chatd,' \
	-e 's,(^|[^[:alnum:]_])chatd,\1$(PROGPREFIX)chatd,g'
RENAME_BOT = sed -E -e 's%(:-|", ")chat([}"])%\1$(PROGPREFIX)chat\2%' $(RENAME_WORDS)

PAGES = $(PROGPREFIX)chat.1 $(PROGPREFIX)chat-protocol.7 $(PROGPREFIX)chatd.8
BOTS = $(notdir $(wildcard contrib/bots/*))
DOCS = README.md NEWS SECURITY.md
UNITS = $(notdir $(wildcard contrib/systemd/*.service contrib/systemd/*.socket))
# Where systemd looks: beside its own units for /usr, in its place below the prefix for others.
# Empty: they are not installed.
UNITDIR ?= $(if $(UNITDIR_OF_SYSTEMD),$(if $(filter /usr,$(prefix)),$(UNITDIR_OF_SYSTEMD),$(prefix)/lib/systemd/system))
UNITDIR_OF_SYSTEMD := $(shell $(PKG_CONFIG) --variable=systemdsystemunitdir systemd 2>/dev/null)

# What is changed on its way is made here, and installed from here.
STAGE = $(B)stage
INSTALLED = $(bindir)/$(PROGPREFIX)chat $(sbindir)/$(PROGPREFIX)chatd \
	$(foreach page,$(PAGES),$(mandir)/man$(subst .,,$(suffix $(page)))/$(page)) \
	$(foreach name,chat chatd,$(BASHCOMPDIR)/$(PROGPREFIX)$(name) \
	    $(ZSHCOMPDIR)/_$(PROGPREFIX)$(name) $(FISHCOMPDIR)/$(PROGPREFIX)$(name).fish) \
	$(DOCS:%=$(docdir)/%) $(BOTS:%=$(docdir)/examples/%) \
	$(addprefix $(docdir)/examples/,recipes.md logrotate cluster.conf) \
	$(if $(UNITDIR),$(UNITS:%=$(UNITDIR)/$(PROGPREFIX)%))

# Made anew each time: the directories and names may be others than before.
stage:
	@rm -rf $(STAGE)
	@mkdir -p $(STAGE)/man $(STAGE)/bash $(STAGE)/zsh $(STAGE)/fish $(STAGE)/bots $(STAGE)/units
	@set -e; for page in man/*.[178]; do \
	    $(RENAME_PAGE) $$page >$(STAGE)/man/$(PROGPREFIX)$${page##*/}; done
	@set -e; for name in chat chatd; do \
	    $(RENAME_COMPLETION) contrib/completion/$$name.bash >$(STAGE)/bash/$(PROGPREFIX)$$name; \
	    $(RENAME_COMPLETION) contrib/completion/_$$name >$(STAGE)/zsh/_$(PROGPREFIX)$$name; \
	    $(RENAME_COMPLETION) contrib/completion/$$name.fish >$(STAGE)/fish/$(PROGPREFIX)$$name.fish; \
	done
	@set -e; for bot in $(BOTS); do $(RENAME_BOT) contrib/bots/$$bot >$(STAGE)/bots/$$bot; done
	@set -e; for unit in $(UNITS); do \
	    $(RENAME_UNIT) contrib/systemd/$$unit >$(STAGE)/units/$(PROGPREFIX)$$unit; done
	@sed -E $(RENAME_WORDS) -e 's,contrib/bots/,,g' contrib/recipes.md >$(STAGE)/recipes.md
	@$(RENAME_UNIT) -e 's,/etc/,$(sysconfdir)/,' contrib/logrotate/chatd >$(STAGE)/logrotate
	@$(RENAME_UNIT) contrib/systemd/cluster.conf >$(STAGE)/cluster.conf

install: all stage
	umask 022; for dir in $(sort $(dir $(INSTALLED))); do \
	    [ -d "$(DESTDIR)$$dir" ] || $(INSTALL) -d -m 755 "$(DESTDIR)$$dir" || exit 1; done
	$(INSTALL_PROGRAM) $(B)chat "$(DESTDIR)$(bindir)/$(PROGPREFIX)chat"
	$(INSTALL_PROGRAM) $(B)chatd "$(DESTDIR)$(sbindir)/$(PROGPREFIX)chatd"
	for page in $(PAGES); do \
	    $(INSTALL_DATA) $(STAGE)/man/$$page "$(DESTDIR)$(mandir)/man$${page##*.}/" || exit 1; done
	$(INSTALL_DATA) $(STAGE)/bash/* "$(DESTDIR)$(BASHCOMPDIR)/"
	$(INSTALL_DATA) $(STAGE)/zsh/* "$(DESTDIR)$(ZSHCOMPDIR)/"
	$(INSTALL_DATA) $(STAGE)/fish/* "$(DESTDIR)$(FISHCOMPDIR)/"
	$(INSTALL_DATA) $(DOCS) "$(DESTDIR)$(docdir)/"
	$(INSTALL_DATA) $(STAGE)/logrotate $(STAGE)/recipes.md $(STAGE)/cluster.conf \
	    "$(DESTDIR)$(docdir)/examples/"
	for bot in $(BOTS); do if [ -x contrib/bots/$$bot ]; then \
	    $(INSTALL_SCRIPT) $(STAGE)/bots/$$bot "$(DESTDIR)$(docdir)/examples/"; else \
	    $(INSTALL_DATA) $(STAGE)/bots/$$bot "$(DESTDIR)$(docdir)/examples/"; fi || exit 1; done
ifneq ($(UNITDIR),)
	$(INSTALL_DATA) $(STAGE)/units/* "$(DESTDIR)$(UNITDIR)/"
endif

install-strip:
	$(MAKE) INSTALL_PROGRAM='$(INSTALL_PROGRAM) -s' INSTALL_SCRIPT='$(INSTALL_SCRIPT)' install

# The directories that are the programs' own go when they are empty.
uninstall:
	for file in $(INSTALLED); do rm -f "$(DESTDIR)$$file" || exit 1; done
	-rmdir "$(DESTDIR)$(docdir)/examples" "$(DESTDIR)$(docdir)"

# ---- Distribution. ----

DIST = chatd-$(VERSION)
# The newest date in NEWS is that of every file: the same sources make the same bytes.
DIST_DATE = $(shell sed -n 's/^chatd .*, \([0-9-]*\)$$/\1/p' NEWS | sed 1q)

# What git knows, or, in a tree that was unpacked, what is left when it is clean. Debian's files are
# not in it: a source package adds them.
dist:
	[ -e .git ] || $(MAKE) -s BUILD= clean
	if [ -e .git ]; then git ls-files; else find * .[!.]* -type f ! -name '*.tar.gz'; fi | \
	    grep -v '^debian/' | LC_ALL=C sort | \
	    tar -c --format=ustar --mtime='$(DIST_DATE) UTC' --owner=0 --group=0 --numeric-owner \
	    --mode=u=rwX,go=rX --transform='s,^,$(DIST)/,' -T - | gzip -9n >$(DIST).tar.gz

distcheck: dist
	rm -rf $(DIST)
	tar -xzf $(DIST).tar.gz
	$(MAKE) -C $(DIST) BUILD= all
	$(MAKE) -C $(DIST) BUILD= check
	$(MAKE) -C $(DIST) BUILD= DESTDIR='$(CURDIR)/$(DIST)/root' install
	cd $(DIST)/root && ls $(INSTALLED:/%=%) >/dev/null
	$(MAKE) -C $(DIST) BUILD= DESTDIR='$(CURDIR)/$(DIST)/root' uninstall
	[ -z "$$(find $(DIST)/root ! -type d)" ]
	rm -r $(DIST)/root
	$(MAKE) -C $(DIST) dist
	cmp $(DIST).tar.gz $(DIST)/$(DIST).tar.gz
	rm -r $(DIST)

clean:
	$(call quiet,RM)rm -f $(PROGRAMS) $(LIBS) $(TESTS) $(CHAOS) $(WIDTHS) $(OBSERVER) $(REPLAYS) $(FUZZERS) $(BENCHES) \
	    $(SRCS:%.c=$(B)%.o) $(SRCS:%.c=$(B)%.d) $(NAMED)
	@rm -rf $(DIST) $(DIST).tar.gz $(STAGE) static fuzz analyzed coverage bench/builds

-include $(SRCS:%.c=$(B)%.d)

.DELETE_ON_ERROR:
.PHONY: FORCE all analyze bench chaos check check-fast clean coverage dist distcheck everything format-check fuzz fuzzers install install-strip \
	man-check model run stage static uninstall
