# `make help` lists the targets. Each creates .venv first if it is missing: PYTHON is the interpreter
# for that, and pip's own environment variables apply.

PYTHON ?= python3
# The folder of the MNIST stroke sequences for `make digits`; null generates digits of that form.
DATA ?= $(if $(wildcard data/mnist_strokes),data/mnist_strokes,null)
# Of all chances of `make campaign`.
SEED ?= 1
RUN := demo-$(shell date +%Y%m%d-%H%M%S)
# AVX2=1 computes as on a processor with AVX2 alone, as in `make test AVX2=1`. Kernels are compiled
# for it; torch, oneDNN and MKL (on Intel's processors; for AMD's it has no more) are told so.
ifdef AVX2
AVX2_FLAGS := -mno-avx512f
export ONLINE_HANDWRITING_CFLAGS = $(AVX2_FLAGS)
export ATEN_CPU_CAPABILITY = avx2
export ONEDNN_MAX_CPU_ISA = AVX2
export MKL_ENABLE_INSTRUCTIONS = AVX2
endif

# Succeeds if a suitable PyTorch is installed, and prints its folder.
FIND_TORCH := import pathlib, torch; \
	assert tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 10); \
	print(pathlib.Path(torch.__file__).parents[1])
IS_NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11, 4))

# What is installed if there is none; its hashes differ between the builds for CPUs and GPUs.
TORCH := torch==2.13.0

.PHONY: help install pins packages demo digits writer open_writer reader eye test quick campaign \
	sanitize lint engine web web-test package-networks

help:
	@echo "make install   create .venv with the requirements (the other targets do so if needed)"
	@echo "make pins      write requirements*.txt from pyproject.toml, by uv"
	@echo "make packages  build the wheels and source archives of both packages, in dist/"
	@echo "make demo      write a letter, train a small network and write with it (about 5 minutes)"
	@echo "make digits    train a network for each digit, and draw them (about 10 minutes);"
	@echo "               DATA=FOLDER has the MNIST stroke sequences, DATA=null generates digits"
	@echo "make writer    train a writer that is told the hand (hours without a GPU)"
	@echo "make open_writer  train a writer on open data, then thrice on its best words (some 13 hours)"
	@echo "make reader    train a reader on composed lines, then on the world's pens (some 7 hours)"
	@echo "make eye       train a reader of pictures (about 5 hours; docs/data.md names its data)"
	@echo "make test      run all tests, in parallel; APP=framework runs those that need no app,"
	@echo "               APP=notes those of apps/notes"
	@echo "make quick     run the fast tests, also with APP"
	@echo "make campaign  kill it, fail its disk, feed it hostile files, some 1,200 times;"
	@echo "               SEED=N chooses other trials"
	@echo "make sanitize  test the compiled kernels under address and undefined-behaviour sanitizers"
	@echo "               (about 5 minutes)"
	@echo "make engine    compile the library in C that reads and writes: engine/README.md"
	@echo "make web       compile the engine of the page and make its networks;"
	@echo "               the page: python experiments.py web"
	@echo "make web-test  test the page in Chromium and its engine in Node.js (about 2 minutes)"
	@echo "make lint      check style, format, types and import directions"

install: .venv/installed

# With the hashes of the files for all systems. Versions that fit stay; a file that you remove gets
# the newest ones. PyTorch is installed apart; rmscene works with any packaging.
PIN := uv pip compile -q --universal -p 3.11 --generate-hashes --custom-compile-command "make pins" \
	pyproject.toml
pins:
	@echo torch | $(PIN) --extra train --excludes - -o requirements.txt
	@echo packaging | $(PIN) --extra dev --extra remarkable --overrides - -c requirements.txt \
		-o requirements-dev.txt

# Without the network: setuptools is there, as PyTorch needs it.
BUILD := .venv/bin/python -m build --no-isolation --outdir dist
packages: .venv/installed-dev
	@rm -rf build dist/research
	@$(BUILD) .
	@.venv/bin/python online_handwriting/build.py dist/research
	@$(BUILD) dist/research
	@rm -rf build dist/research online_handwriting.egg-info

