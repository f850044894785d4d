"""FastAPI as somebody who measures would set it up: the body taken raw, orjson both ways, waiting requests joined.

The engine runs on one thread of its own, so that the event loop goes on reading and printing; a batch is whatever came
while the one before was computed.
"""

import asyncio
import concurrent.futures
import contextlib

import fastapi
import numpy
import orjson

import feed_forward

BATCH_ROWS = 256


class Batcher:
    def __init__(self, layer):
        self.layer = layer
        self.line: asyncio.Queue = asyncio.Queue()
        self.thread = concurrent.futures.ThreadPoolExecutor(1)

    async def forward(self, x: numpy.ndarray) -> numpy.ndarray:
        answer = asyncio.get_running_loop().create_future()
        self.line.put_nowait((x, answer))
        return await answer

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self.line.get()]
            while not self.line.empty() and sum(x.shape[0] for x, _ in batch) < BATCH_ROWS:
                batch.append(self.line.get_nowait())
            rows = batch[0][0] if len(batch) == 1 else numpy.concatenate([x for x, _ in batch])
            output = await loop.run_in_executor(self.thread, self.layer, rows)
            first = 0
            for x, answer in batch:
                if not answer.cancelled():
                    answer.set_result(output[first:first + x.shape[0]])
                first += x.shape[0]


@contextlib.asynccontextmanager
async def lifespan(app: fastapi.FastAPI):
    app.state.batcher = Batcher(feed_forward.from_environment())
    task = asyncio.create_task(app.state.batcher.run())
    yield
    task.cancel()


app = fastapi.FastAPI(openapi_url=None, lifespan=lifespan)


@app.post("/v1/ffn")
async def ffn(request: fastapi.Request) -> fastapi.Response:
    x = numpy.asarray(orjson.loads(await request.body())["input"], dtype=numpy.float32)
    output = await request.app.state.batcher.forward(x)
    body = orjson.dumps({"output": numpy.ascontiguousarray(output)}, option=orjson.OPT_SERIALIZE_NUMPY)
    return fastapi.Response(body, media_type="application/json")
