// Serves the corpus by express with better-sse and by hono.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.env.NODE_MODULES + "/");
const express = require("express");
const { createSession } = require("better-sse");
const { Hono } = require("hono");
const { streamSSE } = require("hono/streaming");
const { serve } = require("@hono/node-server");

const corpus = JSON.parse(readFileSync(process.env.CORPUS, "utf8"));
const host = "127.0.0.1";

const app = express();
app.all("/events", async (request, response) => {
  const start = Number(request.get("last-event-id") ?? 0);
  if (start >= corpus.length) return response.status(204).end();
  const session = await createSession(request, response, { retry: 300 }); // data is sent as JSON
  for (const event of corpus.slice(start)) {
    if (!session.isConnected) return;
    session.push(event.data, event.event ?? "message", event.id);
    await sleep(10);
  }
  response.end();
});
app.get("/refuse", (_, response) => response.status(503).send("the database is away"));
app.listen(Number(process.env.EXPRESS_PORT), host);

const hono = new Hono();
hono.all("/events", (context) => {
  const start = Number(context.req.header("last-event-id") ?? 0);
  if (start >= corpus.length) return context.body(null, 204);
  return streamSSE(context, async (stream) => {
    for (const event of corpus.slice(start)) {
      if (stream.aborted) return;
      await stream.writeSSE({ ...event, event: event.event ?? undefined, retry: event.retry ?? undefined });
      await stream.sleep(10);
    }
  });
});
hono.get("/throws", (context) =>
  streamSSE(
    context,
    async (stream) => {
      await stream.writeSSE({ id: "1", data: "before" });
      throw new Error("thrown in mid-stream");
    },
    async () => {}, // hono then writes an `event: error` with the message
  ),
);
serve({ fetch: hono.fetch, hostname: host, port: Number(process.env.HONO_PORT) });
