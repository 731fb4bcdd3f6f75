# Builds, tests and installs chatd and chat.
#
#   make                      both programs, in the top directory
#   make check                every test; the last line is "N passed, N failed"
#   make run                  build, and talk in a room on this machine
#   make install              see the directories below; DESTDIR is put before each
#   make BUILD=dir ...        put everything that is made into dir instead
#
# CC, CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are yours. What the programs need is in the variables
# that begin with OUR_; HARDEN_CFLAGS and HARDEN_LDFLAGS may be emptied for a compiler or a linker
# that knows none of them.

CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
# Put before the names of both programs and of their pages.
PROGPREFIX ?=
INSTALL ?= install
STATIC_CC ?= musl-gcc

BUILD =
B := $(if $(BUILD),$(BUILD)/)
VERSION := $(shell sed -n 's/^\#define CHAT_VERSION "\(.*\)"/\1/p' protocol.h)

# The last -O counts. Without optimisation _FORTIFY_SOURCE only warns, with a sanitizer it hides
# calls from it, and whoever sets it himself has decided.
OPTIMISED = $(filter-out -O0,$(lastword $(filter -O%,$(CC) $(CFLAGS))))
OWN_IDEAS = $(findstring FORTIFY,$(CPPFLAGS) $(CFLAGS))$(findstring -fsanitize,$(CFLAGS))
FORTIFY = $(if $(OWN_IDEAS),,$(if $(OPTIMISED),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
HARDEN_CFLAGS = $(FORTIFY) -fstack-protector-strong -fPIE
HARDEN_LDFLAGS = -Wl,-z,relro,-z,now $(if $(filter -static%,$(CC) $(LDFLAGS)),,-pie)
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wformat=2 -Wconversion

OUR_CPPFLAGS = -I. -D_POSIX_C_SOURCE=200809L
OUR_CFLAGS = -std=c11 -MMD -MP $(WARNINGS) $(HARDEN_CFLAGS)
COMPILE = $(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS)
LINK = $(CC) $(CFLAGS) $(HARDEN_LDFLAGS) $(LDFLAGS)

LIB_SRCS := $(wildcard protocol.c server/*.c client/*.c compat/*.c)
TEST_SRCS := $(wildcard tests/test_*.c)
TEST_LIB_SRCS := $(filter-out $(TEST_SRCS),$(wildcard tests/*.c))
TEST_SCRIPTS := $(sort $(wildcard tests/test_*.sh))
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRCS := $(wildcard bench/*.c)
SRCS = chatd.c chat.c $(LIB_SRCS) $(TEST_SRCS) $(TEST_LIB_SRCS) $(wildcard tests/fuzz/*.c) \
	$(BENCH_SRCS)

PROGRAMS = $(B)chatd $(B)chat
# Everything but the two mains: the linker takes from it what a program asks for.
LIB = $(B)libchat.a
TESTS = $(TEST_SRCS:%.c=$(B)%)
TEST_LIB = $(if $(TEST_LIB_SRCS),$(B)tests/libtest.a)
REPLAYS = $(FUZZ_SRCS:tests/fuzz/fuzz_%.c=$(B)tests/fuzz/replay_%)
BENCHES = $(BENCH_SRCS:%.c=$(B)%)

all: $(PROGRAMS)

$(B)chatd: $(B)chatd.o $(LIB)
	$(LINK) -o $@ $(B)chatd.o $(LIB) $(LDLIBS)

$(B)chat: $(B)chat.o $(LIB)
	$(LINK) -pthread -o $@ $(B)chat.o $(LIB) $(LDLIBS)

# Made anew each time, so that no member outlives its source.
$(LIB): $(LIB_SRCS:%.c=$(B)%.o)
	rm -f $@
	$(AR) rc $@ $^

$(B)%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

# ---- Tests: tests/test_*.c are libcheck programs, tests/test_*.sh are scripts. ----

CHECK_CFLAGS = $(shell pkg-config --cflags check 2>/dev/null)
CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null || \
	echo -lcheck -lsubunit -lm -lrt -lpthread)

$(TEST_SRCS:%.c=$(B)%.o): OUR_CPPFLAGS += $(CHECK_CFLAGS)

$(B)tests/libtest.a: $(TEST_LIB_SRCS:%.c=$(B)%.o)
	rm -f $@
	$(AR) rc $@ $^

$(TESTS): %: %.o $(TEST_LIB) $(LIB)
	$(LINK) -pthread -o $@ $@.o $(TEST_LIB) $(LIB) $(CHECK_LIBS) $(LDLIBS)

$(REPLAYS): $(B)tests/fuzz/replay_%: $(B)tests/fuzz/fuzz_%.o $(B)tests/fuzz/replay.o $(LIB)
	$(LINK) -pthread -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS)

check: all $(TESTS) $(REPLAYS)
	@dir=$$(cd "$(or $(B),.)" && pwd) && \
	CHATD="$$dir/chatd" CHAT="$$dir/chat" sh tests/run.sh $(TESTS) $(TEST_SCRIPTS) $(REPLAYS)

clean:
	rm -f $(PROGRAMS) $(LIB) $(TESTS) $(TEST_LIB) $(REPLAYS) $(BENCHES)
	rm -f $(SRCS:%.c=$(B)%.o) $(SRCS:%.c=$(B)%.d)

-include $(SRCS:%.c=$(B)%.d)

.PHONY: all check clean
