//! The server of the page: it builds the page, serves it, and sends events.

pub mod bundle;
mod demo;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use std::path::Path;
use std::{fs, io};

/// Returns the routes of the page and the demo. `page` is the folder of the
/// [bundle](bundle::bundle).
pub fn router(page: &Path) -> io::Result<Router> {
    let script = fs::read(page.join("everstream_page.js"))?;
    let wasm = fs::read(page.join("everstream_page_bg.wasm"))?;
    let html = include_bytes!("../../page/static/index.html").to_vec();
    let style = include_bytes!("../../page/static/style.css").to_vec();
    let mut router = Router::new();
    for (path, content_type, content) in [
        ("/", "text/html; charset=utf-8", html),
        ("/style.css", "text/css; charset=utf-8", style),
        ("/everstream_page.js", "text/javascript; charset=utf-8", script),
        ("/everstream_page_bg.wasm", "application/wasm", wasm),
    ] {
        let file = async move || ([(CONTENT_TYPE, content_type)], content.clone()).into_response();
        router = router.route(path, get(file));
    }
    let demo = demo::Demo::start();
    Ok(router.route("/events", get(demo::events)).route("/cut", post(demo::cut)).with_state(demo))
}
