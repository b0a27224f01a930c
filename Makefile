# Python of an environment with the extras `test` and `bench`.
PYTHON ?= python
# Images of the large generated file; 118287 is COCO train2017.
COCO_IMAGES ?= 118287
# Instances of the large tables; a tenth of them is measured as well.
RUN_INSTANCES ?= 20000000

RESULTS = build/benchmarks.json

.PHONY: bench
bench:
	mkdir -p build
	$(PYTHON) -m pytest bench --benchmark-enable --coco-images $(COCO_IMAGES) \
		--run-instances $(RUN_INSTANCES) --benchmark-json=$(RESULTS)
	$(PYTHON) bench/report.py $(RESULTS)
