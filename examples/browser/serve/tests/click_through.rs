//! Operates the page in Chromium: connects, breaks the connection, resumes, closes, revives.
//!
//! It writes a screenshot and prints its path.

use everstream_serve::{bundle, router};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// The maximum time until the page shows an expected state.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_user_loses_the_line_and_misses_nothing() {
    let folder = bundle::bundle("everstream-page").expect("the page builds");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let router = router(&folder).expect("the bundle is complete");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let (_driver, page) = browser().await;
    let outcome = AssertUnwindSafe(click_through(&page, &url, &folder)).catch_unwind().await;
    page.close().await.expect("the browser ends");
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

async fn click_through(page: &Client, url: &str, folder: &Path) {
    page.goto(url).await.expect("the page loads");
    see(page, "#url", |shown| shown == format!("{url}events")).await;
    assert_eq!(text(page, "#state").await, "not connected");
    assert!(!can_click(page, "#cut").await);

    click(page, "form button").await;
    see(page, "#state", |state| state == "open").await;
    see(page, "#events", |events| number(events) >= 3).await;

    click(page, "#cut").await;
    see(page, "#state", |state| state.starts_with("reconnecting in ")).await;
    see(page, "#bar", |style| style.starts_with("width: ") && style != "width: 0.0%").await;
    screenshot(page, &folder.join("reconnecting.png")).await;
    see(page, "#state", |state| state == "open").await;
    assert_eq!(text(page, "#connections").await, "2");
    let events = number(&text(page, "#events").await);
    see(page, "#events", |shown| number(shown) >= events + 3).await;

    // The button "reconnect now" skips the delay.
    click(page, "#cut").await;
    see(page, "#state", |state| state.starts_with("reconnecting in ")).await;
    click(page, "#reconnect").await;
    see(page, "#connections", |connections| connections == "3").await;

    click(page, "#close").await;
    see(page, "#state", |state| state == "closed").await;
    assert!(!can_click(page, "#close").await);
    let events = text(page, "#events").await;
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(text(page, "#events").await, events, "nothing arrives behind the end");

    click(page, "#reconnect").await;
    see(page, "#state", |state| state == "open").await;
    see(page, "#events", |shown| number(shown) >= number(&events) + 3).await;
    screenshot(page, &folder.join("open.png")).await;

    // Each ID must be there once, in order. The log shows the newest first.
    let ids = "return [...document.querySelectorAll('#log .id')].map(id => id.textContent).filter(id => id)";
    let ids = page.execute(ids, Vec::new()).await.expect("a log");
    let mut ids: Vec<u64> = ids
        .as_array()
        .expect("a list")
        .iter()
        .map(|id| number(id.as_str().unwrap_or("")))
        .collect();
    ids.reverse();
    let expected: Vec<u64> = (ids[0]..).take(ids.len()).collect();
    assert_eq!(ids, expected);
    assert_eq!(text(page, "#missed").await, "0");
}

/// Starts a browser and its driver. Dropping the driver stops both.
async fn browser() -> (Child, Client) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("chromedriver is installed");
    let mut lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
    let port = loop {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("text");
        let line = line.expect("a port");
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            break port.trim_end_matches('.').to_owned();
        }
    };
    let options = json!({
        "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
            "--disable-sync", "--disable-background-networking", "--disable-component-update",
            "--no-first-run", "--window-size=1100,760",
        ],
    });
    let capabilities = Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)]);
    let page = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .expect("Chromium is installed");
    (driver, page)
}

/// Returns the value of a field, the style of the bar, or the text of any other element.
async fn text(page: &Client, selector: &str) -> String {
    let script = "const it = document.querySelector(arguments[0]);
        return it.value ?? it.getAttribute('style') ?? it.textContent";
    let text = page.execute(script, vec![selector.into()]).await.expect("it is there");
    text.as_str().unwrap_or_default().to_owned()
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

/// Waits until an element of the page satisfies `is_it`.
async fn see(page: &Client, selector: &str, is_it: impl Fn(&str) -> bool) {
    let seen = async {
        while !is_it(&text(page, selector).await) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(PATIENCE, seen).await.is_err() {
        panic!("{selector} shows {:?} in the end", text(page, selector).await);
    }
}

async fn click(page: &Client, selector: &str) {
    let button = page.find(Locator::Css(selector)).await.expect("it is there");
    button.click().await.expect("it can be clicked");
}

async fn can_click(page: &Client, selector: &str) -> bool {
    let button = page.find(Locator::Css(selector)).await.expect("it is there");
    button.is_enabled().await.expect("it is a button")
}

async fn screenshot(page: &Client, file: &Path) {
    let png = page.screenshot().await.expect("a screenshot");
    assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000, "{} bytes", png.len());
    std::fs::write(file, png).expect("it is written");
    println!("screenshot: {}", file.display());
}
