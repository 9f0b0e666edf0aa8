//! The server that `cargo run` in this folder starts: the pages and their events.

pub mod bundle;
mod demo;
mod fragments;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folders of the [bundles](bundle::bundle) of both pages.
#[derive(Debug)]
pub struct Bundles {
    page: PathBuf,
    fragments: PathBuf,
}

impl Bundles {
    /// Builds both pages.
    pub fn build() -> bundle::Result<Bundles> {
        let page = bundle::bundle("everstream-page")?;
        Ok(Bundles { page, fragments: bundle::bundle("everstream-fragments")? })
    }

    /// Returns the folder of the page that shows a stream.
    pub fn page(&self) -> &Path {
        &self.page
    }
}

/// Returns the routes of both pages and of their events.
pub fn router(bundles: &Bundles) -> io::Result<Router> {
    let html = include_bytes!("../../page/static/index.html").to_vec();
    let style = include_bytes!("../../page/static/style.css").to_vec();
    let fragments = include_bytes!("../../fragments/static/index.html").to_vec();
    let mut files = vec![
        ("/".to_owned(), "text/html; charset=utf-8", html),
        ("/style.css".to_owned(), "text/css; charset=utf-8", style),
        ("/fragments".to_owned(), "text/html; charset=utf-8", fragments),
    ];
    for (folder, name) in
        [(&bundles.page, "everstream_page"), (&bundles.fragments, "everstream_fragments")]
    {
        for (file, content_type) in [
            (format!("{name}.js"), "text/javascript; charset=utf-8"),
            (format!("{name}_bg.wasm"), "application/wasm"),
        ] {
            let content = fs::read(folder.join(&file))?;
            files.push((format!("/{file}"), content_type, content));
        }
    }
    let mut router = Router::new();
    for (path, content_type, content) in files {
        let file = async move || ([(CONTENT_TYPE, content_type)], content.clone()).into_response();
        router = router.route(&path, get(file));
    }
    Ok(router
        .route("/events", get(demo::events))
        .route("/cut", post(demo::cut))
        .with_state(demo::Demo::start())
        .route("/fragments/events", get(fragments::events)))
}
