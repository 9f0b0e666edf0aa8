//! The elements of the page.

use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlElement, HtmlInputElement, window};

/// The number of lines that the log keeps, and of marks that the line of the connection keeps.
const LINES: u32 = 200;
const MARKS: u32 = 120;
/// The width of a second of delay on that line, in pixels.
const SECOND: f64 = 32.0;

pub(crate) fn origin() -> String {
    window().and_then(|window| window.location().origin().ok()).unwrap_or_default()
}

fn document() -> Document {
    window().and_then(|window| window.document()).expect("a page has a document")
}

pub(crate) fn element<T: JsCast>(id: &str) -> T {
    let element = document().get_element_by_id(id).and_then(|element| element.dyn_into().ok());
    element.unwrap_or_else(|| panic!("index.html has #{id}"))
}

pub(crate) fn write(id: &str, text: &str) {
    element::<Element>(id).set_text_content(Some(text));
}

pub(crate) fn url() -> String {
    element::<HtmlInputElement>("url").value()
}

pub(crate) fn enable(id: &str, enabled: bool) {
    let disabled = (!enabled).then_some("disabled");
    let button: Element = element(id);
    let _ = match disabled {
        Some(name) => button.set_attribute(name, ""),
        None => button.remove_attribute("disabled"),
    };
}

/// Shows the state as a colour and in words, with a detail.
pub(crate) fn state(kind: &str, words: &str, detail: &str) {
    let _ = element::<Element>("status").set_attribute("data-state", kind);
    write("state", words);
    write("detail", detail);
    bar(0.0);
}

/// Shows the rest of a delay, from 0 to 1.
pub(crate) fn bar(share: f64) {
    let width = format!("{:.1}%", share.clamp(0.0, 1.0) * 100.0);
    let _ = element::<HtmlElement>("bar").set_attribute("style", &format!("width: {width}"));
}

/// Adds a mark at the right end of the line that shows the connection over time.
pub(crate) fn mark(class: &str, sign: &str, title: &str) {
    let line: Element = element("line");
    let mark = make("i", class, sign);
    let _ = mark.set_attribute("title", title);
    let _ = line.append_child(&mark);
    if line.child_element_count() > MARKS {
        let _ = line.first_child().map(|first| line.remove_child(&first));
    }
}

/// Makes the delay at the right end of that line as long as it has lasted.
pub(crate) fn stretch(seconds: f64) {
    if let Some(delay) = element::<Element>("line").last_element_child() {
        let _ = delay.set_attribute("style", &format!("width: {:.0}px", seconds * SECOND));
    }
}

/// Adds a line at the top of the log.
pub(crate) fn log(class: &str, id: &str, kind: &str, text: &str) {
    let time = js_sys::Date::new_0().to_locale_time_string("en-GB").as_string();
    let time = time.unwrap_or_default();
    let line = make("li", class, "");
    for (tag, class, text) in [
        ("time", "time", &*time),
        ("span", "id", id),
        ("span", "type", kind),
        ("span", "data", text),
    ] {
        let _ = line.append_child(&make(tag, class, text));
    }
    let log: Element = element("log");
    let _ = log.insert_before(&line, log.first_child().as_ref());
    if log.child_element_count() > LINES {
        let _ = log.last_child().map(|last| log.remove_child(&last));
    }
}

fn make(tag: &str, class: &str, text: &str) -> Element {
    let element = document().create_element(tag).expect("a name of an element");
    element.set_class_name(class);
    element.set_text_content(Some(text));
    element
}
