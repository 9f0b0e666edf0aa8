"""Serves a tool whose answer is ended early three times, by the Python MCP SDK."""

import sys

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore


class Store(EventStore):
    """Keeps every event in memory. An event's ID is its number."""

    def __init__(self):
        self.events = []
        self.replays = 0

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events))

    async def replay_events_after(self, last_event_id, send_callback):
        number = int(last_event_id)
        stream_id = self.events[number - 1][0]
        while number < len(self.events):  # the list can grow during a send
            of_stream, message = self.events[number]
            number += 1
            if of_stream == stream_id and message is not None:
                await send_callback(EventMessage(message, str(number)))
        self.replays += 1
        return stream_id


server = MCPServer("interop")
store = Store()


@server.tool()
async def count(steps: int, cut_at: list[int], ctx: Context) -> str:
    away = 0  # messages left to send while the client is away
    replays = store.replays
    for step in range(1, steps + 1):
        await ctx.report_progress(step, steps)
        if step in cut_at:
            await ctx.close_sse_stream()
            away = 10
            replays += 1
        elif away > 1:
            away -= 1
        elif away == 1:
            # The SDK loses what a tool sends between the end of a replay and the live stream, so
            # the tool waits until the client has resumed.
            away = 0
            while store.replays < replays:
                await anyio.sleep(0.01)
            await anyio.sleep(1)
        else:
            await anyio.sleep(0.01)
    return f"counted {steps}"


server.run("streamable-http", port=int(sys.argv[1]), event_store=store, retry_interval=50)
