# NanoTik: one Makefile, no recursion into folders. `make help` lists the targets.
# SAN=address,undefined or SAN=thread builds the same into its own folder.
COMMA := ,
BUILD ?= build$(if $(SAN),-$(subst $(COMMA),-,$(SAN)))
PREFIX ?= /usr/local

# Debian 12 packages: to build and run, and what tests, checks and fuzzing need besides.
PACKAGES := gcc g++ pkgconf libcurl4-openssl-dev libwebsockets-dev zlib1g-dev libcjson-dev libpq-dev \
            libavformat-dev libavcodec-dev libavfilter-dev libavutil-dev libswscale-dev \
            libswresample-dev libass-dev libqrencode-dev libsodium-dev libicu-dev libfontconfig-dev libharfbuzz-dev \
            libedit-dev libtomlplusplus-dev libespeak-ng-dev espeak-ng-data postgresql ca-certificates \
            fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji fonts-symbola
TEST_PACKAGES := libcmocka-dev ffmpeg zbar-tools
CHECK_PACKAGES := clang-format clang-tidy
FUZZ_PACKAGES := clang

# Asked for late and once: `make run` on a fresh machine installs pkg-config first.
PKGS := libcurl libwebsockets zlib libcjson libpq libavformat libavcodec libavfilter libavutil libswscale \
        libswresample libass libqrencode libsodium icu-uc icu-i18n fontconfig harfbuzz libedit
once = $(eval $(1) := $(2))$($(1))
PKG_CFLAGS = $(call once,PKG_CFLAGS,$(shell pkg-config --cflags $(PKGS) || echo missing-packages))
PKG_LIBS = $(call once,PKG_LIBS,$(shell pkg-config --libs $(PKGS)))

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
CFLAGS ?= -O2 -g
HARDEN := -fstack-protector-strong -fPIE $(if $(SAN)$(filter -O0,$(CFLAGS)),,-D_FORTIFY_SOURCE=2)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
COMMON = -D_GNU_SOURCE -I. $(PKG_CFLAGS) $(HARDEN) $(SANFLAGS)
FLAGS = -std=gnu17 -include core/base/banned.h $(COMMON)
FLAGSXX = -std=c++17 $(COMMON)
LINK := -pie -Wl,--as-needed,-z,relro,-z,now
LIBS = $(PKG_LIBS) -lstdc++ -lm -lpthread
obj = $(addprefix $(BUILD)/,$(addsuffix .o,$(basename $(1))))

