//! A page that shows the events and the state of a stream.

mod view;

use everstream::{Event, EventSource, Handle, ReadyState, RequestBuilderExt, Timer, WebTimer};
use futures_util::StreamExt;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen_futures::spawn_local;
use web_sys::{EventTarget, HtmlInputElement};

/// The time between two updates of the countdown.
const TICK: Duration = Duration::from_millis(50);

/// The state that the buttons and the stream share.
#[derive(Default)]
struct Page {
    handle: RefCell<Option<Handle>>,
    /// The number of the current stream. Items of earlier streams are ignored.
    stream: Cell<u32>,
    /// The number of the delay that is counted down.
    wait: Cell<u32>,
    events: Cell<u32>,
    connections: Cell<u32>,
    missed: Cell<u64>,
    last_id: RefCell<String>,
}

/// Connects, so that the page shows a stream as soon as it is open.
#[wasm_bindgen(start)]
fn start() {
    let page = Rc::new(Page::default());
    view::element::<HtmlInputElement>("url").set_value(&format!("{}/events", view::origin()));
    on("connect", "submit", &page, |page, event| {
        event.prevent_default();
        page.last_id.take();
        connect(page);
    });
    on("close", "click", &page, |page, _| {
        if let Some(handle) = &*page.handle.borrow() {
            handle.close();
        }
    });
    on("reconnect", "click", &page, |page, _| {
        let handle = page.handle.borrow().clone();
        match handle.filter(|handle| handle.ready_state() != ReadyState::Closed) {
            Some(handle) => handle.reconnect_now(),
            None => connect(page),
        }
    });
    on("cut", "click", &page, |_, _| {
        spawn_local(async {
            let _ = reqwest::Client::new().post(format!("{}/cut", view::origin())).send().await;
        });
    });
    connect(&page);
}

fn on(id: &str, event: &str, page: &Rc<Page>, act: fn(&Rc<Page>, web_sys::Event)) {
    let page = Rc::clone(page);
    let listener = Closure::<dyn Fn(web_sys::Event)>::new(move |event| act(&page, event));
    let target: EventTarget = view::element(id);
    let function = listener.as_ref().unchecked_ref();
    target.add_event_listener_with_callback(event, function).expect("listens");
    listener.forget();
}

/// Starts a stream that resumes from the last event ID.
fn connect(page: &Rc<Page>) {
    if let Some(handle) = page.handle.take() {
        handle.close();
    }
    let request = reqwest::Client::new().get(view::url());
    let builder = request.into_event_source_builder().last_event_id(&*page.last_id.borrow());
    let mut events = builder.build();
    page.handle.replace(Some(events.handle()));
    page.stream.set(page.stream.get() + 1);
    view::state("connecting", "Connecting", &waits_for_answer());
    for button in ["close", "reconnect", "cut"] {
        view::enable(button, true);
    }
    spawn_local(Rc::clone(page).follow(events));
}

impl Page {
    async fn follow(self: Rc<Self>, mut events: EventSource) {
        let stream = self.stream.get();
        let mut end = None;
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.show(event),
                Err(error) => end = Some(error.to_string()),
            }
        }
        if self.stream.get() == stream {
            self.wait.set(self.wait.get() + 1);
            let (kind, words, detail) = match end {
                Some(error) => ("failed", "Failed", error),
                None => ("closed", "Closed", "The page no longer waits for events.".to_owned()),
            };
            view::state(kind, words, &detail);
            view::log(&format!("note {kind}"), "", kind, &detail);
            view::enable("close", false);
            view::enable("cut", false);
        }
    }

    fn show(self: &Rc<Self>, event: Event) {
        match event {
            Event::Open(opened) => {
                self.wait.set(self.wait.get() + 1);
                count(&self.connections, "connections");
                let (words, next) = match opened.last_event_id() {
                    Some(id) => (format!("resumed after event {id}"), "the next event"),
                    None => ("connected".to_owned(), "the first event"),
                };
                let url = opened.url().unwrap_or_default();
                view::state("open", "Connected", &format!("Waiting for {next} of {url}."));
                view::mark("open", "↻", &words);
                view::log("note open", "", "open", &words);
            }
            Event::Message(message) => {
                count(&self.events, "events");
                self.watch_for_gaps(message.id());
                view::mark("event", "", message.id());
                view::write("detail", "Waiting for the next event.");
                view::write("last-id", if message.id().is_empty() { "–" } else { message.id() });
                view::log("", message.id(), message.event(), message.data());
            }
            Event::Reconnecting { reason, delay, attempt, .. } => {
                let reason = reason.to_string();
                view::state("waiting", "Connection lost", &self.waits_for_delay(&reason));
                view::mark("lost", "✕", &reason);
                view::mark("delay", "", "delay");
                view::log("note", "", "lost", &reason);
                spawn_local(Rc::clone(self).count_down(delay, attempt));
            }
            _ => {}
        }
    }

    fn waits_for_delay(&self, reason: &str) -> String {
        match &*self.last_id.borrow() {
            id if id.is_empty() => format!("The reason: {reason}."),
            id => format!("It will resume after event {id}. The reason: {reason}."),
        }
    }

    /// Reports a gap. The demo's IDs are consecutive numbers.
    fn watch_for_gaps(&self, id: &str) {
        let last = self.last_id.replace(id.to_owned());
        if let (Ok(last), Ok(id)) = (last.parse::<u64>(), id.parse::<u64>()) {
            self.missed.set(self.missed.get() + id.saturating_sub(last + 1));
            view::write("missed", &self.missed.get().to_string());
        }
    }

    async fn count_down(self: Rc<Self>, delay: Duration, attempt: u32) {
        let wait = self.wait.get() + 1;
        self.wait.set(wait);
        let delay = delay.as_secs_f64();
        let end = js_sys::Date::now() / 1000.0 + delay;
        while self.wait.get() == wait {
            let left = end - js_sys::Date::now() / 1000.0;
            if left <= 0.0 {
                let words = format!("{} This is attempt {attempt}.", waits_for_answer());
                view::state("connecting", "Connecting", &words);
                return;
            }
            view::write("state", &format!("Connection lost: reconnecting in {left:.1} s"));
            view::bar(left / delay);
            view::stretch(delay - left);
            WebTimer.sleep(TICK).await;
        }
    }
}

fn waits_for_answer() -> String {
    format!("Waiting for an answer from {}.", view::url())
}

fn count(cell: &Cell<u32>, id: &str) {
    cell.set(cell.get() + 1);
    view::write(id, &cell.get().to_string());
}
