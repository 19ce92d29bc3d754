"""CTranslate2 behind a plain server, every request alone: `python -m serve.ct2_alone FILE`.

As LibreTranslate does it: a request goes to a thread of a pool, which calls translate_batch with
it; as many are translated at once as there are cores. It reads and answers /v1/translate as
`heed serve` does, as far as the clients of the benchmark need it.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import uvicorn
from serve.ct2 import Foreign, told
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

THREADS = 4
"""Of the pool for every core: two of them wait while one translates."""


def application(foreign: Foreign) -> Starlette:
    """Return the application."""
    pool = ThreadPoolExecutor(THREADS * foreign.cores, "translate")

    async def translate(request: Request) -> JSONResponse:
        asked: dict[str, Any] = await request.json()
        work = partial(foreign.translate, asked["texts"], asked.get("to"), asked["beam"])
        found = await asyncio.get_running_loop().run_in_executor(pool, work)
        return JSONResponse({"translations": [{"text": text} for text in found]})

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/v1/translate", translate, methods=["POST"]),
            Route("/health", health),
            Route("/ready", health),
        ]
    )


def main() -> None:
    """Serve on a free port until SIGTERM."""
    app = application(Foreign(told()))
    # asyncio sends without delay only where the protocol is named.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(app, http="h11", loop="asyncio", ws="none", log_config=None)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