SOURCES := $(sort $(shell find bot core adapters -name '*.c' 2>/dev/null))
HELPERS := adapters/speech/espeak_helper.c
LIB   := $(filter-out bot/main.c $(HELPERS),$(SOURCES)) $(sort $(shell find core -name '*.cc'))
# tests/test_*.c (one module) and tests/e2e_*.c (whole program) are cmocka programs, tests/bench_*.c
# measure, tests/fuzz_*.c have LLVMFuzzerTestOneInput; other tests/*.c are shared by all of them.
TEST_SRC  := $(sort $(wildcard tests/*.c))
PROGRAMS  := $(filter tests/test_%.c tests/e2e_%.c tests/bench_%.c,$(TEST_SRC))
FUZZERS   := $(filter tests/fuzz_%.c,$(TEST_SRC))
SHARED    := $(filter-out $(PROGRAMS) $(FUZZERS),$(TEST_SRC))
TESTS     := $(PROGRAMS:%.c=$(BUILD)/%)
BENCHES   := $(sort $(wildcard tests/bench_*.sh)) $(filter $(BUILD)/tests/bench_%,$(TESTS))

Q := $(if $(V),,@)
say = $(if $(V)$(QUIET),,@echo '  $(1)')

all: $(BUILD)/nanotik $(BUILD)/nanotik-speak

$(BUILD)/nanotik: $(BUILD)/bot/main.o $(BUILD)/lib.a
	$(call say,LINK $@)
	$(Q)$(CC) $(FLAGS) $(CFLAGS) $^ $(LIBS) $(LINK) -o $@
# Only the voice library: what it does not load can neither slow it down nor crash it.
$(BUILD)/nanotik-speak: $(call obj,$(HELPERS))
	$(call say,LINK $@)
	$(Q)$(CC) $(FLAGS) $(CFLAGS) $^ -lespeak-ng $(LINK) -o $@
$(BUILD)/lib.a: $(call obj,$(LIB))
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC $<)
	$(Q)mkdir -p $(@D) && $(CC) $(FLAGS) $(WARN) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/%.o: %.cc $(BUILD)/flags
	$(call say,CXX $<)
	$(Q)mkdir -p $(@D) && $(CXX) $(FLAGSXX) -Wall -Wextra -Werror $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/tests.a: $(call obj,$(SHARED))
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(TESTS): %: %.o $(BUILD)/tests.a $(BUILD)/lib.a
	$(call say,LINK $@)
	$(Q)$(CC) $(FLAGS) $(CFLAGS) $^ -lcmocka $(LIBS) $(LINK) -o $@

$(filter $(BUILD)/tests/test_speech%,$(TESTS)): | $(BUILD)/nanotik-speak

# Other flags mean other objects: this file changes only when the flags do.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@case '$(PKG_CFLAGS)' in *missing-packages*) echo "Debian packages are missing: make packages" >&2; exit 1;; esac
	@echo '$(CC) $(FLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(FLAGS) $(CFLAGS)' > $@
# Embedded files (EMBED) are inputs that the compiler does not report.
$(call obj,$(shell grep -rlE '^EMBED\b' bot core adapters --include=*.c 2>/dev/null)): \
	$(wildcard locales/*.json schema/*.sql assets/* assets/*/*)
$(call obj,tests/test_db_upgrade.c): tests/upgrade_rows.sql

# --- targets for people ---
# One build at a time per folder; as many compilers as cores unless -j says otherwise.
MORE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$$(nproc))
BUILD_NOW = mkdir -p $(BUILD) && flock $(BUILD) $(MORE)

packages:
	@deploy/packages.sh $(PACKAGES)
test-packages:
	@deploy/packages.sh $(PACKAGES) $(TEST_PACKAGES)
	@command -v npm >/dev/null || deploy/packages.sh nodejs npm
	@test tests/fakes/node_modules/.package-lock.json -nt tests/fakes/package-lock.json || \
	    npm --prefix tests/fakes ci --silent --no-progress >&2 || \
	    echo "tests/fakes: npm packages are missing, real clients are not tried" >&2

# Standard input and output are the program's alone.
run:
	@deploy/packages.sh $(PACKAGES) </dev/null >&2
	@+$(BUILD_NOW) all </dev/null >&2
	@exec $(BUILD)/nanotik run $(ARGS)

test: test-packages
	@+$(BUILD_NOW) all tests
	@tests/run $(BUILD) $(filter-out $(BENCHES),$(TESTS))

tests: $(filter-out $(BENCHES),$(TESTS))

bench: test-packages
	@+$(BUILD_NOW) all $(filter $(BUILD)/%,$(BENCHES))
	@set -e; for b in $(BENCHES); do echo "== $$(basename $$b)"; BUILD=$(BUILD) $$b; done

