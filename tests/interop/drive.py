"""Runs the probe and two examples against servers and proxies of other projects.

Usage: drive.py WORK PROBE LLM MCP, started by ci/interop. WORK holds the virtual environments and
node_modules. Prints one table row for each check, and ends with status 1 if a check failed.
"""

import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
WORK, PROBE, LLM, MCP = sys.argv[1:5]
TEMP = pathlib.Path(os.environ["TMPDIR"])
EVENTS = 200
PATIENCE = 60.0  # seconds for each step; a step takes about 3 s


def corpus():
    """Returns the events that each server sends."""
    events = []
    for number in range(1, EVENTS + 1):
        if number % 7 == 0:
            data = json.dumps({"number": number, "text": "a\u2028b \U0001f680"}, ensure_ascii=False)
        elif number % 5 == 0:
            data = f"line 1 of {number}\n\n  line 3 \U0001f680\nline 4\nline 5"
        else:
            data = f"event {number}"
        event = "tick" if number % 3 == 0 else None
        events.append(
            {"id": str(number), "event": event, "data": data, "retry": 300 if number == 1 else None}
        )
    return events


CORPUS = corpus()
os.environ["CORPUS"] = str(TEMP / "corpus.json")
pathlib.Path(os.environ["CORPUS"]).write_text(json.dumps(CORPUS))


def port():
    """Returns a free port that the system chose."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(number, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", number), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise AssertionError(f"no server listens on port {number}") from None
            time.sleep(0.05)


class Server:
    """A server process that can be killed and started again on its ports."""

    running = []

    def __init__(self, command, ports, env=None, patience=PATIENCE):
        self.command, self.ports, self.patience = [str(word) for word in command], ports, patience
        self.env = {**os.environ, **(env or {})}
        self.log = TEMP / f"{pathlib.Path(self.command[0]).name}-{ports[0]}.log"
        self.process = None
        Server.running.append(self)

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env
            )
        if wait:
            self.wait()
        return self

    def wait(self):
        for number in self.ports:
            wait_for_port(number, self.patience)

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)

    def restart(self, number=signal.SIGKILL):
        self.stop(number)
        self.start()


class Probe:
    """A running probe and the items that it has printed."""

    def __init__(self, url, *options):
        command = [PROBE, "--json", url, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.items, self.changed = [], threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            item = json.loads(line)
            item["at"] = time.monotonic()
            with self.changed:
                self.items.append(item)
                self.changed.notify_all()

    def until(self, condition, what):
        """Waits until the condition holds for the items."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self), PATIENCE):
                raise AssertionError(f"no {what} in {PATIENCE} s; the last items: {self.items[-4:]}")

    def until_id(self, number):
        self.until(lambda probe: probe.last() >= number, f"event {number}")

    def last(self):
        return len(self.of("message"))

    def of(self, kind, source=None):
        return [
            item
            for item in self.items
            if item["type"] == kind and source in (None, item["source"])
        ]

    def ends(self):
        self.until(lambda probe: probe.of("end"), "end")
        self.process.wait(PATIENCE)
        self.thread.join(PATIENCE)
        return self

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.thread.join(PATIENCE)


def equal(found, expected, what):
    assert found == expected, f"{what}: {found!r} instead of {expected!r}"


def exact(probe, losses=0, source=0, decode=lambda data: data, at_least=False):
    """Checks that each event came once and in order, and that each resume sent the last id."""
    items = [item for item in probe.items if item["source"] == source]
    messages = [item for item in items if item["type"] == "message"]
    equal([item["id"] for item in messages], [event["id"] for event in CORPUS], "ids")
    for item, event in zip(messages, CORPUS):
        equal(decode(item["data"]), event["data"], f"data of {event['id']}")
        equal(item["event"], event["event"] or "message", f"type of {event['id']}")
    equal(items[-1]["type"], "end", "the last item")
    equal([item for item in items if item["type"] == "error"], [], "errors")
    last, opens = None, 0
    for item in items:
        if item["type"] == "message":
            last = item["id"]
        elif item["type"] == "open":
            equal((item["id"], item["reconnect"]), (last, opens > 0), "id of the open")
            opens += 1
    # The last connection is answered 204, which opens nothing.
    found = opens - 1
    assert found == losses or at_least and found > losses, f"{found} resumes instead of {losses}"


