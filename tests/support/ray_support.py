"""A Ray cluster of several nodes on this machine, nodes of which can be killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from ray.cluster_utils import Cluster

from tfdp_fast.distributed.relaying import environment, python_path


class RayCluster:
    """A head without CPUs, and nodes of one CPU each. To be used in the main thread."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.nodes: list[Any] = []

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add_node(self, **options: Any) -> None:
        """Add a node, which is there when this returns."""
        # Workers have the environment of their node, and find modules as this process does.
        with environment(PYTHONPATH=python_path()):
            self.nodes.append(self._cluster.add_node(**{"num_cpus": 1, **options}))

    def kill_node(self) -> None:
        """Kill all processes of the node that has been there longest, as a machine that fails does."""
        node = self.nodes.pop(0)
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        workers = raylet.children(recursive=True)
        raylet.kill()
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.kill()
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_head(self) -> None:
        """Kill the server of the head that knows all, and nothing else."""
        self._cluster.head_node.all_processes["gcs_server"][0].process.kill()


@contextmanager
def ray_cluster(nodes: int = 2) -> Iterator[RayCluster]:
    """Start a cluster, and stop it."""
    with environment(PYTHONPATH=python_path(), RAY_USAGE_STATS_ENABLED="0"):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        it = RayCluster(cluster)
        for _ in range(nodes):
            it.add_node()
        yield it
    finally:
        cluster.shutdown()