demo: .venv/installed
	@.venv/bin/python experiments.py page docs/letter.txt --style slanted \
		--output saved/figures/$(RUN)/letter.png
	@echo
	@echo "That was a letter, by a pretrained network. Now a new one is trained:"
	@echo
	@.venv/bin/python train.py -c configs/conditional.json --run-id $(RUN)
	@.venv/bin/python experiments.py write -r saved/models/conditional/$(RUN)/model_best.pth \
		--text "Dear Anna" --text "The ink is blue" --text "made of points" \
		--text "pen and paper" --text "How are you?" \
		--num-samples 4 --bias 0.7 --output saved/figures/$(RUN)
	@echo
	@echo "Look at what it writes: saved/figures/$(RUN)/conditional.png"
	@echo "The letter:             saved/figures/$(RUN)/letter.png"
	@echo "See how it learned:     .venv/bin/python -m tensorboard.main --logdir saved/log"
	@echo "Write your own text:    .venv/bin/python experiments.py write" \
		"-r saved/models/conditional/$(RUN) --text 'Your words' --set show=window"
	@echo "Train another network:  .venv/bin/python train.py -c configs/unconditional.json"

DIGITS := saved/models/mnist_single_digit

digits: .venv/installed
	@for digit in 0 1 2 3 4 5 6 7 8 9; do \
		if [ -e $(DIGITS)/$$digit/run.json ]; \
			then .venv/bin/python train.py -r $(DIGITS)/$$digit; \
			else .venv/bin/python train.py -c configs/mnist_single_digit.json \
				--run-id $$digit -o data_loader.args.dataset.args.digit=$$digit \
				-o "data_loader.args.dataset.args.root=$(DATA)"; \
		fi || exit; \
	done
	@.venv/bin/python experiments.py write -r $(DIGITS)/[0-9]/model_best.pth

writer: .venv/installed
	@.venv/bin/python apps/datasets/describe.py configs/writer.json
	@.venv/bin/python train.py -c configs/writer.json

LEGIBLE := .venv/bin/python apps/datasets/legible.py configs/open_writer.json
AGAIN := .venv/bin/python train.py -c configs/open_writer_again.json
SOURCES := data_loader.args.sources

open_writer: .venv/installed
	@.venv/bin/python train.py -c configs/open_writer.json --run-id composed
	@$(LEGIBLE) -r saved/models/open_writer/composed --output data/legible/1
	@$(AGAIN) -r saved/models/open_writer/composed --run-id once \
		-o $(SOURCES).legible_1.args.fractions=null -o $(SOURCES).legible_2=null
	@$(LEGIBLE) -r saved/models/open_writer_again/once --hands 292 --seed 1 --output data/legible/2
	@$(AGAIN) -r saved/models/open_writer_again/once --run-id twice
	@$(LEGIBLE) -r saved/models/open_writer_again/twice --hands 480 --lines 56 --signs 0.25 --seed 2 \
		--output data/legible/3
	@$(AGAIN) -r saved/models/open_writer_again/twice --run-id thrice --lr 0.0012 --epochs 2 \
		-o '$(SOURCES).shaped={"type": "LegibleDataset", "args": {"root": "data/legible/3"}}' \
		$(foreach source,composed digits unipen,-o $(SOURCES).$(source)=null)

reader: .venv/installed
	@.venv/bin/python train.py -c configs/proofreader.json --run-id composed
	@.venv/bin/python train.py -c configs/reader.json -r saved/models/proofreader/composed \
		--run-id pens --epochs 6 --lr 0.0007 -o lr_scheduler.args.pct_start=0.05

# Of all characters at once it learns blanks alone: strings of digits come first.
EYE := .venv/bin/python train.py -c configs/eye.json
STRINGS := {"digits": {"type": "UnipenDataset", "args": {"root": "data/unipen_digits"}}, "strings": \
	{"type": "PhrasesDataset", "args": {"dataset": "digits", "size": 16000, "characters_share": 1.0}}}

eye: .venv/installed
	@.venv/bin/python apps/datasets/damaged.py configs/eye.json --output data/readable.txt
	@$(EYE) --run-id digits --epochs 1 -o trainer.args.steps_per_epoch=1000 \
		-o trainer.args.monitor=null -o data_loader.args.augmentation=[] \
		-o '$(SOURCES)=$(STRINGS)' \
		$(foreach split,train valid test,-o 'data_loader.args.$(split)=["strings"]')
	@$(EYE) -r saved/models/eye/digits --run-id all -o data_loader.args.leave_out=data/readable.txt