def refused(url, words, *options):
    probe = Probe(url, *options).ends()
    error = probe.of("error")[0]
    equal(error["status"], 503, "status")
    assert words in error["body"], f"{words!r} is not in the body {error['body']!r}"


ROWS, FAILURES = [], []


def check(server, what, result):
    """Registers a check: the decorated function runs at once, and its row is printed."""

    def run(function):
        start = time.monotonic()
        try:
            function()
            row = f"| {server} | {what} | {result} |"
        except Exception as error:
            if not isinstance(error, AssertionError):
                traceback.print_exc()
            row = f"| {server} | {what} | FAILED: {error} |"
            FAILURES.append(row)
        ROWS.append(row)
        print(f"{time.monotonic() - start:6.1f} s  {row}", file=sys.stderr, flush=True)

    return run


def http(method, url, body=None, headers=None):
    request = urllib.request.Request(url, body, headers or {}, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return response.read()


def killed_and_restarted(server, url, *options, number=signal.SIGKILL, **expected):
    probe = Probe(url, *options)
    # The server must be stopped before it has sent the rest, so most of it is left each time.
    # After a SIGTERM it may send events for half a second, so the next signal waits for the resume.
    for opens, at in enumerate((40, 80), 1):
        probe.until(
            lambda probe: len(probe.of("open")) >= opens and probe.last() >= at,
            f"event {at} and connection {opens}",
        )
        server.restart(number)
    exact(probe.ends(), losses=2, **expected)


# ---------------------------------------------------------------------------------------- servers

python = f"{WORK}/venv/bin/python"


def uvicorn(app):
    number = port()
    command = [python, "-m", "uvicorn", f"{app}:app", "--port", number, "--log-level", "warning"]
    command += ["--app-dir", HERE / "servers", "--timeout-graceful-shutdown", "1"]
    return Server(command, [number]), f"http://127.0.0.1:{number}"


litellm_port, litellm_key = port(), f"sk-{secrets.token_hex(32)}"
litellm_config = TEMP / "litellm.yaml"
litellm_config.write_text(
    """model_list:
  - model_name: mock
    litellm_params: {model: openai/mock, api_key: none, mock_response: "Because blue light is scattered."}
"""
)
litellm = Server(
    [f"{WORK}/litellm/bin/litellm", "--config", litellm_config, "--host", "127.0.0.1"]
    + ["--port", litellm_port, "--telemetry", "False"],
    [litellm_port],
    {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": litellm_key},
    patience=180,
)


def uvicorn_checks(server, base):
    name = "uvicorn, sse-starlette"
    url = f"{base}/events"
    post = ("--post", "{}")
    check(name, "GET", "exact")(lambda: exact(Probe(url).ends()))
    check(name, "SIGKILL twice", "exact, 2 resumes")(lambda: killed_and_restarted(server, url))
    check(name, "SIGTERM twice", "exact, 2 resumes")(
        lambda: killed_and_restarted(server, url, number=signal.SIGTERM)
    )

    @check(name, "POST", "all events, then the end, no second request")
    def _():
        probe = Probe(url, *post).ends()
        exact(probe)

    @check(name, "POST, SIGKILL", "error, no second request")
    def _():
        probe = Probe(url, *post)
        probe.until_id(60)
        server.restart()
        probe.ends()
        equal((len(probe.of("open")), len(probe.of("error"))), (1, 1), "opens and errors")

    @check(name, "idle timeout of 4 s, a ping each second", "no loss in 5.5 s without an event")
    def _():
        probe = Probe(f"{base}/quiet", "--idle-timeout", "4000").ends()
        equal([item["data"] for item in probe.of("message")], ["before", "after"], "data")
        equal(len(probe.of("open")), 1, "opens")

    check(name, "503 at first", "error with status and body")(
        lambda: refused(f"{base}/refuse", "the database is away")
    )


def django_checks():
    server, base = uvicorn("django_app")
    server.start()
    url, identity = f"{base}/events", ("--header", "Accept-Encoding: identity")
    name = "Django, GZipMiddleware"
    check(name, "Accept-Encoding: identity", "exact")(lambda: exact(Probe(url, *identity).ends()))
    check(name, "identity, SIGKILL twice", "exact, 2 resumes")(
        lambda: killed_and_restarted(server, url, *identity)
    )

    @check(
        name,
        "gzip of reqwest",
        "known failure: reqwest decodes the first gzip member only, so each connection "
        "brings one event; send `Accept-Encoding: identity`",
    )
    def _():
        probe = Probe(url)
        probe.until(lambda probe: len(probe.of("reconnecting")) >= 3, "three losses")
        probe.stop()
        found = [item["type"] for item in probe.items if item["type"] in ("open", "message")]
        equal(found[:6], ["open", "message"] * 3, "one event for each connection")
        reasons = {item["reason"] for item in probe.of("reconnecting")}
        assert all("extra bytes after body" in reason for reason in reasons), reasons

    server.stop()


def node_checks():
    express, hono = port(), port()
    env = {"EXPRESS_PORT": str(express), "HONO_PORT": str(hono)}
    env["NODE_MODULES"] = f"{WORK}/node/node_modules"
    server = Server(["node", HERE / "servers" / "node_app.mjs"], [express, hono], env).start()
    for name, number, decode in (
        ("express, better-sse", express, json.loads),
        ("hono streamSSE", hono, lambda data: data),
    ):
        url = f"http://127.0.0.1:{number}/events"
        check(name, "GET", "exact")(lambda: exact(Probe(url).ends(), decode=decode))
        check(name, "SIGKILL twice", "exact, 2 resumes")(
            lambda: killed_and_restarted(server, url, decode=decode)
        )
        check(name, "POST", "all events, then the end, no second request")(
            lambda: exact(Probe(url, "--post", "{}").ends(), decode=decode)
        )
    check("express, better-sse", "503 at first", "error with status and body")(
        lambda: refused(f"http://127.0.0.1:{express}/refuse", "the database is away")
    )

    @check("hono streamSSE", "exception mid-stream", "`event: error`, then a resume")
    def _():
        probe = Probe(f"http://127.0.0.1:{hono}/throws")
        probe.until(lambda probe: len(probe.of("open")) >= 2, "resume")
        probe.stop()
        events = [item["event"] for item in probe.of("message")][:2]
        equal(events, ["message", "error"], "events")
        equal(probe.of("open")[1]["id"], "1", "id of the resume")

    server.stop()


# ---------------------------------------------------------------------------------- nginx, HAProxy


def certificate():
    """Makes a CA and a certificate for 127.0.0.1. Returns the CA, the certificate and its key."""
    ca, key, cert = TEMP / "ca.pem", TEMP / "key.pem", TEMP / "cert.pem"

    def openssl(*args):
        command = ["openssl", *(str(arg) for arg in args)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *curve, "-keyout", TEMP / "ca.key", "-out", ca, "-subj", "/CN=interop")
    openssl("req", *curve, "-keyout", key, "-out", TEMP / "csr.pem", "-subj", "/CN=localhost")
    (TEMP / "ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    sign = ("-CAcreateserial", "-days", "2", "-extfile", TEMP / "ext", "-out", cert)
    openssl("x509", "-req", "-in", TEMP / "csr.pem", "-CA", ca, "-CAkey", TEMP / "ca.key", *sign)
    return ca, cert, key


def nginx(backend, cert, key):
    plain, tls, narrow, nchan = port(), port(), port(), port()
    proxy = f"proxy_pass http://127.0.0.1:{backend}; proxy_http_version 1.1; proxy_buffering off;"
    proxy += ' proxy_set_header Connection "";'
    locations = f"""
        location / {{ {proxy} }}
        location /idle/ {{ rewrite ^/idle(/.*)$ $1 break; {proxy} proxy_read_timeout 3s; }}
        location /gzip/ {{ rewrite ^/gzip(/.*)$ $1 break; {proxy}
            gzip on; gzip_min_length 0; gzip_proxied any; gzip_types text/event-stream; }}
        ssl_certificate {cert}; ssl_certificate_key {key};"""
    modules = pathlib.Path("/usr/share/nginx/modules-available")
    load = (modules / "mod-nchan.conf").read_text()
    user = "user root;" if os.getuid() == 0 else ""
    config = TEMP / "nginx.conf"
    config.write_text(
        f"""{load}
daemon off; {user} worker_processes 1; pid {TEMP}/nginx.pid; error_log {TEMP}/nginx.err;
events {{ worker_connections 512; }}
http {{
    access_log off; nchan_max_reserved_memory 8M;
    client_body_temp_path {TEMP}/body; proxy_temp_path {TEMP}/proxy;
    fastcgi_temp_path {TEMP}/fastcgi; uwsgi_temp_path {TEMP}/uwsgi; scgi_temp_path {TEMP}/scgi;
    server {{ listen 127.0.0.1:{plain}; {locations} }}
    server {{ listen 127.0.0.1:{tls} ssl http2; {locations} }}
    server {{ listen 127.0.0.1:{narrow} ssl http2; http2_max_concurrent_streams 4; {locations} }}
    server {{
        listen 127.0.0.1:{nchan};
        location ~ ^/pub/(\\w+)$ {{ nchan_publisher; nchan_channel_id $1;
            nchan_message_buffer_length 1000; nchan_message_timeout 5m; }}
        location ~ ^/sub/(\\w+)$ {{ nchan_subscriber eventsource; nchan_channel_id $1;
            nchan_subscriber_first_message oldest; }}
        location = /both {{ nchan_subscriber eventsource; nchan_channel_id a b;
            nchan_subscriber_first_message oldest; }}
    }}
}}
"""
    )
    command = ["nginx", "-e", f"{TEMP}/nginx.err", "-c", config]
    return Server(command, [plain, tls, narrow, nchan]), plain, tls, narrow, nchan


def publish(base, channel, start, end):
    for number in range(start, end + 1):
        http("POST", f"{base}/pub/{channel}", f"{channel} {number}".encode())


def nchan_checks(server, base):
    name = "nginx, nchan"

    def data(probe):
        return [item["data"] for item in probe.of("message")]

    def numbers(channel, count=EVENTS):
        return [f"{channel} {number}" for number in range(1, count + 1)]

    @check(name, "two reloads mid-stream", "200 events, once and in order")
    def _():
        publish(base, "live", 1, 1)
        probe = Probe(f"{base}/sub/live")
        probe.until_id(1)
        for start, end in ((2, 60), (61, 130), (131, EVENTS)):
            publish(base, "live", start, end)
            probe.until_id(end)
            if end < EVENTS:
                # nchan can drop what is published while its workers change, so wait for the resume.
                opens = len(probe.of("open"))
                server.send(signal.SIGHUP)
                probe.until(lambda probe: len(probe.of("open")) > opens, "resume")
        probe.stop()
        equal(data(probe), numbers("live"), "data")

    @check(
        name,
        "replay after the two reloads",
        "known: nchan keeps messages in a worker, so only those after the last reload",
    )
    def _():
        probe = Probe(f"{base}/sub/live")
        probe.until_id(EVENTS - 130)
        probe.stop()
        equal(data(probe), numbers("live")[130:], "data")

    @check(name, "replay from an id", "the 100 events after it")
    def _():
        publish(base, "kept", 1, EVENTS)
        probe = Probe(f"{base}/sub/kept")
        probe.until_id(EVENTS)
        probe.stop()
        equal(data(probe), numbers("kept"), "data")
        half = probe.of("message")[99]["id"]
        probe = Probe(f"{base}/sub/kept", "--header", f"Last-Event-ID: {half}")
        probe.until_id(100)
        probe.stop()
        equal(data(probe), numbers("kept")[100:], "data after the id")
        equal(probe.of("open")[0]["id"], half, "id that was sent")

    @check(name, "ids of two channels", "both channels resume, once and in order")
    def _():
        for number in range(1, 41):
            publish(base, "a", number, number)
            publish(base, "b", number, number)
        probe = Probe(f"{base}/both")
        probe.until_id(80)
        probe.stop()
        first = probe.of("message")[:31]
        last_id = first[-1]["id"]
        assert "," in last_id, f"the id {last_id} names one channel"
        probe = Probe(f"{base}/both", "--header", f"Last-Event-ID: {last_id}")
        probe.until_id(80 - 31)
        probe.stop()
        both = [item["data"] for item in first] + data(probe)
        for channel in "ab":
            of_it = [text for text in both if text.startswith(channel)]
            equal(of_it, numbers(channel, 40), f"data of {channel}")

    @check(name, "channel deleted and recreated", "an end, a resume, then the new events")
    def _():
        publish(base, "gone", 1, 3)
        probe = Probe(f"{base}/sub/gone")
        probe.until_id(3)
        http("DELETE", f"{base}/pub/gone")
        # An id of nchan counts from 0 in each second, so the new events need a later second.
        probe.until(lambda probe: len(probe.of("open")) == 2, "resume")
        publish(base, "gone", 4, 6)
        probe.until_id(6)
        probe.stop()
        equal(data(probe), numbers("gone", 6), "data")


def proxy_checks(name, proxy, backend, base, options, reload):
    url = f"{base}/events"
    check(name, "GET", "exact")(lambda: exact(Probe(url, *options).ends()))

    @check(name, "backend killed", "exact, 1 resume, the status of the proxy is reported")
    def _():
        probe = Probe(url, *options)
        probe.until_id(60)
        backend.stop()

        def says(probe):
            reasons = [item["reason"] for item in probe.of("reconnecting")]
            return any("502" in reason or "503" in reason for reason in reasons)

        probe.until(says, "status 502 or 503")
        backend.start()
        exact(probe.ends(), losses=1)

    @check(name, "two reloads mid-stream", "exact, not noticed")
    def _():
        probe = Probe(url, *options)
        for at in (60, 130):
            probe.until_id(at)
            proxy.send(reload)
        exact(probe.ends())

    @check(name, "idle connection cut", "exact, 1 resume")
    def _():
        probe = Probe(f"{base}/idle/events?pause_after=60&ping=60", *options)
        exact(probe.ends(), losses=1)


def nginx_checks(backend, backend_port, ca, cert, key):
    server, plain, tls, narrow, nchan = nginx(backend_port, cert, key)
    server.start()
    over_tls = ("--http2", "--ca", str(ca))
    for name, base, options in (
        ("nginx proxy, HTTP/1.1", f"http://127.0.0.1:{plain}", ()),
        ("nginx proxy, HTTP/2 and TLS", f"https://127.0.0.1:{tls}", over_tls),
    ):
        proxy_checks(name, server, backend, base, options, signal.SIGHUP)

        @check(name, "gzip", "exact, event by event")
        def _():
            probe = Probe(f"{base}/gzip/events", *options).ends()
            exact(probe)
            messages = probe.of("message")
            spread = messages[-1]["at"] - messages[0]["at"]
            # Compressed as a whole, they would come at once.
            assert spread > EVENTS * 0.01 / 2, f"all events came within {spread:.2f} s"

    # These streams last for 4 s, so that the first ones have not ended when the last one is to open.
    url = f"https://127.0.0.1:{narrow}/events?pace=0.02"
    name = "nginx, 4 streams per connection"

    @check(name, "8 sources on one client", "4 open at once; 4 wait without a report; all exact")
    def _():
        probe = Probe(url, *over_tls, "--sources", "8")
        probe.until(lambda probe: len(probe.of("end")) == 8, "8 ends")
        probe.stop()
        # A loss is the end of a stream, which lets another one open.
        kinds = [item["type"] for item in probe.items]
        before = kinds[: kinds.index("reconnecting")]
        equal(before.count("open"), 4, "open at once")
        assert before.count("message") >= 400, f"{before.count('message')} events before a loss"
        for source in range(8):
            exact(probe, source=source)

    @check(name, "8 sources, open timeout of 3 s", "4 open; 4 report the timeout; all exact")
    def _():
        probe = Probe(url, *over_tls, "--sources", "8", "--open-timeout", "3000")
        probe.until(lambda probe: len(probe.of("end")) == 8, "8 ends")
        probe.stop()
        first = [next(item for item in probe.items if item["source"] == n) for n in range(8)]
        late = [item for item in first if item["type"] == "reconnecting"]
        equal(len(late), 4, "sources that begin with a timeout")
        assert all("within 3s" in item["reason"] for item in late), late
        for source in range(8):
            exact(probe, source=source)

    @check(name, "8 sources, HTTP/1.1", "8 open at once; all exact")
    def _():
        probe = Probe(url, "--ca", str(ca), "--sources", "8")
        probe.until(lambda probe: len(probe.of("open")) == 8, "8 opens")
        assert not probe.of("end"), "a source ended before the last one was open"
        probe.until(lambda probe: len(probe.of("end")) == 8, "8 ends")
        probe.stop()
        for source in range(8):
            exact(probe, source=source)

    nchan_checks(server, f"http://127.0.0.1:{nchan}")
    server.stop(signal.SIGTERM)


def haproxy_checks(backend, backend_port, ca, cert, key):
    number, away = port(), port()
    bundle, config = TEMP / "haproxy.pem", TEMP / "haproxy.cfg"
    bundle.write_text(cert.read_text() + key.read_text())
    bundle.chmod(0o600)
    config.write_text(
        f"""global
    stats socket {TEMP}/haproxy.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 30s
    timeout client 30s
    timeout server 30s
    timeout http-request 30s
    retries 0
frontend tls
    bind 127.0.0.1:{number} ssl crt {bundle} alpn h2,http/1.1
    http-request set-path %[path,regsub(^/idle/,/)] if {{ path_beg /idle/ }}
    use_backend away if {{ path_beg /away }}
    use_backend idle if {{ query -m found }}
    default_backend up
backend up
    server one 127.0.0.1:{backend_port}
backend idle
    timeout server 3s
    server one 127.0.0.1:{backend_port}
backend away
    server one 127.0.0.1:{away}
"""
    )
    server = Server(["haproxy", "-W", "-db", "-f", config], [number]).start()
    options, base = ("--http2", "--ca", str(ca)), f"https://127.0.0.1:{number}"
    name = "HAProxy, HTTP/2 and TLS"
    proxy_checks(name, server, backend, base, options, signal.SIGUSR2)
    check(name, "503 at first", "error with status and body")(
        lambda: refused(f"{base}/away", "503 Service Unavailable", *options)
    )
    server.stop(signal.SIGTERM)


# ------------------------------------------------------------------------------------- LLM and MCP


def example(command, env=None):
    """Runs an example, and returns its status and what it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout


def llm_checks(base):
    def ask(api, url, model, key="none"):
        env = {f"{api}_BASE_URL": f"{url}/v1", f"{api}_MODEL": model, f"{api}_API_KEY": key}
        return example([LLM, "Why?"], env)

    @check("litellm proxy, mocked model", "`examples/llm`", "the whole answer")
    def _():
        litellm.wait()
        url = f"http://127.0.0.1:{litellm_port}"
        status, said = ask("OPENAI", url, "mock", litellm_key)
        assert status == 0 and "Because blue light is scattered." in said, said

    for api, protocol, end, refusal, error in (
        ("OPENAI", "OpenAI", "[DONE]", 429, "out of memory"),
        ("ANTHROPIC", "Anthropic", "message_stop", 529, "overloaded_error: Overloaded"),
    ):
        name = f"uvicorn, {protocol}'s protocol"
        for model, what, result, words in (
            ("cut", f"answer ends without `{end}`", "reported as cut off", "the answer is cut off"),
            ("broken", "connection breaks mid-answer", "reported as an error", "llm: "),
            ("error", "error event mid-answer", "reported with its text", error),
            ("json", "200 with JSON in place of a stream", "reported with its text", "streaming is off"),
        ):

            @check(name, what, result)
            def _():
                status, said = ask(api, base, model)
                assert status == 1 and words in said, f"status {status}: {said}"

        what = f"{refusal} with Retry-After"

        @check(name, what, "asked again after the delay, the whole answer")
        def _():
            start = time.monotonic()
            status, said = ask(api, base, "busy")
            assert status == 0 and "rate limit reached" in said, f"status {status}: {said}"
            assert "Because blue light" in said, said
            assert str(refusal) in said, said
            assert time.monotonic() - start > 1, "the request was repeated before the delay was over"


def mcp_checks():
    def call(number, tool, arguments):
        url = f"http://127.0.0.1:{number}/mcp"
        status, said = example([MCP, url, tool, json.dumps(arguments)])
        equal(status, 0, f"status of the example, which printed {said}")
        lines = said.splitlines()
        messages = [json.loads(line) for line in lines[:-1]]
        progress = [message["params"]["progress"] for message in messages if "params" in message]
        return progress, messages[-1]["result"]["content"][0]["text"], lines[-1]

    number = port()
    server = Server([python, HERE / "servers" / "mcp_server.py", number], [number]).start()

    @check(
        "MCP Python SDK, event store",
        "`examples/mcp`, answer ended early three times",
        "120 messages and the result, once and in order, 3 resumes",
    )
    def _():
        arguments = {"steps": 120, "cut_at": [30, 60, 90]}
        progress, result, summary = call(number, "count", arguments)
        equal(progress, list(range(1, 121)), "progress")
        equal(result, "counted 120", "result")
        equal(summary, "120 messages and the result, 4 connections", "summary")

    server.stop()
    number = port()
    script = f"{WORK}/node/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    command = ["node", script, "streamableHttp"]
    server = Server(command, [number], {"PORT": str(number)}).start()

    @check("MCP server-everything", "`examples/mcp`", "20 messages and the result, once and in order")
    def _():
        arguments = {"duration": 1, "steps": 20}
        progress, result, _ = call(number, "trigger-long-running-operation", arguments)
        equal(progress, list(range(1, 21)), "progress")
        assert "operation completed" in result, result

    server.stop()


def main():
    litellm.start(wait=False)  # it takes the longest to start
    backend, base = uvicorn("uvicorn_app")
    backend.start()
    uvicorn_checks(backend, base)
    django_checks()
    node_checks()
    ca, cert, key = certificate()
    nginx_checks(backend, backend.ports[0], ca, cert, key)
    haproxy_checks(backend, backend.ports[0], ca, cert, key)
    mcp_checks()
    llm_checks(base)


try:
    main()
finally:
    for server in Server.running:
        server.stop()

print("| server | check | result |\n|---|---|---|")
print("\n".join(ROWS))
sys.exit(1 if FAILURES else 0)
