# make test needs nothing but Go. make test-all adds the race detector, real
# servers, linters and the long tests. Tools are built into .tools, from tools.mod.

GO      ?= go
TOOLS   := $(CURDIR)/.tools
LINT    := $(TOOLS)/golangci-lint
OTELCOL := $(TOOLS)/collector
PROM    := $(TOOLS)/prometheus
FUZZ    ?= 30s

WEB     := $(TOOLS)/web/node_modules/.package-lock.json

COMPAT  := telemetry/internal/compat

.PHONY: help cost metricvet test test-all test-browser test-web web-vendor test-grafana test-deploy demo check check-release release-files sbom fmt tidy vet lint race compat mysql8 bench fuzz soak soak-server run clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | awk -F '\t' '{printf "  make %-14s %s\n", $$1, $$2}'

# Says what was left out in its last lines. Its module is in tools.mod.
GOTEST := $(GO) tool -modfile=tools.mod gotestsum --format pkgname-and-test-fails --format-hide-empty-pkg --hide-summary output --
# With less garbage collection the compiler needs a fifth less CPU time, and up to 200 MB more memory. A step of its
# own, because tests would inherit GOGC.
COMPILE := GOGC=400 $(GO) list -export -test
# Tests also wait: two packages at a time leave two CPUs idle for a third of the time.
AT_ONCE := $(if $(filter 2,$(shell getconf _NPROCESSORS_ONLN 2>/dev/null)),-p 3)
# The race detector watches all code but SQLite, translated from C, and the C library and allocator below it: they
# keep their data outside of Go's heap, where the detector sees nothing, and each access called it nevertheless, which
# made the tests take three times as long. SQLite's driver is watched, so races about what is given to SQLite are found.
UNWATCHED := modernc.org/sqlite/lib modernc.org/libc/... modernc.org/memory
WATCH  := -race $(UNWATCHED:%=-gcflags=%=-race=false)

test: fmt tidy ## format, go.mod, import rules, and the tests that need nothing but Go
	@echo "compiling (minutes the first time)"
	@$(COMPILE) ./... >/dev/null
	$(GOTEST) -vet=off $(AT_ONCE) ./...
	@echo "What is skipped needs real servers, Chromium or more time: make test-all and make test-browser run it."

test-all: check lint race compat mysql8 ## linters, and the tests with the race detector and real servers

check: fmt tidy vet metricvet ## format, go.mod, go vet and metrics' conflicts: linters that need nothing but Go

fmt: ## fails where gofmt would change something
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi

tidy: ## fails where go mod tidy would change something
	$(GO) mod tidy -diff

vet:
	$(GO) vet ./...

metricvet: ## metrics that conflict, and names in dashboards and rules that no code emits
	$(GO) run ./cmd/metricvet -dashboards deploy/grafana/dashboards -rules 'deploy/prometheus/rules/*.yml' -external 'prometheus_.*' ./...

lint: $(LINT)
	$(LINT) run ./...

race: ## the tests, with the race detector, which needs a C compiler, and real servers beside them
	@command -v gcc >/dev/null || command -v clang >/dev/null || .ci/install gcc libc6-dev
	@for p in zsh fish mandoc curl jq; do command -v $$p >/dev/null || .ci/install $$p; done; command -v groff >/dev/null || .ci/install groff-base || true
	@CGO_ENABLED=1 $(COMPILE) $(WATCH) ./... >/dev/null
	CGO_ENABLED=1 .ci/services run $(GOTEST) -vet=off $(WATCH) -timeout 15m ./...

compat: $(OTELCOL) ## before Prometheus's own parser and a real collector; a module of its own, for its dependencies
	cd $(COMPAT) && $(GO) vet ./... && IM_TEST_COLLECTOR=$(OTELCOL) $(GO) test ./...

mysql8: ## the store's statements before MySQL 8's grammar; a module of its own, for its dependencies
	cd server/sqlstore/mysql8 && $(GO) mod tidy -diff && $(GO) vet . && \
	  $(CURDIR)/.ci/services run $(GO) test -count=1 -skip /AppendUnderConcurrency ./... # which asks how soon

test-browser: $(WEB) ## the web client (on two nodes, too), the admin console, and two Chromium pages that call each other; not in test-all, for the 414 MB that it installs on Debian
	@command -v chromium >/dev/null || .ci/install chromium
	IM_TEST_CHROMIUM=$$(command -v chromium) IM_TEST_AXE=$(TOOLS)/web/node_modules/axe-core/axe.min.js \
	  .ci/services run $(GO) test -count=1 -v -run 'TestBrowser' ./server ./server/web ./server/admin

test-web: web-vendor ## the types of the pages, by TypeScript; not in test-all, for it needs node and npm
	$(TOOLS)/web/node_modules/.bin/tsc -p server/page/npm/web.json
	$(TOOLS)/web/node_modules/.bin/tsc -p server/page/npm/admin.json

