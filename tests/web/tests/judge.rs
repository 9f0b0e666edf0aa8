//! Compares everstream with the browser's own `EventSource`: both read one URL, and must yield
//! equal types, data and last event IDs.

use crate::server::{json, url};
use everstream::{Disconnect, Event, EventSource};
use futures_channel::oneshot;
use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::iter;
use js_sys::{Reflect, global};
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};
use web_sys::MessageEvent;

/// The number of random streams, in addition to the rules.
const RANDOM: usize = 250;

/// The number of streams read at a time. Each takes two connections, and a browser has six per
/// server.
const AT_A_TIME: usize = 3;

#[derive(Debug, Deserialize)]
struct About {
    rules: usize,
    bytes: String,
    chunks: usize,
    /// The expected events, by the model of the standard.
    events: Vec<Seen>,
    traits: Traits,
}

#[derive(Debug, Deserialize)]
struct Traits {
    nul: bool,
    line_end_after_bom: bool,
    id_without_data: bool,
}

/// Type, data and last event ID.
type Seen = (String, String, String);

/// Reads a stream with everstream until the end of the first connection.
async fn everstream(url: &str) -> Vec<Seen> {
    let mut events = EventSource::new(reqwest::Client::new().get(url));
    let mut seen = Vec::new();
    loop {
        match events.next().await.expect("no end").expect("no error") {
            Event::Message(message) => seen.push((
                message.event().to_owned(),
                message.data().to_owned(),
                message.id().to_owned(),
            )),
            Event::Reconnecting { reason: cause, .. } => {
                // A stream may hold no field and no comment.
                let is_end = matches!(cause, Disconnect::Ended) || cause.remainder().is_some();
                assert!(is_end, "{cause}");
                return seen;
            }
            _ => {}
        }
    }
}

/// Reads a stream with the browser's `EventSource`, which fires `error` at the end of a connection.
/// It only listens to the given types.
async fn browser(url: &str, types: impl Iterator<Item = &str>) -> Vec<Seen> {
    let source = web_sys::EventSource::new(url).expect("a URL");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (end, ended) = oneshot::channel();
    let mut end = Some(end);
    let listener = Closure::<dyn FnMut(web_sys::Event)>::new({
        let seen = Rc::clone(&seen);
        move |event: web_sys::Event| {
            // A server may use the types `open` and `error`.
            if let Some(message) = event.dyn_ref::<MessageEvent>() {
                seen.borrow_mut().push((
                    message.type_(),
                    message.data().as_string().expect("text"),
                    message.last_event_id(),
                ));
            } else if event.type_() == "error" {
                end.take().expect("one end").send(()).expect("someone waits");
            }
        }
    });
    for name in types.chain(["message", "error"]) {
        let function = listener.as_ref().unchecked_ref();
        source.add_event_listener_with_callback(name, function).expect("listens");
    }
    ended.await.expect("an end");
    source.close();
    seen.take()
}

/// Returns the reason why this browser may read a stream differently, if there is one. The other
/// browser judges such a stream.
fn excuse(traits: &Traits) -> Option<&'static str> {
    let navigator = Reflect::get(&global(), &"navigator".into()).expect("is there");
    let agent = Reflect::get(&navigator, &"userAgent".into()).expect("is there");
    let is_firefox = agent.as_string().expect("text").contains("Firefox");
    let known = [
        (is_firefox && traits.nul, "Firefox leaves out NULs, and what follows one in an id"),
        (is_firefox && traits.id_without_data, "Firefox forgets an id in a block without data"),
        (
            !is_firefox && traits.line_end_after_bom,
            "Chromium takes a line end right after the byte order mark for text",
        ),
    ];
    known.iter().find(|(is_so, _)| *is_so).map(|(_, why)| *why)
}

/// The result of reading a stream.
enum Verdict {
    Equal { events: usize },
    Excused(&'static str),
    Different(String),
}

async fn judge(number: usize) -> Verdict {
    let about: About = json(&format!("/streams/{number}/about")).await;
    let url = url(&format!("/streams/{number}"));
    let types = about.events.iter().map(|(event, ..)| event.as_str());
    let (theirs, ours) = join(browser(&url, types), everstream(&url)).await;
    let excuse = excuse(&about.traits);
    if ours == about.events && (ours == theirs || excuse.is_some()) {
        return match excuse {
            Some(excuse) if ours != theirs => Verdict::Excused(excuse),
            _ => Verdict::Equal { events: ours.len() },
        };
    }
    Verdict::Different(format!(
        "stream {number}, in {} chunks: \"{}\"\n  browser:    {theirs:?}\n  everstream: {ours:?}\n  \
         standard:   {:?}",
        about.chunks, about.bytes, about.events,
    ))
}

#[wasm_bindgen_test]
async fn the_browser_and_everstream_yield_equal_events() {
    let rules = json::<About>("/streams/0/about").await.rules;
    let (mut equal, mut events) = (0, 0);
    let (mut excused, mut different) = (BTreeMap::<_, usize>::new(), Vec::new());
    let mut verdicts = iter(0..rules + RANDOM).map(judge).buffer_unordered(AT_A_TIME);
    while let Some(verdict) = verdicts.next().await {
        match verdict {
            Verdict::Equal { events: more } => {
                equal += 1;
                events += more;
            }
            Verdict::Excused(why) => *excused.entry(why).or_default() += 1,
            Verdict::Different(how) => different.push(how),
        }
    }
    assert!(different.is_empty(), "{} differences:\n{}", different.len(), different.join("\n"));
    assert!(equal >= 300, "only {equal} streams are judged");
    for (why, count) in excused {
        console_log!("excused: {count} streams: {why}");
    }
    console_log!("judged: {equal} streams, {events} events, no difference");
}
