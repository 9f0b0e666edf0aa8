//! The smallest page with an event stream: it logs the events.

use everstream::{Event, RequestBuilderExt};
use futures_util::TryStreamExt;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;
use web_sys::console;

#[wasm_bindgen]
pub fn follow(url: String) {
    spawn_local(async move {
        let mut events = reqwest::Client::new().get(url).into_event_source();
        while let Ok(Some(event)) = events.try_next().await {
            if let Event::Message(message) = event {
                console::log_1(&message.data().into());
            }
        }
    });
}
