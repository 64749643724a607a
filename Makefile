# Every target is one line here; what it does sits in scripts/.
.PHONY: demo test build bench lint dev screenshots
demo:
	@scripts/demo
test:
	@scripts/test
build:
	@scripts/build
bench:
	@scripts/bench
	@scripts/footprint
lint:
	@scripts/test fmt clippy web-lint
dev:
	@scripts/dev
screenshots:
	@scripts/screenshots
