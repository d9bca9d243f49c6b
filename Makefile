# Everything a developer does, one word each. `make help` lists it.

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= python3
BUILD  := build/dev
ASAN   := build/asan
PYTEST := $(BIN)/python -m pytest
C_FILES = $(wildcard c_ext/*/*.[ch] tests/core/*.c tests/index/*.c tests/core/emulated/*.[ch] fuzz/*.c bench/*.c .ci/wasm/*.c)

# Without a C compiler, one from PyPI.
ifeq ($(shell command -v cc 2>/dev/null),)
  export CC := $(abspath $(BIN))/zig-cc
endif

# $(call need,COMMAND THAT SUCCEEDS WHEN IT IS THERE,DEBIAN PACKAGE): there, or installed, or one sentence.
need = { $(1); } >/dev/null 2>&1 || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(2) >/dev/null; } || \
	{ echo "sqlite_ann needs $(2), please install it (Debian, Ubuntu: sudo apt-get install $(2))" >&2; exit 1; }

# Debian 12 has 18, so that nothing is installed here.
need_node = node -e 'process.exit(+(parseInt(process.versions.node) < 20))' 2>/dev/null || \
	{ echo "sqlite_ann needs Node.js 20 or later for this, please install it" >&2; exit 1; }

.DEFAULT_GOAL := help
# Every target that `make help` lists is a name, never a file.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' Makefile)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 15

demo: $(VENV)/.demo ## neighbours of real songs (the first time, downloads 20 MB of them), and a page to hear them
	@$(BIN)/cmake --build $(BUILD) --target sqlite_ann
	$(BIN)/sqlite-ann demo
	@if [ -t 1 ]; then $(BIN)/sqlite-ann serve songs.db --port 0; fi

build: $(VENV)/.ready ## the package in .venv, the extension, and the core for its tests
	@$(BIN)/cmake --build $(BUILD) --target sqlite_ann core_test index_test

test: build ## all tests but those that need fetched data
	@$(call need,command -v sqlite3,sqlite3)
	$(PYTEST) -n 2 -m "not data"

# A taste of every layer; all of the quick ones together take most of a minute.
FAST := tests/test_layers.py tests/core/test_topk.py tests/core/test_idset.py tests/core/test_space.py \
	tests/python/test_vectors.py tests/sql/test_table.py
test-fast: build ## a taste of every layer, in less than ten seconds
	$(PYTEST) -n 2 -m "not data and not slow" -q $(FAST)

ZIG := build/zig
wheels: $(ZIG)/.ready ## the sources and a wheel for each platform into build/wheels, compiled by Zig (PLATFORMS= some)
	@$(call need,test -e /usr/include/sqlite3ext.h,libsqlite3-dev)
	$(ZIG)/bin/python .ci/wheels.py $(PLATFORMS)

# Where an emulator cannot be installed, its tests are skipped, and say so.
test-wheels: build wheels ## their files, pip's choice among them, and what each does where it can be run (qemu, musl, Wine)
	@$(call need,command -v dpkg-source && command -v tclsh,dpkg-dev tcl)
	-@$(call need,command -v qemu-aarch64-static,qemu-user-static)
	-@$(call need,test -d /usr/aarch64-linux-gnu && test -d /usr/arm-linux-gnueabihf && test -d /usr/riscv64-linux-gnu,\
		libc6-arm64-cross libc6-armhf-cross libc6-riscv64-cross)
	-@$(call need,test -e /lib/ld-musl-x86_64.so.1,musl)
	-@$(call need,test -x /usr/lib/wine/wine64,wine64)
	.ci/shells.sh
	$(ZIG)/bin/python -m pytest -q tests/wheels

# PINS= takes the newest of all, into an environment of its own.
PINS ?= tests/guests/requirements.txt
GUESTS := build/guests$(if $(PINS),,-newest)
test-guests: build $(GUESTS)/.ready ## the suites of LangChain, Haystack and others over our adapters, in an environment of their own
	$(GUESTS)/bin/python -m pytest -q -n 2 -o asyncio_mode=auto -o asyncio_default_fixture_loop_scope=function tests/guests

BROWSER := build/browser
test-page: build $(BROWSER)/.ready ## the page of `sqlite-ann serve` in a browser: notes, sound, map, bad input; pictures of it in build/page
	@$(call need,command -v chromium,chromium)
	$(BROWSER)/bin/python -m pytest -q tests/page

MAPS := build/map
test-map: build $(MAPS)/.ready ## maps by umap-learn itself, in an environment of its own (800 MB)
	$(MAPS)/bin/python -m pytest -q tests/python/test_map.py

test-faults: build ## full disks, lost memory, killed writers, damaged pages
	$(PYTEST) -n 2 tests/faults tests/sql/test_damage.py

test-kernels: build ## the inner loops, those of AVX-512 emulated where the CPU lacks it (x86-64)
	@$(call need,test -d /usr/include/simde,libsimde-dev)
	@$(BIN)/cmake --build $(BUILD) --target kernels_test core_emulated
	$(BUILD)/kernels_test avx2 avx512 avx512vnni
	SQLITE_ANN_CORE_TEST=$(abspath $(BUILD))/ann_core_emulated.so \
		$(PYTEST) -n 2 tests/core/test_kernel.py tests/core/test_sums.py tests/core/test_page.py

test-neon: ## the inner loops of 64-bit ARM, on any CPU (qemu)
	@$(call need,command -v aarch64-linux-gnu-gcc && test -d /usr/aarch64-linux-gnu/include,\
		gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
	@$(call need,command -v qemu-aarch64-static,qemu-user-static)
	@mkdir -p build/neon
	aarch64-linux-gnu-gcc -std=c11 -O2 -ftree-vectorize -fno-math-errno -ffp-contract=off -Wall -Wextra -Werror -static \
		-Ic_ext tests/core/kernels.c tests/core/alloc.c c_ext/core/*.c -lm -pthread -o build/neon/kernels_test
	qemu-aarch64-static build/neon/kernels_test neon

wasm: build $(BIN)/zig-cc ## SQLite's shell with the extension inside as WebAssembly, and its tests (needs node)
	@$(need_node)
	.ci/wasm/build $(abspath $(BIN))/zig-cc
	$(PYTEST) tests/wasm

npm: build ## packages for npm in build/npm, of the wheels in build/wheels (without: of the library for this machine)
	@$(need_node)
	$(BIN)/python .ci/npm/build.py build/wheels build/npm sqlite_ann/sqlite_ann.so

test-npm: npm ## these installed from a registry on this machine, and used in Node.js by its drivers
	node tests/npm/run.mjs . $(BIN)/python

deb: build ## a Debian package of the library for this machine, in build/deb
	@$(call need,command -v dpkg-shlibdeps,dpkg-dev)
	.ci/deb/build sqlite_ann/sqlite_ann.so

SECONDS_EACH ?= 30
fuzz: ## hostile pages, vectors and sets of ids, half a minute each (libFuzzer)
	@$(call need,command -v clang-14,clang-14 libclang-rt-14-dev)
	@mkdir -p build/fuzz/page.corpus
	@$(PYTHON) -c "import glob, sqlite3; [open(f'build/fuzz/page.corpus/{at}-{i}', 'wb').write(d) \
		for at, name in enumerate(sorted(glob.glob('tests/golden/*-grid.db'))) \
		for i, d in sqlite3.connect(name).execute('SELECT id, data FROM grid_pages')]"
	@set -e; for what in page vector bitmap; do \
		clang-14 -g -O1 -std=c11 -ffp-contract=off -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Ic_ext \
			fuzz/$$what.c fuzz/alloc.c c_ext/core/*.c -lm -lpthread -o build/fuzz/$$what; \
		mkdir -p build/fuzz/$$what.corpus; \
		build/fuzz/$$what -max_total_time=$(SECONDS_EACH) -max_len=20000 -artifact_prefix=build/fuzz/ build/fuzz/$$what.corpus; \
	done

asan: build ## all tests again, with assertions, address and undefined-behaviour sanitizers (needs gcc)
	@$(BIN)/cmake -S . -B $(ASAN) -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja -DCMAKE_C_COMPILER=gcc \
		-DANN_WERROR=ON -DANN_DEBUG=ON -DANN_SANITIZE=address,undefined,float-cast-overflow
	@$(BIN)/cmake --build $(ASAN) --target sqlite_ann core_test index_test
	LD_PRELOAD=$$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
	SQLITE_ANN_EXTENSION=$(abspath $(ASAN))/sqlite_ann SQLITE_ANN_CORE_TEST=$(abspath $(ASAN))/ann_core_test.so \
	SQLITE_ANN_INDEX_TEST=$(abspath $(ASAN))/ann_index_test.so \
		$(PYTEST) -n 2 -m "not data" --timeout 1200

format: $(VENV)/.ready ## lay out C and Python by the tools
	$(BIN)/clang-format -i $(C_FILES)
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

lint: $(VENV)/.ready ## what the tools object to
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)

bench: build $(VENV)/.bench ## ours and its peers side by side on real data: most of an hour (DATA=, PEERS= choose)
	$(BIN)/python bench/compare.py $(BENCH_CHOICE)

bench-quick: build $(VENV)/.bench ## a taste of it: 20,000 rows, six libraries, under five minutes
	$(BIN)/python bench/compare.py --quick $(BENCH_CHOICE)

bench-types: build $(VENV)/.bench ## the other element types and metrics beside the peers that have them: half an hour
	$(BIN)/python bench/compare.py --data text-float16 text-int8 text-bit sift-l1 $(BENCH_CHOICE)

bench-targets: build $(VENV)/.bench ## what the project promises of itself, each beside its target
	$(BIN)/python bench/targets.py

bench-life: build ## recall and speed after every life of a table: a good half hour (fetches data the first time)
	$(BIN)/python bench/data.py fetch text words sift fashion songs
	$(BIN)/python bench/life.py

bench-filter: build $(VENV)/.bench ## searches among some rows, in every form, beside what they could cost: some minutes
	$(BIN)/python bench/data.py fetch text
	$(BIN)/python bench/filter.py

bench-join: build $(VENV)/.bench ## joins of two tables and graphs of one, beside one search a row: some minutes
	$(BIN)/python bench/data.py fetch text songs
	$(BIN)/python bench/join.py

bench-many: build $(VENV)/.bench ## searches for many queries in one call, beside one by one: a minute
	$(BIN)/python bench/data.py fetch text
	$(BIN)/python bench/many.py

bench-kernels: ## nanoseconds of the inner loops (LENGTH=384)
	@mkdir -p build
	@$${CC:-cc} -std=c11 -O2 -ftree-vectorize -fno-math-errno -ffp-contract=off -Wall -Wextra -Ic_ext bench/kernels.c \
		c_ext/core/kernel*.c c_ext/core/sums*.c -lm -o build/bench_kernels
	build/bench_kernels $(LENGTH)

bench-report: $(VENV)/.bench ## the last `make bench` as curves and tables in docs/, in short in README.md
	$(BIN)/python bench/table.py
	$(BIN)/python bench/plot.py

BENCH_CHOICE = $(if $(DATA),--data $(DATA)) $(if $(PEERS),--peers $(PEERS))

bench-recall: build ## recall and speed on real data (fetches it the first time)
	$(BIN)/python bench/recall.py

clean: ## back to a fresh clone
	rm -rf build $(VENV) sqlite_ann/sqlite_ann.so sqlite_ann/sqlite_ann.dylib sqlite_ann/sqlite_ann.dll

# One virtual environment. Not isolated, so that the build folder stays good for `cmake --build`.
INSTALL = $(BIN)/python -m pip install -q --no-build-isolation --config-settings=build-dir=$(BUILD) \
	--config-settings=cmake.define.ANN_WERROR=ON

# What the demo needs, without the developers' tools.
$(VENV)/.demo: pyproject.toml Makefile
	@$(call need,$(PYTHON) -c "import ensurepip; import venv",python3-venv)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q "scikit-build-core>=1.0" cmake ninja
	@command -v cc >/dev/null || $(MAKE) --no-print-directory $(BIN)/zig-cc
	@$(call need,echo '#include <sqlite3ext.h>' | $${CC:-cc} -x c -E -,libsqlite3-dev)
	$(INSTALL) -e ".[demo]"
	@touch $@

$(VENV)/.ready: $(VENV)/.demo
	$(INSTALL) -e ".[dev,demo]"
	@touch $@

# The peers are for measuring only.  Two of them come as source, and say what builds them in ways that
# --no-build-isolation does not hear.
$(VENV)/.bench: $(VENV)/.ready
	$(BIN)/python -m pip install -q setuptools wheel pybind11 numpy
	$(INSTALL) -e ".[dev,demo,bench]"
	@touch $@

# The newest pip finds what fits together in a third of the time. A hundred packages come: what fails is tried once more.
GUESTS_NEED := numpy apsw pysqlite3 pytest pytest-timeout pytest-xdist sybil $(if $(PINS),-r $(PINS),\
	$$(sed -n 's/^\([a-z].*\)==.*/\1/p' tests/guests/requirements.txt))
$(GUESTS)/.ready: tests/guests/requirements.txt
	@test -x $(GUESTS)/bin/python || $(PYTHON) -m venv $(GUESTS)
	$(GUESTS)/bin/python -m pip install -q -U pip
	$(GUESTS)/bin/python -m pip install -q --no-compile $(GUESTS_NEED) || \
		{ sleep 10; $(GUESTS)/bin/python -m pip install -q --no-compile $(GUESTS_NEED); }
	@echo '$(CURDIR)' > $$($(GUESTS)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/sqlite_ann.pth
	@touch $@

# The driver alone: its own browsers are not fetched.
$(BROWSER)/.ready: tests/page/requirements.txt
	@test -x $(BROWSER)/bin/python || $(PYTHON) -m venv $(BROWSER)
	$(BROWSER)/bin/python -m pip install -q numpy apsw platformdirs pytest pytest-timeout -r tests/page/requirements.txt
	@echo '$(CURDIR)' > $$($(BROWSER)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/sqlite_ann.pth
	@touch $@

$(MAPS)/.ready: pyproject.toml
	@test -x $(MAPS)/bin/python || $(PYTHON) -m venv $(MAPS)
	$(MAPS)/bin/python -m pip install -q umap-learn matplotlib pyarrow numpy apsw pytest pytest-timeout
	@echo '$(CURDIR)' > $$($(MAPS)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/sqlite_ann.pth
	@touch $@

# What the wheels are made with, and tested with.
$(ZIG)/.ready: .ci/wheels.txt tests/wheels/requirements.txt
	@test -x $(ZIG)/bin/python || $(PYTHON) -m venv $(ZIG)
	$(ZIG)/bin/python -m pip install -q -r .ci/wheels.txt -r tests/wheels/requirements.txt
	@echo '$(CURDIR)' > $$($(ZIG)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/sqlite_ann.pth
	@touch $@

$(BIN)/zig-cc:
	$(BIN)/python -m pip install -q ziglang
	@printf '#!/bin/sh\nexec %s/python -m ziglang cc "$$@"\n' '$(abspath $(BIN))' > $@ && chmod +x $@
