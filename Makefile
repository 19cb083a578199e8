SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tools are built once, outside the work tree, for these versions and this Go.
tools_version := $(shell (go env GOVERSION && cat hack/tools/go.sum hack/golangci-lint/go.sum) | git hash-object --stdin | cut -c 1-12)
tools := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cloudtask/tools-$(tools_version)
controller_gen := $(tools)/controller-gen
golangci_lint := $(tools)/golangci-lint

# Helm as its releases are linked: else Helm 3 renders for Kubernetes 1.20.
helm_at = $(shell sed -n 's|^.*$(1) v\([0-9.]*\).*|\1|p' hack/helm/go.mod)
helm_kubernetes := $(word 2,$(subst ., ,$(call helm_at,k8s.io/client-go)))
helm3_ldflags := -s -w -X helm.sh/helm/v3/internal/version.version=v$(call helm_at,helm.sh/helm/v3) \
	$(foreach p,pkg/chartutil pkg/lint/rules,-X helm.sh/helm/v3/$(p).k8sVersionMajor=1 -X helm.sh/helm/v3/$(p).k8sVersionMinor=$(helm_kubernetes))
helm4_ldflags := -s -w -X helm.sh/helm/v4/internal/version.version=v$(call helm_at,helm.sh/helm/v4)
helm_version := $(shell (go env GOVERSION && cat hack/helm/go.sum && echo "$(helm3_ldflags) $(helm4_ldflags)") | git hash-object --stdin | cut -c 1-12)
helm := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cloudtask/helm-$(helm_version)
helm3 := $(helm)/helm3
helm4 := $(helm)/helm4
helm_docs := $(helm)/helm-docs

modules := . hack/cluster hack/golangci-lint hack/helm hack/image hack/metrics/plot hack/tools

# The image: its version is that of the chart.
VERSION ?= $(shell sed -n 's/^appVersion: //p' charts/cloudtask/Chart.yaml)
IMAGE ?= cloudtask.dev/cloudtask:$(VERSION)
PLATFORMS ?= linux/amd64,linux/arm64

# Runs the rest of the line with the real etcd, kube-apiserver and kubectl.
with_assets = assets=$$(hack/assets.sh) && KUBEBUILDER_ASSETS=$$assets

# The kubectl on the PATH, else that of the tests.
kubectl = $$(command -v kubectl || echo "$$(hack/assets.sh)/kubectl")

##@ Try it

.PHONY: demo
demo: ## Run the operator against a simulated cloud; KEEP=1 leaves it running.
	@$(with_assets) KEEP=$(KEEP) go run ./hack/demo

.PHONY: run
run: install ## Run the operator in the cluster of KUBECONFIG, with the key in the environment.
	go run . manager --operator-credentials-namespaces='*' --metrics-bind-address=0

.PHONY: install
install: crd ## Install the CRD in the cluster of KUBECONFIG.
	$(kubectl) apply --server-side -f config/crd/bases

.PHONY: uninstall
uninstall: ## Remove the CRD, and with it every CloudTask, from the cluster of KUBECONFIG.
	$(kubectl) delete --ignore-not-found -f config/crd/bases

##@ Develop

.PHONY: build
build: ## Build bin/cloudtask.
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/cloudtask .

.PHONY: image
image: ## Write the image for PLATFORMS to bin/image.tar, an OCI archive.
	go -C hack/image run . -source $(CURDIR) -o $(CURDIR)/bin/image.tar -name $(IMAGE) -version $(VERSION) -platforms $(PLATFORMS)

.PHONY: test
test: $(helm3) $(helm4) ## Run the unit, API-server and chart tests.
	go -C hack/image test -race -shuffle=on ./...
	$(with_assets) HELM3=$(helm3) HELM4=$(helm4) go test -race -shuffle=on ./...

.PHONY: e2e
e2e: $(helm3) $(helm4) ## Test on a real node of Kubernetes (Linux, root); RUN=TestNode/failover picks.
	HELM3=$(helm3) HELM4=$(helm4) hack/e2e/run.sh $(if $(RUN),-test.run='$(RUN)')

.PHONY: observability
observability: ## Have a real Prometheus watch the operator: metrics, alerts, dashboard.
	$(with_assets) go test -tags observability -count=1 -v ./test/observability

.PHONY: bench
bench: ## Measure lag and load against a simulated cloud; some 25 minutes.
	$(with_assets) go run ./hack/bench -out docs/performance/results.json -report docs/performance.md
	go -C hack/bench/plot run . -in $(CURDIR)/docs/performance/results.json -out $(CURDIR)/docs/performance

.PHONY: bench-scale
bench-scale: ## Measure 100,000 objects; some 8 minutes.
	$(with_assets) go run ./hack/bench -scenario scale -report docs/performance.md

.PHONY: fmt
fmt: $(golangci_lint) ## Format the code.
	$(golangci_lint) fmt

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: lint
lint: $(golangci_lint) ## Run the linters of .golangci.yaml.
	$(golangci_lint) run --allow-parallel-runners

##@ Generate

.PHONY: generate
generate: $(controller_gen) ## Generate the deep-copy methods of the API.
	$(controller_gen) object paths=./api/...

.PHONY: crd
crd: $(controller_gen)
	$(controller_gen) crd paths=./api/... output:crd:dir=config/crd/bases

.PHONY: manifests
manifests: crd $(helm4) $(helm_docs) ## Generate the CRD, and from the chart its README, config/ and dist/.
	HELM=$(helm4) HELM_DOCS=$(helm_docs) hack/manifests.sh

.PHONY: docs
docs: ## Generate docs/metrics.md from the metrics.
	go run ./hack/metrics

.PHONY: dashboard
dashboard: ## Draw docs/dashboard.png from a run of some minutes.
	@mkdir -p bin
	$(with_assets) go test -tags observability -count=1 -run=TestOperator ./test/observability \
		-scrape=4m -objects=0 -results=$(CURDIR)/bin/dashboard.json
	go -C hack/metrics/plot run . -dashboard=$(CURDIR)/charts/cloudtask/files/dashboard.json \
		-results=$(CURDIR)/bin/dashboard.json -out=$(CURDIR)/docs/dashboard.png

.PHONY: tidy
tidy: ## Tidy every go.mod.
	@for m in $(modules); do echo "go -C $$m mod tidy"; go -C $$m mod tidy; done

.PHONY: verify
verify: generate manifests docs ## Check that what is generated is up to date and committed.
	@hack/verify.sh $(modules)

##@ Other

.PHONY: clean
clean: ## Remove what was built here; the cache in ~/.cache/cloudtask stays.
	rm -rf bin

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(controller_gen):
	@hack/progress.sh "Building controller-gen" go build -C hack/tools -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen

$(golangci_lint):
	@hack/progress.sh "Building golangci-lint" go build -C hack/golangci-lint -v -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(helm3):
	@hack/progress.sh "Building Helm 3" go build -C hack/helm -v -ldflags "$(helm3_ldflags)" -o $@ helm.sh/helm/v3/cmd/helm

$(helm4):
	@hack/progress.sh "Building Helm 4" go build -C hack/helm -v -ldflags "$(helm4_ldflags)" -o $@ helm.sh/helm/v4/cmd/helm

$(helm_docs):
	@hack/progress.sh "Building helm-docs" go build -C hack/helm -v -o $@ github.com/norwoodj/helm-docs/cmd/helm-docs