web-vendor: $(WEB) ## fetches the pages' libraries again, and compares; says how to take others over
	server/page/npm/vendor $(TOOLS)/web $(TOOLS)/web/vendored
	@for layer in kit plot; do diff -rq $(TOOLS)/web/vendored/$$layer/vendor server/page/$$layer/vendor || { \
	  echo "server/page/$$layer/vendor is not what server/page/npm/package-lock.json names. After a change of that file:"; \
	  echo "  server/page/npm/vendor .tools/web server/page"; exit 1; }; done

GRAFANA := $(TOOLS)/grafana

test-grafana: ## the dashboards before Grafana's own types; not in test-all, for it needs node and npm
	@mkdir -p $(GRAFANA)
	cp deploy/grafana/schema/* $(GRAFANA)
	cd $(GRAFANA) && npm install --silent --no-audit --no-fund && tar xzf $$(npm pack --silent @grafana/data@13.2.3)
	cd $(GRAFANA) && node check.mjs $(CURDIR)/deploy/grafana/dashboards

test-deploy: ## compose files, manifests, Dockerfile, systemd's unit; not in test-all, for what a second build of the server and Kubernetes's types cost
	@command -v systemd-analyze >/dev/null || .ci/install systemd || true # without it, its tests are left out
	cd deploy/check && $(GO) mod tidy -diff && $(GO) vet ./... && $(GO) test -count=1 -timeout 20m ./...

demo: ## production's topology as processes, with traffic, until Ctrl-C
	@deploy/demo/demo

bench: ## the two paths where speed matters: recording, and sending
	.ci/services run $(GO) test -run '^$$' -bench . -benchmem ./telemetry/... ./server/...

cost: ## CPU time a message with telemetry and without, at several rates; takes a quarter of an hour
	server/cost.sh

fuzz: ## every fuzz target, 30 s each, or FUZZ=5m
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZ) $$pkg || exit 1; \
	  done; done

SOAK ?= 1h
soak: ## goroutines that record, bind, finish, scrape and push at once, for an hour or SOAK=5m, under the race detector
	SOAK=$(SOAK) $(GO) test -race -timeout 0 -count 1 -run '^TestSoak$$' ./telemetry

soak-server: ## nodes, database, Redis and S3 killed at random and clocks set wrong under load, for an hour or SOAK=5m; SOAK_VISITORS=10000 connections that come and go
	SOAK=$(SOAK) .ci/services run $(GO) test -timeout 0 -count 1 -v -run '^TestSoak$$' ./cmd/imserver

release-files: ## the manual page and completions that a release holds
	@mkdir -p bin/release/completion
	$(GO) build -o bin/release/.imserver ./cmd/imserver
	bin/release/.imserver man >bin/release/imserver.1
	$(GO) build -o bin/release/.imadmin ./cmd/imadmin
	for shell in bash fish zsh; do for program in imserver imadmin; do \
	  bin/release/.$$program completion $$shell >bin/release/completion/$$program.$$shell || exit 1; done; done

RELEASER := $(TOOLS)/goreleaser
SBOM     := $(TOOLS)/cyclonedx-gomod

check-release: $(RELEASER) ## .goreleaser.yaml by goreleaser itself; not in test, for it takes ten minutes to build
	$(RELEASER) check

sbom: $(SBOM) ## what imserver is made of, with licences, as CycloneDX
	@mkdir -p bin
	$(SBOM) app -json -licenses -main cmd/imserver -output bin/imserver.cdx.json .

run:
	@echo "compiling (one to three minutes the first time, seconds from then on)"
	@$(GO) run ./cmd/imserver

clean:
	rm -rf $(TOOLS) bin

# Built, not `go run`: its hundreds of packages would be linked at every call.
$(LINT): tools.mod tools.sum
	@mkdir -p $(TOOLS)
	@echo "building golangci-lint (once, a few minutes)"
	$(GO) build -modfile=tools.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# The versions are the last that Go 1.26 builds.
$(RELEASER):
	GOBIN=$(TOOLS) $(GO) install github.com/goreleaser/goreleaser/v2@v2.16.0

$(SBOM):
	GOBIN=$(TOOLS) $(GO) install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

# npm ci takes what package-lock.json names, and compares the hashes in it.
$(WEB): server/page/npm/package.json server/page/npm/package-lock.json
	@mkdir -p $(TOOLS)/web
	cp server/page/npm/package.json server/page/npm/package-lock.json $(TOOLS)/web
	cd $(TOOLS)/web && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

.tools/collector: $(OTELCOL)

$(OTELCOL): .ci/collector/main.go .ci/collector/go.mod .ci/collector/go.sum
	@mkdir -p $(TOOLS)
	@echo "building an OpenTelemetry Collector (once, a few minutes)"
	flock $(TOOLS) $(GO) build -C .ci/collector -o $@ .
	@touch $@

.tools/prometheus: $(PROM)

# With promtool and amtool beside it, and without what finds targets in clouds.
$(PROM): .ci/prometheus/go.mod .ci/prometheus/go.sum
	@mkdir -p $(TOOLS)
	@echo "building Prometheus and its tools (once, a few minutes)"
	flock $(TOOLS) $(GO) build -C .ci/prometheus -tags remove_all_sd,slicelabels -ldflags '-s -w' -o $(TOOLS)/ tool
	@touch $@