APPS := framework datasets docs hand notes pages plugins web
ifneq ($(filter-out $(APPS),$(APP)),)
$(error APP=$(APP): there is no such app: one of $(APPS))
endif

test: .venv/installed-dev
	@.venv/bin/python -m pytest -q -n auto --dist worksteal $(if $(APP),-m $(APP))

quick: .venv/installed-dev
	@.venv/bin/python -m pytest -q -n auto --dist worksteal -m "not slow$(if $(APP), and $(APP))"

campaign: .venv/installed-dev
	@.venv/bin/python tests/faults --seed $(SEED)

# GCC's sanitizers, whose library has to be loaded before all others, the compiler's included.
sanitize: export ONLINE_HANDWRITING_CFLAGS = -O1 -g1 -fno-omit-frame-pointer \
	-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all $(AVX2_FLAGS)
sanitize: export CC = env -u LD_PRELOAD gcc
sanitize: export ASAN_OPTIONS = detect_leaks=0
sanitize: export PYTHONMALLOC = malloc
sanitize: RUN_SANITIZED := LD_PRELOAD="$$(gcc -print-file-name=libasan.so) libstdc++.so.6" .venv/bin/python
sanitize: .venv/installed-dev
	@$(RUN_SANITIZED) -c 'from model.layers.kernels import build, library; build.TIMEOUT = 1800.0; \
		exit(None in map(library.kernels, (False, True)))'
	@$(RUN_SANITIZED) -m pytest --capture=sys -k "not other_processors" \
		tests/model/layers/kernels/test_library.py tests/model/layers/kernels/test_decoder.py \
		tests/model/layers/test_paths.py tests/model/recognition/test_encoder.py \
		tests/model/generation/test_stepper.py

lint: .venv/installed-dev
	@.venv/bin/python -m ruff check
	@.venv/bin/python -m ruff format --check
	@.venv/bin/python -m mypy
	@.venv/bin/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

web-test: .venv/installed-dev
	@.venv/bin/python -m pytest -q -n 0 tests/apps/web tests/commands/test_web.py \
		tests/apps/web/test_flat_file.py

