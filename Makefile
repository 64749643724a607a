# Every target is one line here; what it does sits in scripts/.
.PHONY: test
test:
	@cargo test --workspace
