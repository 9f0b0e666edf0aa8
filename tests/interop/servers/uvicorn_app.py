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
    pace = float(request.query_params.get("pace", PACE))
    ping = int(request.query_params.get("ping", "1"))
    if start >= len(CORPUS):
        return Response(status_code=204)

    async def generate():
        for event in CORPUS[start:]:
            yield {key: value for key, value in event.items() if value is not None}
            await asyncio.sleep(pace)
            if int(event["id"]) == pause_after and start < pause_after:
                await asyncio.sleep(60)

    return EventSourceResponse(generate(), ping=ping)


async def quiet(request):
    """Sends one event, then only pings each second, then the rest."""
    start = int(request.headers.get("last-event-id", "0"))
    if start:
        return Response(status_code=204)

    async def generate():
        yield {"id": "1", "data": "before"}
        await asyncio.sleep(5.5)
        yield {"id": "2", "data": "after"}

    return EventSourceResponse(generate(), ping=1)


async def refuse(request):
    return PlainTextResponse("the database is away", status_code=503)


def chunk(token):
    choice = {"index": 0, "delta": {"content": token}}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


refused = set()


def refusal(model, overloaded):
    """Returns the answer to a request that is refused, or None. The model's name says which."""
    if model == "busy" and overloaded not in refused:
        refused.add(overloaded)
        error = {"type": "rate_limit_error", "message": "rate limit reached"}
        status = 529 if overloaded else 429
        return JSONResponse({"error": error}, status_code=status, headers={"Retry-After": "1"})
    if model == "json":
        return JSONResponse({"error": {"message": "streaming is off"}})
    return None


async def chat(request):
    """Answers as an OpenAI-compatible server. The model's name says what goes wrong."""
    model = (await request.json())["model"]
    if refused_with := refusal(model, overloaded=False):
        return refused_with

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


def named(data):
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n"


def text_delta(token):
    delta = {"type": "text_delta", "text": token}
    return named({"type": "content_block_delta", "index": 0, "delta": delta})


async def messages(request):
    """Answers as Anthropic's server. The model's name says what goes wrong."""
    model = (await request.json())["model"]
    if refused_with := refusal(model, overloaded=True):
        return refused_with

    async def generate():
        yield named({"type": "message_start", "message": {"role": "assistant", "content": []}})
        yield named({"type": "ping"})
        for token in ["Because", " blue"]:
            yield text_delta(token)
            await asyncio.sleep(PACE)
        if model == "error":
            error = {"type": "overloaded_error", "message": "Overloaded"}
            yield named({"type": "error", "error": error})
        elif model == "broken":
            raise RuntimeError("broken in mid-answer")
        elif model == "busy":
            yield text_delta(" light")
            yield named({"type": "message_stop"})
            await asyncio.sleep(60)  # the client must not wait for the end of the connection

    return StreamingResponse(generate(), media_type="text/event-stream")


app = Starlette(
    routes=[
        Route("/events", events, methods=["GET", "POST"]),
        Route("/quiet", quiet),
        Route("/refuse", refuse),
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/messages", messages, methods=["POST"]),
    ]
)
