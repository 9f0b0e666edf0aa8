//! Tests of `examples/tail` as a process: its arguments, outputs and status.

use crate::support::examples;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::server::{Closed, ClosedPort, PATIENCE, Reply, Server};
use serde_json::{Value, json};

/// The running example. Dropping this kills it.
struct Tail {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// The output and the status of the example.
#[derive(Debug)]
struct Said {
    status: Option<i32>,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

/// The lines of a pipe, as they arrive.
struct Lines {
    coming: Receiver<String>,
    seen: Vec<String>,
}

impl Tail {
    fn start<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Tail {
        let mut child = spawn(args);
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Tail { child, stdout, stderr }
    }

    /// Runs the example to its end.
    fn run<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Said {
        Tail::start(args).end()
    }

    fn interrupt(&self) {
        interrupt(&self.child);
    }

    fn end(mut self) -> Said {
        self.stdout.wait_for_end();
        self.stderr.wait_for_end();
        let status = self.child.wait().unwrap().code();
        Said {
            status,
            stdout: std::mem::take(&mut self.stdout.seen),
            stderr: std::mem::take(&mut self.stderr.seen),
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Lines {
        let (sender, coming) = channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let _ = sender.send(line.expect("UTF-8"));
            }
        });
        Lines { coming, seen: Vec::new() }
    }

    /// Waits for the next line with this beginning.
    #[track_caller]
    fn wait_for(&mut self, beginning: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.coming.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.starts_with(beginning) {
                        return line;
                    }
                }
                Err(why) => panic!("no line {beginning:?} ({why}), but {:#?}", self.seen),
            }
        }
    }

    #[track_caller]
    fn wait_for_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.coming.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("it goes on after {:#?}", self.seen),
            }
        }
    }
}

fn spawn<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> Child {
    let mut command = Command::new(example());
    command.args(args.into_iter().map(|arg| arg.as_ref().to_owned()));
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the example starts")
}

/// The path of the example.
fn example() -> &'static Path {
    static EXAMPLE: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLE.get_or_init(|| examples::path("tail"))
}

/// Sends the signal of Ctrl-C. (`kill` is a builtin of every shell.)
fn interrupt(child: &Child) {
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
}

/// Asserts that it failed with this status and this line.
#[track_caller]
fn assert_fails(said: &Said, status: i32, line: &str) {
    assert_eq!(said.status, Some(status), "{said:#?}");
    assert_eq!(said.stderr, [line], "{said:#?}");
    assert!(said.stdout.is_empty(), "{said:#?}");
}