# The engine in C, for any program: engine/README.md. A C compiler suffices. On x86-64 the kernels
# are compiled for each kind of processor, and the library chooses among them when it runs.
ENGINE_BUILD ?= engine/build
ENGINE_CFLAGS ?= -O3
ENGINE_SOURCES := $(filter-out engine/kernel_%,$(wildcard engine/*.c))
ENGINE_KERNELS := $(wildcard engine/kernel_*.c)
ENGINE_HEADERS := $(wildcard engine/*.h model/layers/kernels/*.c) model/layers/kernels/step.h
ENGINE_LEVELS ?= $(if $(filter x86_64 amd64,$(shell uname -m)),avx2 avx512)
LEVEL_avx2 := -mavx2 -mfma
LEVEL_avx512 := -mavx512f -mfma
ENGINE_OBJECTS := $(ENGINE_SOURCES:engine/%.c=$(ENGINE_BUILD)/%.o) \
	$(ENGINE_KERNELS:engine/%.c=$(ENGINE_BUILD)/%.o) \
	$(foreach level,$(ENGINE_LEVELS),$(ENGINE_KERNELS:engine/%.c=$(ENGINE_BUILD)/%.$(level).o))
COMPILE = $(CC) -std=c17 $(ENGINE_CFLAGS) -fPIC -fvisibility=hidden -Wall -Wextra \
	-Wno-unknown-pragmas -Wno-unused-parameter $(if $(ENGINE_LEVELS),-DLEVELS)

engine: $(ENGINE_BUILD)/libhandwriting.so $(ENGINE_BUILD)/libhandwriting.a \
	$(ENGINE_BUILD)/handwriting.pc

$(ENGINE_BUILD)/libhandwriting.so: $(ENGINE_OBJECTS)
	$(CC) -shared $(ENGINE_CFLAGS) -o $@ $^ -lm

$(ENGINE_BUILD)/libhandwriting.a: $(ENGINE_OBJECTS)
	$(CC) -r -nostdlib -o $(ENGINE_BUILD)/all.o $^
	@# So that the engine takes none of a program's names; not there on every system.
	@if command -v objcopy >/dev/null; then objcopy --localize-hidden $(ENGINE_BUILD)/all.o; fi
	rm -f $@ && ar rcs $@ $(ENGINE_BUILD)/all.o

$(ENGINE_BUILD)/handwriting.pc: pyproject.toml | $(ENGINE_BUILD)
	@printf '%s\n' 'Name: handwriting' 'Description: Reads handwriting and writes text by hand' \
		"Version: $$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
		'Cflags: -I$(abspath engine)' 'Libs: -L$${pcfiledir} -lhandwriting' 'Libs.private: -lm' > $@

$(ENGINE_BUILD)/%.o: engine/%.c $(ENGINE_HEADERS) | $(ENGINE_BUILD)
	$(COMPILE) -c -o $@ $<

define LEVEL_RULE
$(ENGINE_BUILD)/%.$(1).o: engine/%.c $(ENGINE_HEADERS) | $(ENGINE_BUILD)
	$$(COMPILE) $(LEVEL_$(1)) -DLEVEL=_$(1) -c -o $$@ $$<
endef
$(foreach level,$(ENGINE_LEVELS),$(eval $(call LEVEL_RULE,$(level))))

$(ENGINE_BUILD):
	@mkdir -p $@

# clang and wasm-ld (Debian: clang, lld) compile the engine for the page.
ENGINE ?= apps/web/engine.wasm
EXPORTS := malloc free $(addprefix hw_,begin message free open about read_row find_rows begin_line \
	continue judge end_line hand_of describe hand_of_lines hand_of_line neat)

web: $(ENGINE) .venv/installed
	@PYTHONPATH=. .venv/bin/python -c 'from apps.web import site; site.make_networks()'

# `npm pack` calls this; the networks and the licence are in the package, and once in the repository.
package-networks: $(addprefix apps/web/networks/open_,writer.bin reader.bin)
	@cp LICENSE apps/web/LICENSE

apps/web/networks/open_%.bin: saved/pretrained/open_%.bin
	@mkdir -p apps/web/networks && cp $< $@

WASM := clang --target=wasm32 -msimd128 -mbulk-memory -std=c17 -nostdlibinc -ffreestanding \
	-Iapps/web/libc -Wall -Werror -Wno-unknown-pragmas

# The kernels are compiled for speed, the rest for size.
$(ENGINE): apps/web/engine.c $(ENGINE_SOURCES) $(ENGINE_KERNELS) $(ENGINE_HEADERS) \
		$(wildcard apps/web/libc/*.h)
	@folder=$$(mktemp -d) && trap 'rm -r "$$folder"' EXIT && \
	for file in apps/web/engine.c $(ENGINE_SOURCES) $(ENGINE_KERNELS); do \
		case $$file in */kernel_*) speed=-O3;; *) speed=-Os;; esac; \
		$(WASM) $$speed -c $$file -o "$$folder/$$(basename $$file .c).o" || exit 1; \
	done && wasm-ld --no-entry --strip-all -z stack-size=262144 \
		$(addprefix --export=,$(EXPORTS)) -o $@ "$$folder"/*.o

# An existing .venv is used, and so is a suitable PyTorch, in .venv or in the environment of
# $(PYTHON): that environment is then searched after .venv, through a .pth file.
.venv/installed: requirements.txt
	@if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then \
		$(PYTHON) -c '$(IS_NEW_ENOUGH)' || { \
			echo "Python 3.11.4 or newer is needed, and $(PYTHON) is older: name another one," \
				"like: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }; \
		$(PYTHON) -m venv .venv || exit 1; \
		if folder=$$($(PYTHON) -c '$(FIND_TORCH)' 2>/dev/null); then \
			echo "Keeping the PyTorch in $$folder"; \
			echo "$$folder" > "$$(.venv/bin/python -c \
				'import sysconfig; print(sysconfig.get_path("purelib"))')/pytorch.pth"; \
		fi; \
	fi
	@.venv/bin/python -c '$(IS_NEW_ENOUGH)' || { \
		echo "The Python of .venv is older than 3.11.4: remove .venv first" >&2; exit 1; }
	@.venv/bin/python -m pip install --require-hashes -r requirements.txt
	@if .venv/bin/python -c '$(FIND_TORCH)' >/dev/null 2>&1; then torch=torch; else torch=$(TORCH); fi; \
		.venv/bin/python -m pip install $$torch
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	@# The file is whole; without --no-deps, rmscene would ask for an older packaging.
	@.venv/bin/python -m pip install --no-deps --require-hashes -r requirements-dev.txt
	@touch $@
