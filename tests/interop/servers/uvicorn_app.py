"""Serves the corpus by sse-starlette under uvicorn, and the answers of an LLM server that fails."""

import asyncio
import json
import os

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

CORPUS = json.load(open(os.environ["CORPUS"]))
PACE = 0.01


async def events(request):
    start = int(request.headers.get("last-event-id", "0"))
    pause_after = int(request.query_params.get("pause_after", "0"))
    if start >= len(CORPUS):
        return Response(status_code=204)

    async def generate():
        for event in CORPUS[start:]:
            yield {key: value for key, value in event.items() if value is not None}
            await asyncio.sleep(PACE)
            if int(event["id"]) == pause_after and start < pause_after:
                await asyncio.sleep(30)

    return EventSourceResponse(generate(), ping=1)


async def quiet(request):
    """Sends one event, then only pings each second, then the rest."""
    start = int(request.headers.get("last-event-id", "0"))
    if start:
        return Response(status_code=204)

    async def generate():
        yield {"id": "1", "data": "before"}
        await asyncio.sleep(3.5)
        yield {"id": "2", "data": "after"}

    return EventSourceResponse(generate(), ping=1)


async def refuse(request):
    return PlainTextResponse("the database is away", status_code=503)


def chunk(token):
    choice = {"index": 0, "delta": {"content": token}}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


refused = set()


async def chat(request):
    """Answers as an OpenAI-compatible server. The model's name says what goes wrong."""
    model = (await request.json())["model"]
    if model == "busy" and model not in refused:
        refused.add(model)
        error = {"error": {"message": "rate limit reached"}}
        return JSONResponse(error, status_code=429, headers={"Retry-After": "1"})
    if model == "json":
        return JSONResponse({"error": {"message": "streaming is off"}})

    async def generate():
        for token in ["Because", " blue"]:
            yield chunk(token)
            await asyncio.sleep(PACE)
        if model == "error":
            yield f"data: {json.dumps({'error': {'message': 'out of memory'}})}\n\n"
        elif model == "broken":
            raise RuntimeError("broken in mid-answer")
        elif model == "busy":
            yield chunk(" light")
            yield "data: [DONE]\n\n"

    return StreamingResponse(generate(), media_type="text/event-stream")


app = Starlette(
    routes=[
        Route("/events", events, methods=["GET", "POST"]),
        Route("/quiet", quiet),
        Route("/refuse", refuse),
        Route("/v1/chat/completions", chat, methods=["POST"]),
    ]
)
