//! A page whose server sends fragments of HTML in events of many lines.
//!
//! - `event: datastar-patch-elements` is the protocol of [Datastar](https://data-star.dev): lines
//!   `selector`, `mode` and `elements`. Datastar also morphs elements; this page replaces them.
//! - The data of any other event goes into the element whose attribute `sse-swap` names the event's
//!   type, as in the SSE extension of [htmx](https://htmx.org/extensions/sse).
//!
//! The server is trusted: its HTML becomes part of the page.

use everstream::{EventStreamExt, MessageEvent, RequestBuilderExt};
use futures_util::StreamExt;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen::{JsCast, UnwrapThrowExt};
use web_sys::{Document, Element, HtmlTemplateElement, console, window};

#[wasm_bindgen(start)]
async fn start() -> Result<(), JsValue> {
    let window = window().unwrap_throw();
    let page = window.document().unwrap_throw();
    let url = format!("{}/fragments/events", window.location().origin()?);
    let mut messages = reqwest::Client::new().get(url).into_event_source().messages();
    while let Some(message) = messages.next().await {
        let message = message.map_err(|error| error.to_string())?;
        // One bad fragment must not keep the next ones from the page.
        if let Err(error) = apply(&page, &message) {
            console::error_1(&error);
        }
    }
    Ok(())
}

fn apply(page: &Document, message: &MessageEvent) -> Result<(), JsValue> {
    match message.event() {
        "datastar-patch-elements" => Patch::parse(message.data()).apply(page),
        event => {
            let selector = format!("[sse-swap={event:?}]");
            for_each(page, &selector, |target| {
                target.set_inner_html(message.data());
                Ok(())
            })
        }
    }
}

/// A change of the page.
#[derive(Default)]
struct Patch<'a> {
    selector: Option<&'a str>,
    mode: &'a str,
    elements: String,
}

impl<'a> Patch<'a> {
    fn parse(data: &'a str) -> Self {
        let mut patch = Patch { mode: "outer", ..Patch::default() };
        for line in data.split('\n') {
            match line.split_once(' ') {
                Some(("selector", selector)) => patch.selector = Some(selector),
                Some(("mode", mode)) => patch.mode = mode,
                Some(("elements", html)) => {
                    patch.elements.push_str(html);
                    patch.elements.push('\n');
                }
                _ => {} // options of later versions
            }
        }
        patch
    }

    fn apply(&self, page: &Document) -> Result<(), JsValue> {
        let html = &self.elements;
        let Some(selector) = self.selector else { return self.replace_by_id(page) };
        for_each(page, selector, |target| match self.mode {
            "inner" => {
                target.set_inner_html(html);
                Ok(())
            }
            "outer" | "replace" => {
                target.set_outer_html(html);
                Ok(())
            }
            "before" => target.insert_adjacent_html("beforebegin", html),
            "prepend" => target.insert_adjacent_html("afterbegin", html),
            "append" => target.insert_adjacent_html("beforeend", html),
            "after" => target.insert_adjacent_html("afterend", html),
            "remove" => {
                target.remove();
                Ok(())
            }
            mode => Err(format!("unknown mode {mode:?}").into()),
        })
    }

    /// Replaces the elements of the page that have the IDs of the new ones.
    fn replace_by_id(&self, page: &Document) -> Result<(), JsValue> {
        let template: HtmlTemplateElement = page.create_element("template")?.unchecked_into();
        template.set_inner_html(&self.elements);
        let new = template.content().children();
        while let Some(element) = new.item(0) {
            element.remove();
            if let Some(old) = page.get_element_by_id(&element.id()) {
                old.replace_with_with_node_1(&element)?;
            }
        }
        Ok(())
    }
}

fn for_each(
    page: &Document,
    selector: &str,
    change: impl Fn(Element) -> Result<(), JsValue>,
) -> Result<(), JsValue> {
    let targets = page.query_selector_all(selector)?;
    (0..targets.length())
        .filter_map(|index| targets.item(index)?.dyn_into().ok())
        .try_for_each(change)
}
