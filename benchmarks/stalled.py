"""Clients that stall: do others still get their pages, and what memory does it take?

Serves a bank of 5,000 questions as `manage.py serve` does. N connections begin a
request, send half a form, or ask for an export and never read it; meanwhile other
pages are asked for. Prints latencies, and the memory of all the server's processes.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

FORM = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nname=E"
STALLS = {
    "nothing": "",
    "half a request": "GET / HTTP/1.1\r\nHost: {host}\r\n",
    "half a form": f"POST /login HTTP/1.1\r\nHost: {{host}}\r\n{FORM}",
    "a download": "GET /export/bank.json HTTP/1.1\r\nHost: {host}\r\n\r\n",
}


def main(count: int) -> None:
    """Let `count` clients stall in each way, one way after the other."""
    from generated import bank
    from imports import served

    with tempfile.TemporaryDirectory() as name:
        os.environ["CMS_DATABASE_URL"] = f"sqlite:///{name}/bank.db"
        os.environ["CMS_SECRET_KEY"] = "a secret of a benchmark, of enough characters"
        path = Path(name) / "bank.json"
        path.write_bytes(bank(5_000))
        for words in (["db", "upgrade"], ["import", str(path), "--publish", "--force"]):
            command = [sys.executable, str(ROOT / "manage.py"), *words]
            subprocess.run(command, check=True, capture_output=True)
        for kind, request in STALLS.items():
            with served() as url:
                _stall(url, count, kind, request)


def _stall(url: str, count: int, kind: str, request: str) -> None:
    from imports import Readers, peak, processes

    host = urlsplit(url)
    asked = request.format(host=host.netloc).encode()
    # The first to ask for an export waits until it is written.
    urllib.request.urlopen(f"{url}/export/bank.json", timeout=60).close()
    before = peak(processes("manage.py serve"))
    stalled = []
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host.hostname or "", host.port or 0))
        connection.sendall(asked)
        stalled.append(connection)
    # Until what the system keeps for each client is full.
    time.sleep(15)
    with Readers(url) as others:
        time.sleep(5)
    after = peak(processes("manage.py serve"))
    print(f"{count} times {kind}: {others.told()}; {before} MB before, {after} MB with them")
    for connection in stalled:
        connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) == 2 else 500)
