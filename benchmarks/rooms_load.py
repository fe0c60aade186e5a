"""A full lecture hall: how long a participant of a room waits for the acknowledgement, and what the server holds.

    python benchmarks/rooms_load.py [--participants 200] [--seconds 30] [--every 2] [--redis URL]

Starts `fervid serve` on a free loopback port, makes a pulse room, connects its host and everybody, and lets each send
every two seconds, at moments of their own. One message in ten seconds is counted, the others are acknowledged as
already counted: they take the same way. Times are from just before a message is sent to when its acknowledgement is
read, in this one process, so they include its own delays. The server's processor time is what a busy machine changes
least. Memory is its resident set (Linux), with the networks for photos loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import websockets

CHOICES = ("lost", "slow_down", "fine", "fine", "fine", "speed_up", None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=2.0)
    parser.add_argument("--redis", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fervid", "serve", "--port", "0", "--data-dir", folder]
        command += ["--redis", arguments.redis] if arguments.redis else []
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert server.stderr is not None
            line = server.stderr.readline()
            found = re.search(r"http://\S+", line)
            if found is None:
                sys.exit(f"the server did not start: {line}")
            asyncio.run(measure(found[0], server.pid, arguments))
        finally:
            server.terminate()
            server.wait(20)


async def measure(address: str, pid: int, arguments: argparse.Namespace) -> None:
    load = os.getloadavg()[0]
    room = make_room(address)
    socket_address = f"{address.replace('http', 'ws', 1)}/ws/rooms/{room['room']['id']}"
    print(
        f"{arguments.participants} participants, each every {arguments.every:g} s for {arguments.seconds:g} s; ", end=""
    )
    print(f"load of the machine before: {load:.1f} on {os.cpu_count()} cores")
    print(f"server: {read_memory(pid):.0f} MB at the start", end="", flush=True)
    rows: list[dict[str, Any]] = []
    times: list[float] = []
    counted: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(websockets.connect(f"{socket_address}/host", compression=None))
        await host.send(json.dumps({"type": "host", "key": room["key"]}))
        reader = asyncio.create_task(read_rows(host, rows))
        began = time.perf_counter()
        sockets = []
        for _ in range(arguments.participants):
            sockets.append(await join(stack, socket_address, room["room"]["code"]))
        print(
            f", {read_memory(pid):.0f} MB with everybody in ({time.perf_counter() - began:.1f} s)", end="", flush=True
        )
        spent = read_processor(pid)
        end = time.perf_counter() + arguments.seconds
        await asyncio.gather(*(take_part(each, arguments.every, end, times, counted) for each in sockets))
        print(f", {read_memory(pid):.0f} MB at the end, {read_memory(pid, 'VmHWM'):.0f} MB at most")
        spent = read_processor(pid) - spent
        reader.cancel()
    times.sort()
    quantiles = statistics.quantiles(times, n=100)
    print(f"{len(times)} acknowledged: ", end="")
    for name, value in (("median", quantiles[49]), ("p95", quantiles[94]), ("p99", quantiles[98]), ("max", times[-1])):
        print(f"{name} {1000 * value:.1f} ms", end=", ")
    print(", ".join(f"{count} {name}" for name, count in sorted(counted.items())))
    print(f"server: {1000 * spent / len(times):.2f} ms of processor time per message")
    most = max((row["contributors"] for row in rows), default=0)
    print(f"host: {len(rows)} rows, {most} contributors at most")


def make_room(address: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{address}/api/v1/rooms", b'{"title": "load"}', {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        return dict(json.load(answer))


async def join(stack: AsyncExitStack, address: str, code: str) -> websockets.ClientConnection:
    socket = await stack.enter_async_context(websockets.connect(address, compression=None))
    await socket.send(json.dumps({"type": "join", "code": code, "token": secrets.token_urlsafe(16)}))
    while json.loads(await socket.recv())["type"] != "welcome":
        pass
    return socket


async def take_part(
    socket: websockets.ClientConnection, every_s: float, end: float, times: list[float], counted: dict[str, int]
) -> None:
    await asyncio.sleep(random.uniform(0, every_s))
    while time.perf_counter() < end:
        began = time.perf_counter()
        await socket.send(json.dumps({"type": "pulse", "choice": random.choice(CHOICES)}))
        while True:
            answer = json.loads(await socket.recv())
            if answer["type"] == "ack":
                break
        times.append(time.perf_counter() - began)
        counted[answer["counted"]] = counted.get(answer["counted"], 0) + 1
        await asyncio.sleep(max(0.0, began + every_s - time.perf_counter()))


async def read_rows(host: websockets.ClientConnection, rows: list[dict[str, Any]]) -> None:
    async for text in host:
        message = json.loads(text)
        if message["type"] == "row":
            rows.append(message["row"])


def read_processor(pid: int) -> float:
    """Time that the processor gave a process, s."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def read_memory(pid: int, field: str = "VmRSS") -> float:
    """Of a process, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * 1024 / 1e6  # type: ignore[index]


if __name__ == "__main__":
    main()
