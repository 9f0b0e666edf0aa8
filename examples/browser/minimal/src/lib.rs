//! The smallest page with an event stream: it logs the events, and whether the stream ends or fails.

use everstream::{Event, RequestBuilderExt};
use futures_util::TryStreamExt;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;
use web_sys::console;

#[wasm_bindgen]
pub fn follow(url: String) {
    spawn_local(async move {
        let mut events = reqwest::Client::new().get(url).into_event_source();
        loop {
            match events.try_next().await {
                Ok(Some(Event::Message(message))) => console::log_1(&message.data().into()),
                Ok(Some(_)) => {}
                Ok(None) => break console::log_1(&"the server has no more events".into()),
                // The text of the error would add 10 KB with gzip to this page.
                Err(_) => break console::error_1(&"the stream has failed".into()),
            }
        }
    });
}
