//! The elements of the page.

use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlElement, HtmlInputElement, window};

/// The maximum number of lines in the log.
const LINES: u32 = 200;

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