/// Parses each line of standard output as JSON.
fn parsed(said: &Said) -> Vec<Value> {
    let lines = said.stdout.iter();
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{said:#?}"))).collect()
}

// -------------------------------------------------------------------------------------- The demo

#[test]
fn the_demo_loses_its_connection_and_nothing_else() {
    example(); // whose building is not counted
    let start = Instant::now();
    let said = Tail::run([""; 0]);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!(said.status, Some(0), "{said:#?}");
    let last = said.stdout.last().map(String::as_str);
    assert_eq!(last, Some("12 events, 2 connections, nothing lost"), "{said:#?}");
    assert!(said.stderr.is_empty(), "{said:#?}");

    let at = |beginning: &str| {
        let found = said.stdout.iter().position(|line| line.starts_with(beginning));
        found.unwrap_or_else(|| panic!("no line {beginning:?} in {said:#?}"))
    };
    let opened: Vec<_> = said.stdout.iter().filter(|line| line.starts_with("open ")).collect();
    assert_eq!(opened.len(), 2, "{said:#?}");
    assert!(opened[1].ends_with(" after id 6"), "{said:#?}");
    let order = ["open ", "   1  message ", "   6  ", "reconnecting in ", "   7  ", "  12  "];
    assert!(order.map(at).is_sorted(), "{said:#?}");
}

#[test]
fn the_demo_ends_quietly_when_its_reader_is_gone() {
    let mut child = spawn([""; 0]);
    drop(child.stdout.take());
    let mut stderr = Lines::of(child.stderr.take().unwrap());
    stderr.wait_for_end();
    assert_eq!(stderr.seen, [""; 0]);
    assert!(child.wait().unwrap().success());
}

// ------------------------------------------------------------------------------- The command line

#[test]
fn help_says_every_option_on_standard_output() {
    let said = Tail::run(["--help"]);
    assert_eq!((said.status, said.stderr.len()), (Some(0), 0), "{said:#?}");
    for option in ["--header", "--last-event-id", "--post", "--json", "--comments", "URL"] {
        assert!(said.stdout.iter().any(|line| line.contains(option)), "{option}: {said:#?}");
    }
}

#[test]
fn a_wrong_command_line_is_one_line_and_status_2() {
    let said = Tail::run(["--follow", "http://127.0.0.1/"]);
    assert_fails(&said, 2, "tail: invalid option '--follow' (see --help)");
    let said = Tail::run(["--json"]);
    assert_fails(&said, 2, "tail: a URL is missing (see --help)");
}

#[test]
fn a_bad_url_is_one_line_and_status_2() {
    let said = Tail::run(["localhost:8080/events"]);
    let what = "it does not begin with http:// or https://";
    let line = format!("tail: \"localhost:8080/events\" is not a URL: {what} (see --help)");
    assert_fails(&said, 2, &line);
    let said = Tail::run(["http://127.0.0.1:99999/"]);
    let line = "tail: \"http://127.0.0.1:99999/\" is not a URL: invalid port number (see --help)";
    assert_fails(&said, 2, line);
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf_8_is_one_line_and_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let argument = std::ffi::OsStr::from_bytes(b"http://\xff/");
    let output = Command::new(example()).arg(argument).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let line = "tail: argument is invalid unicode: \"http://\\xFF/\" (see --help)\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), line);
}

// -------------------------------------------------------------------------------------- Failures

#[test]
fn a_404_is_one_line_with_the_words_of_the_server() {
    let words = "No such stream.\r\n\tTry \u{1b}[1m/events\u{1b}[0m, please.\n";
    let server = Server::scripted([Reply::with_body(404, "Not Found", "text/plain", words)]);
    let said = Tail::run([server.url()]);
    let words = "No such stream. Try \\u{1b}[1m/events\\u{1b}[0m, please.";
    let what = "the server answered 404 Not Found, not 200 OK";
    assert_fails(&said, 1, &format!("tail: {}: {what}; it says: {words}", server.url()));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_status_without_a_body_is_one_line() {
    let server = Server::scripted([Reply::empty(503, "Service Unavailable")]);
    let said = Tail::run([server.url()]);
    let what = "the server answered 503 Service Unavailable, not 200 OK";
    assert_fails(&said, 1, &format!("tail: {}: {what}", server.url()));
}

#[test]
fn a_wrong_content_type_is_one_line_with_the_words_of_the_server() {
    let page = "<h1>Welcome</h1>";
    let server = Server::scripted([Reply::with_body(200, "OK", "text/html", page)]);
    let said = Tail::run([server.url()]);
    let what = "the server answered with \"text/html\", not \"text/event-stream\"";
    assert_fails(&said, 1, &format!("tail: {}: {what}; it says: {page}", server.url()));
}

#[test]
fn a_body_without_end_is_read_for_a_moment_only() {
    let refusal = || Reply::sse().status(500, "Oops").content_type("text/plain");
    let server = Server::scripted([
        refusal().send_each(|_| Some(vec![b'x'; 1024])),
        refusal().send("Please hold the li").hold(),
    ]);
    let what = "the server answered 500 Internal Server Error, not 200 OK";
    let said = Tail::run([server.url()]);
    let words = "x".repeat(200);
    assert_fails(&said, 1, &format!("tail: {}: {what}; it says: {words}…", server.url()));
    let said = Tail::run([server.url()]);
    let words = "Please hold the li";
    assert_fails(&said, 1, &format!("tail: {}: {what}; it says: {words}", server.url()));
}

#[test]
fn a_refused_first_connection_ends_tail_with_one_line() {
    let port = ClosedPort::new();
    for post in [&["--post", "x"][..], &[]] {
        let url = port.url();
        let said = Tail::run([&[url.as_str()], post].concat());
        assert_eq!((said.status, said.stdout.len()), (Some(1), 0), "{said:#?}");
        let [line] = &said.stderr[..] else { panic!("{said:#?}") };
        let beginning = format!("tail: {url}: could not connect to {}: ", port.address());
        assert!(line.starts_with(&beginning) && line.contains("refused"), "{said:#?}");
    }
}

#[test]
fn a_password_in_the_url_is_sent_but_not_shown() {
    let server = Server::scripted([Reply::empty(401, "Unauthorized")]);
    let url = server.url().replace("http://", "http://me:secret@");
    let said = Tail::run([url]);
    let shown = server.url().replace("http://", "http://me:***@");
    let what = "the server answered 401 Unauthorized, not 200 OK";
    assert_fails(&said, 1, &format!("tail: {shown}: {what}"));
    assert_eq!(server.requests()[0].header("authorization"), [b"Basic bWU6c2VjcmV0"]);
}

#[test]
fn https_without_tls_is_one_line_that_says_so() {
    let port = ClosedPort::new();
    let url = port.url().replace("http:", "https:");
    let said = Tail::run([url.as_str()]);
    assert_eq!((said.status, said.stdout.len()), (Some(1), 0), "{said:#?}");
    let [line] = &said.stderr[..] else { panic!("{said:#?}") };
    assert!(line.starts_with(&format!("tail: {url}: ")), "{said:#?}");
    assert!(line.ends_with("reqwest was built without TLS"), "{said:#?}");
}

#[test]
fn a_later_refusal_is_reported_after_the_received_events() {
    let server = Server::scripted([
        Reply::events("retry: 0\n\nid: 1\ndata: a\n\n"),
        Reply::with_body(403, "Forbidden", "text/plain", "Enough."),
    ]);
    let said = Tail::run([server.url()]);
    assert_eq!(said.status, Some(1), "{said:#?}");
    let [.., received, line] = &said.stderr[..] else { panic!("{said:#?}") };
    assert_eq!(received, "failed: 1 event, 1 connection, last id 1");
    let what = "the server answered 403 Forbidden, not 200 OK; it says: Enough.";
    assert_eq!(*line, format!("tail: {}: {what}", server.url()));
}

// ------------------------------------------------------------------------------------- Following

#[test]
fn events_are_columns_on_standard_output_and_all_else_is_on_standard_error() {
    let server = Server::scripted([
        Reply::events("retry: 0\n\n: quiet\n\nid: 1\ndata: one\ndata: two\n\nid: 2\nda").fin(),
        Reply::events("id: 2\nevent: bye\ndata: é\u{1b}\n\n"),
    ]);
    let said = Tail::run([server.url()]);
    assert_eq!(said.status, Some(0), "{said:#?}");
    let columns = ["   1  message   one", "                two", "   2  bye       é\\u{1b}"]
        .map(String::from);
    assert_eq!(said.stdout, columns, "{said:#?}");
    let [opened, lost, again, ended, end] = &said.stderr[..] else { panic!("{said:#?}") };
    assert_eq!(*opened, format!("open {}", server.url()));
    assert!(lost.starts_with("reconnecting in "), "{lost}");
    assert!(lost.contains("ms: the connection broke: "), "{lost}");
    assert_eq!(*again, format!("open {} after id 1", server.url()));
    assert!(ended.ends_with("ms: the server ended the stream"), "{ended}");
    assert_eq!(end, "ended by the server: 2 events, 2 connections, last id 2");
    assert_eq!(server.requests()[1].header("last-event-id"), [b"1"]);
}

#[test]
fn json_is_one_object_per_event_and_nothing_else() {
    let server = Server::scripted([
        Reply::events("retry: 0\n\n: quiet\n\ndata: \"a\ndata: b\"\n\nid: é\nevent: e\ndata\n\n"),
        Reply::events("data: again\n\n"),
    ]);
    let said = Tail::run([server.url().as_str(), "--json"]);
    assert_eq!(said.status, Some(0), "{said:#?}");
    let expected = [
        json!({"event": "message", "data": "\"a\nb\"", "id": ""}),
        json!({"event": "e", "data": "", "id": "é"}),
        json!({"event": "message", "data": "again", "id": "é"}),
    ];
    assert_eq!(parsed(&said), expected);
    assert!(said.stdout[0].starts_with("{\"event\":\"message\",\"data\":"), "{said:#?}");
}

#[test]
fn comments_are_printed_if_asked_for() {
    let stream = ": keep-alive\n\ndata: a\n\n";
    let server = Server::scripted([Reply::events(stream).hold(), Reply::events(stream).hold()]);
    let mut tail = Tail::start(["--comments", &server.url()]);
    assert_eq!(tail.stdout.wait_for(""), "      : keep-alive");
    assert_eq!(tail.stdout.wait_for(""), "      message   a");
    let mut tail = Tail::start(["--comments", "--json", &server.url()]);
    assert_eq!(tail.stdout.wait_for(""), r#"{"comment":"keep-alive"}"#);
    assert_eq!(tail.stdout.wait_for(""), r#"{"event":"message","data":"a","id":""}"#);
}

#[test]
fn headers_and_the_last_event_id_arrive() {
    let server = Server::scripted([]);
    let headers = ["--header", "X-Token: a: b", "--header=x-token:é", "--header", "Accept: */*"];
    let said = Tail::run([&headers[..], &["--last-event-id", "41", &server.url()]].concat());
    assert_eq!(said.status, Some(0), "{said:#?}");
    assert_eq!(said.stderr, ["ended by the server: 0 events, 0 connections, last id 41"]);
    let request = &server.requests()[0];
    assert_eq!(request.method, "GET");
    assert_eq!(request.header("x-token"), [b"a: b", "é".as_bytes()]);
    assert_eq!(request.header("accept"), [b"*/*"]);
    assert_eq!(request.header("last-event-id"), [b"41"]);
}

#[test]
fn a_post_is_sent_once_and_a_clean_end_is_the_end() {
    let server = Server::repeating(Reply::events("data: a\n\n"));
    let url = server.url();
    let posts = [
        (vec!["--post", r#"{"a": "é"}"#], &b"application/json"[..]),
        (vec!["--post", "a: b"], b"text/plain; charset=utf-8"),
        (vec!["--post", "[]", "--header", "Content-Type: text/x-list"], b"text/x-list"),
    ];
    for (index, (args, content_type)) in posts.iter().enumerate() {
        let said = Tail::run([&args[..], &[url.as_str()]].concat());
        assert_eq!(said.status, Some(0), "{said:#?}");
        assert_eq!(said.stdout, ["      message   a"]);
        assert_eq!(
            said.stderr.last().unwrap(),
            "ended by the server: 1 event, 1 connection, no id"
        );
        let requests = server.requests();
        assert_eq!(requests.len(), index + 1);
        assert_eq!(requests[index].method, "POST");
        assert_eq!(requests[index].body, args[1].as_bytes());
        assert_eq!(requests[index].header("content-type"), [*content_type]);
    }
}

#[test]
fn a_post_that_breaks_is_a_failure_and_not_sent_again() {
    let server = Server::scripted([Reply::events("data: a\n\ndata: b").fin()]);
    let said = Tail::run(["--post", "x", &server.url()]);
    assert_eq!(said.status, Some(1), "{said:#?}");
    let line = said.stderr.last().unwrap();
    assert!(line.starts_with(&format!("tail: {}: the connection broke", server.url())), "{line}");
    assert_eq!(said.stdout, ["      message   a"]);
    assert_eq!(server.requests().len(), 1);
}

// ----------------------------------------------------------------------------------------- Ending

#[cfg(unix)]
#[test]
fn ctrl_c_closes_and_prints_what_was_received() {
    let server = Server::scripted([
        Reply::events("retry: 0\n\nid: 40\ndata: a\n\n"),
        Reply::events("id: 41\ndata: b\n\n").hold(),
    ]);
    let mut tail = Tail::start([server.url()]);
    tail.stdout.wait_for("  41  ");
    tail.interrupt();
    let said = tail.end();
    assert_eq!(said.status, Some(0), "{said:#?}");
    let last = "closed by Ctrl-C: 2 events, 2 connections, last id 41";
    assert_eq!(said.stderr.last().unwrap(), last);
    assert_eq!(server.wait_until_closed(1, PATIENCE), Closed::Fin);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_wait_for_an_answer_and_for_a_reconnection_too() {
    let server = Server::scripted([
        Reply::silence(),
        Reply::events("retry: 30000\n\ndata: a\n\n"),
        Reply::silence(),
    ]);
    let tail = Tail::start([server.url()]);
    pollster::block_on(server.until_requests(1));
    tail.interrupt();
    let said = tail.end();
    assert_eq!(said.status, Some(0), "{said:#?}");
    assert_eq!(said.stderr, ["closed by Ctrl-C: 0 events, 0 connections, no id"]);

    let mut tail = Tail::start([server.url()]);
    tail.stderr.wait_for("reconnecting in ");
    tail.interrupt();
    let said = tail.end();
    assert_eq!(said.status, Some(0), "{said:#?}");
    assert_eq!(said.stderr.last().unwrap(), "closed by Ctrl-C: 1 event, 1 connection, no id");
    assert_eq!(server.requests().len(), 2);
}

/// Starts the example and sends it an event that is larger than its output pipe.
#[cfg(unix)]
fn stuck(server: &Server) -> (Child, ChildStdout) {
    let mut child = spawn([server.url()]);
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    (child, stdout)
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_it_even_if_its_output_is_stuck() {
    let event = format!("data: {}\n\n", "x".repeat(1 << 20));
    let server = Server::scripted([Reply::events(event).hold()]);
    let (mut child, _stdout) = stuck(&server);
    let stderr = Lines::of(child.stderr.take().unwrap());
    let deadline = Instant::now() + PATIENCE;
    // A second signal too soon after the first is not counted.
    while stderr.coming.recv_timeout(Duration::from_millis(50))
        != Err(RecvTimeoutError::Disconnected)
    {
        assert!(Instant::now() < deadline, "it goes on");
        interrupt(&child);
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[cfg(unix)]
#[test]
fn it_ends_quietly_when_its_reader_has_seen_enough() {
    let event = format!("data: {}\n\n", "x".repeat(1 << 20));
    let server = Server::scripted([Reply::events(event).hold()]);
    let (mut child, stdout) = stuck(&server);
    drop(stdout);
    let mut stderr = Lines::of(child.stderr.take().unwrap());
    stderr.wait_for_end();
    assert!(child.wait().unwrap().success());
    assert_eq!(stderr.seen, [format!("open {}", server.url())]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_line_and_a_failure() {
    let server = Server::scripted([Reply::events("data: a\n\n").hold()]);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(example()).arg(server.url()).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with("tail: cannot write to standard output: "), "{stderr}");
}
