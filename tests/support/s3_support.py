"""An object store that speaks S3, in a process of its own on the loopback interface.

It is moto's. As a program it serves until it is ended: ``python s3_support.py PORT FOLDER``. It writes what
it is asked for to ``FOLDER/log``, and refuses what contains the text in ``FOLDER/refused``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

PAGE = 100
"""Names in a page of a listing. S3 itself has 1,000."""


@dataclass
class Store:
    """A server, and a client of its bucket.

    Attributes
    ----------
    folder : Path
        What it logs, and what it is told to refuse.
    client : object
        boto3's.
    bucket : str
        Its only one.
    """

    folder: Path
    client: Any
    bucket: str = "bucket"

    def put(self, key: str, content: bytes) -> str:
        """Store an object; its address."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)
        return f"s3://{self.bucket}/{key}"

    def put_folder(self, prefix: str, folder: Path) -> str:
        """Store all files in a folder and below; the folder's address."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())
        return f"s3://{self.bucket}/{prefix}"

    def get(self, key: str) -> bytes:
        """The content of an object."""
        return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def empty(self) -> None:
        """Remove all objects."""
        for key in self.names():
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def names(self, prefix: str = "") -> list[str]:
        """The keys that begin like that."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    @contextlib.contextmanager
    def logged(self) -> Iterator[list[dict[str, Any]]]:
        """What is asked for in the block: method, address, bytes of the answer. There at its end."""
        log = self.folder / "log"
        before = log.stat().st_size if log.exists() else 0
        requests: list[dict[str, Any]] = []
        yield requests
        with log.open() as file:
            file.seek(before)
            requests += map(json.loads, file)

    @contextlib.contextmanager
    def refusing(self, text: str) -> Iterator[None]:
        """Refuse requests that have this in their address."""
        refused = self.folder / "refused"
        refused.write_text(text)
        yield
        refused.unlink()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Store]:
    """Serve, and let all libraries find it by the environment, in this process and in its children."""
    import boto3

    from tfdp_fast.distributed import storage

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with mock.patch.dict(os.environ, {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}):
        storage._from_arrow.cache_clear()
        with (folder / "errors").open("wb") as errors:
            command = [sys.executable, __file__, str(port), str(folder)]
            server = subprocess.Popen(command, stdout=errors, stderr=errors)
        try:
            _wait(port, server, folder)
            client = boto3.client("s3")
            client.create_bucket(Bucket=Store.bucket)
            yield Store(folder, client)
        finally:
            server.kill()
            server.wait()
            storage._from_arrow.cache_clear()


def _wait(port: int, server: subprocess.Popen[bytes], folder: Path) -> None:
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError((folder / "errors").read_text())


def _serve(port: int, folder: Path) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    application = DomainDispatcherApplication(create_backend_app)
    refused = folder / "refused"
    log = (folder / "log").open("a", buffering=1)

    def logged(environ: dict[str, Any], start_response: Any) -> Any:
        # As long as a page is not empty, a server may make it as short as it likes.
        environ["QUERY_STRING"] = environ["QUERY_STRING"].replace("max-keys=1000", f"max-keys={PAGE}")
        address = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        if refused.exists() and refused.read_text() in address:
            start_response("403 Forbidden", [("Content-Length", "0")])
            return [b""]

        def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            size = dict(headers).get("Content-Length", 0)
            entry = {"method": environ["REQUEST_METHOD"], "address": address, "bytes": int(size)}
            log.write(json.dumps(entry) + "\n")
            return start_response(status, headers, *more)

        return application(environ, started)

    run_simple("127.0.0.1", port, logged, threaded=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]))
