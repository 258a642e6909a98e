# NanoTik: one Makefile, no recursion. `make help` lists the targets.
COMMA := ,
BUILD := build$(if $(SAN),-$(subst $(COMMA),-,$(SAN)))
PKGS  := libcurl libwebsockets libcjson libpq libavformat libavcodec libavfilter libavutil libswscale \
         libswresample libass libqrencode libsodium icu-uc icu-i18n fontconfig freetype2 harfbuzz libedit
WARN  := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
CFLAGS ?= -O2 -g
CFLAGS += -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
FLAGS := -std=gnu17 -D_GNU_SOURCE -I. -include core/base/banned.h $(shell pkg-config --cflags $(PKGS) 2>/dev/null) \
         $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -U_FORTIFY_SOURCE)
LIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lstdc++ -lm -lpthread -pie -Wl,-z,relro,-z,now
obj    = $(patsubst %.c,$(BUILD)/%.o,$(1))

HELPERS := adapters/speech/espeak_helper.c
LIB   := $(filter-out bot/main.c $(HELPERS),$(shell find bot core adapters -name '*.c'))
LIBXX := $(shell find core -name '*.cc')
TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/test_*.c))

all: $(BUILD)/nanotik $(BUILD)/nanotik-speak

$(BUILD)/nanotik: $(BUILD)/bot/main.o $(BUILD)/lib.a
	$(CC) $(FLAGS) $(CFLAGS) $^ $(LIBS) -o $@
$(BUILD)/nanotik-speak: $(BUILD)/adapters/speech/espeak_helper.o
	$(CC) $(FLAGS) $(CFLAGS) $^ -lespeak-ng -pie -Wl,-z,relro,-z,now -o $@
$(BUILD)/lib.a: $(call obj,$(LIB)) $(patsubst %.cc,$(BUILD)/%.o,$(LIBXX))
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(WARN) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -I. $(filter-out -include core/base/banned.h -std=gnu17,$(FLAGS)) -Wall -Wextra -Werror $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/core/db/db_migrate.o: $(wildcard schema/*.sql)
# tests/fixture_*.c: what several test programs share
$(BUILD)/fixtures.a: $(call obj,$(wildcard tests/fixture_*.c))
	rm -f $@ && $(AR) rcs $@ $^
$(TESTS): %: %.o $(BUILD)/fixtures.a $(BUILD)/lib.a
	$(CC) $(FLAGS) $(CFLAGS) $^ -lcmocka $(LIBS) -o $@

clean:
	rm -rf build build-*
.PHONY: all clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
