"""Serves the corpus by Django under ASGI, through GZipMiddleware."""

import asyncio
import json
import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

CORPUS = json.load(open(os.environ["CORPUS"]))

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for this test",
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"],
)


def encode(event):
    lines = [f"id: {event['id']}"]
    if event["event"]:
        lines.append(f"event: {event['event']}")
    if event["retry"]:
        lines.append(f"retry: {event['retry']}")
    lines += [f"data: {line}" for line in event["data"].split("\n")]
    return "\n".join(lines) + "\n\n"


async def events(request):
    start = int(request.headers.get("last-event-id", "0"))
    if start >= len(CORPUS):
        return HttpResponse(status=204)

    async def generate():
        for event in CORPUS[start:]:
            yield encode(event)
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(generate(), content_type="text/event-stream")


urlpatterns = [path("events", events)]
app = get_asgi_application()
