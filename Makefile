# Every target is one line here; what it does sits in scripts/.
.PHONY: test lint
test:
	@scripts/test
lint:
	@scripts/test fmt clippy web-lint
