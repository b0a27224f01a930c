# Python of an environment with the extras `test` and `bench`.
PYTHON ?= python
# Images of the large generated file; 118287 is COCO train2017.
COCO_IMAGES ?= 118287

RESULTS = build/benchmarks.json

.PHONY: bench
bench:
	mkdir -p build
	$(PYTHON) -m pytest bench --benchmark-enable --coco-images $(COCO_IMAGES) --benchmark-json=$(RESULTS)
	$(PYTHON) bench/report.py $(RESULTS)
