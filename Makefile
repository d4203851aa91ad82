# orla: `make demo` shows it, `make test` tests it, on a bare Debian machine.
# `make && make install && make installcheck` is for packagers and needs no
# more than a compiler, PostgreSQL's server headers, OpenSSL's and libargon2's.

EXTENSION  = orla
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

# The module.
MODULE_big = $(EXTENSION)
OBJS       = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
PG_CFLAGS  = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare $(if $(WERROR),-Werror)
PG_CPPFLAGS = $(shell curl-config --cflags)
SHLIB_LINK = -lcrypto -largon2 $(shell curl-config --libs)

# The scripts: sql/install/NN_*.sql, in the order of their numbers, is the
# install script.  The pages of sql/pages become functions before the parts that
# check and guard what was made.
PARTS      = $(sort $(wildcard sql/install/*.sql))
LAST_PARTS = $(filter sql/install/89_% sql/install/9%,$(PARTS))
PAGES      = $(wildcard sql/pages/*)
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DATA       = $(wildcard sql/upgrade/$(EXTENSION)--*--*.sql) share/orla_extract.py

# The tests: sql/NAME.sql is compared with expected/NAME.out.
REGRESS        = $(basename $(notdir $(sort $(wildcard sql/*.sql))))
IN_DATABASE    = --encoding=UTF8 --no-locale --load-extension=pgcrypto --load-extension=$(EXTENSION)
REGRESS_OPTS   = $(IN_DATABASE)
ISOLATION      = $(basename $(notdir $(sort $(wildcard test/isolation/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test/isolation $(IN_DATABASE)

# These need no PGXS, and install it where it is missing.
OWN_GOALS = demo demo-stop docs test bench fuzz check-leaks lint
ifeq ($(filter $(OWN_GOALS),$(MAKECMDGOALS)),)

PG_CONFIG ?= pg_config
PGXS      := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) does not run: install PostgreSQL's server headers, or name another with PG_CONFIG=…)
endif
include $(PGXS)

# Debian's PGXS is built without dependency tracking.
$(OBJS): $(wildcard src/*.h)

$(EXTENSION)--$(EXTVERSION).sql: $(PARTS) $(PAGES) $(EXTENSION).control
	{ cat $(filter-out $(LAST_PARTS),$(PARTS)) && sql/pages/assemble && cat $(LAST_PARTS); } > $@.tmp
	mv $@.tmp $@

endif

.PHONY: $(OWN_GOALS)
demo:
	@test/bootstrap demo
	@test/demo
demo-stop:
	@test/demo stop
# docs/api.md, of the comments in the database.
docs:
	@test/bootstrap build
	@test/docs/refresh

test:
	@test/bootstrap test
	@test/run $(PARTS_OF_TEST)
lint:
	@test/run lint
bench:
	@test/bootstrap test
	@test/bench/run $(BENCH)
check-leaks:
	@test/bootstrap leaks
	@test/leaks $(LEAKS)

# Invented input for everything that reads what others wrote: make fuzz,
# make fuzz FUZZ=600 (seconds), make fuzz FUZZ='--runs 10000000'.
fuzz:
	@test/bootstrap test
	@test/fuzz/run $(FUZZ)