FUZZ_SECONDS ?= 30
FUZZ_BUILD := build-fuzz
fuzz:
	@deploy/packages.sh $(PACKAGES) $(FUZZ_PACKAGES)
	@+$(MORE) CC=clang CXX=clang++ WARN= BUILD=$(FUZZ_BUILD) SAN=fuzzer-no-link,address,undefined \
	    $(FUZZERS:%.c=$(FUZZ_BUILD)/%)
	@set -e; for f in $(FUZZERS:%.c=$(FUZZ_BUILD)/%); do n=$$(basename $$f); echo "== $$n"; \
	    mkdir -p $(FUZZ_BUILD)/corpus/$$n; seeds=tests/seeds/$${n#fuzz_}; test -d $$seeds || seeds=; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -verbosity=0 \
	        -artifact_prefix=$(FUZZ_BUILD)/ $(FUZZ_BUILD)/corpus/$$n $$seeds \
	        >$(FUZZ_BUILD)/$$n.log 2>&1 || { tail -n 40 $(FUZZ_BUILD)/$$n.log; exit 1; }; done
$(FUZZERS:%.c=$(BUILD)/%): %: %.o $(BUILD)/lib.a
	$(Q)$(CXX) $(SANFLAGS) -fsanitize=fuzzer $^ $(LIBS) $(LINK) -o $@

install: all
	install -D -m 755 $(BUILD)/nanotik $(DESTDIR)$(PREFIX)/bin/nanotik
	install -D -m 755 $(BUILD)/nanotik-speak $(DESTDIR)$(PREFIX)/libexec/nanotik/nanotik-speak
	install -D -m 644 config.example.toml $(DESTDIR)$(PREFIX)/share/doc/nanotik/config.example.toml
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/nanotik/LICENSE
	install -D -m 644 deploy/nanotik.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/nanotik.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|g' deploy/nanotik.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/nanotik.service

# config.example.toml is printed by the program from its own table of settings.
example: $(BUILD)/nanotik
	$(BUILD)/nanotik doctor --config-example > config.example.toml.part
	mv config.example.toml.part config.example.toml

clean:
	rm -rf build build-*

help:
	@echo 'make            build $(BUILD)/nanotik'
	@echo 'make run        install missing packages, build, start the bot (ARGS="--config FILE")'
	@echo 'make test       install missing packages, build, run every test; last line: N passed, N failed'
	@echo 'make check      layering, headers, formatting, analyzer, catalog keys; silent when all is well'
	@echo 'make bench      measure speed, memory and size'
	@echo 'make fuzz       feed parsers with generated input, FUZZ_SECONDS=30 each'
	@echo 'make install    PREFIX=/usr/local DESTDIR='
	@echo 'make example    write config.example.toml anew'
	@echo 'make packages   only install missing Debian packages'
	@echo 'make clean      remove what was built'
	@echo 'SAN=address,undefined or SAN=thread before run, test, bench: with sanitizers; V=1: show commands'

# --- make check: every stamp is renewed when its file or a header under it changed ---
C_FILES  := $(SOURCES) $(TEST_SRC)
HEADERS  := $(sort $(shell find bot core adapters tests -name '*.h' 2>/dev/null))
TIDY     := $(patsubst %,$(BUILD)/check/%.tidy,$(C_FILES))
FORMAT   := $(patsubst %,$(BUILD)/check/%.format,$(C_FILES) $(HEADERS) $(filter %.cc,$(LIB)))
ALONE    := $(patsubst %,$(BUILD)/check/%.alone,$(HEADERS))
check: check-packages
	@+$(BUILD_NOW) -k -s QUIET=1 check-all
check-packages:
	@deploy/packages.sh $(PACKAGES) $(TEST_PACKAGES) $(CHECK_PACKAGES)
check-all: check-layers check-keys check-unit $(FORMAT) $(ALONE) $(TIDY)
check-layers:
	@tests/check_layers.sh
check-keys: $(BUILD)/tests/test_i18n
	@mkdir -p $(BUILD)/check
	@$(BUILD)/tests/test_i18n >$(BUILD)/check/keys.log 2>&1 || { grep -v ' OK \| RUN ' $(BUILD)/check/keys.log; exit 1; }
check-unit: $(BUILD)/nanotik
	@tests/check_unit.sh $(BUILD)/nanotik
$(BUILD)/check/%.format: % .clang-format
	@mkdir -p $(@D)
	@clang-format --dry-run -Werror $< >$@.log 2>&1 || { echo "$<: clang-format -i would change it"; exit 1; }
	@mv $@.log $@
$(BUILD)/check/%.c.tidy: $(BUILD)/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $(TIDY_OPTIONS) $*.c -- $(FLAGS) >$@.log 2>/dev/null || \
	    { grep -E '(error|warning): ' $@.log || echo 'clang-tidy $*.c failed'; exit 1; }
	@mv $@.log $@
# These parse the command line, before there are threads.
$(BUILD)/check/bot/main.c.tidy $(BUILD)/check/bot/cli%: TIDY_OPTIONS := --checks=-concurrency-mt-unsafe
$(BUILD)/check/%.h.alone: %.h $(BUILD)/flags
	@mkdir -p $(@D)
	@$(CC) $(FLAGS) $(WARN) -fsyntax-only -MMD -MP -MT $@ -MF $@.d -x c $<
	@touch $@

.PHONY: all packages test-packages run test tests bench fuzz install example clean help check \
        check-packages check-all check-layers check-keys check-unit FORCE
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
