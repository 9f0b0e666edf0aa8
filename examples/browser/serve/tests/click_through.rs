//! Both pages in Chromium. A user of the first one loses the connection, comes back, closes and
//! connects again; the second one applies the fragments of its server.
//!
//! The first test leaves two screenshots and prints their paths.

use everstream_serve::{Bundles, router};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Cursor;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

/// The maximum time until the page shows an expected state.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_user_loses_the_connection_and_misses_nothing() {
    in_browser(async |page, url, folder| click_through(page, url, folder).await).await;
}

#[tokio::test]
async fn fragments_of_many_lines_change_the_page_once_each() {
    in_browser(async |page, url, _| fragments(page, url).await).await;
}

/// Runs a test in a browser of its own, against a server of its own.
async fn in_browser(test: impl AsyncFnOnce(&Client, &str, &Path)) {
    static BUNDLES: OnceCell<Bundles> = OnceCell::const_new();
    let bundles = BUNDLES.get_or_init(async || Bundles::build().expect("the pages build")).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let router = router(bundles).expect("the bundles are complete");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let (_driver, page) = browser().await;
    let test = AssertUnwindSafe(test(&page, &url, bundles.page()));
    let outcome = test.catch_unwind().await;
    page.close().await.expect("the browser ends");
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

async fn click_through(page: &Client, url: &str, folder: &Path) {
    page.goto(url).await.expect("the page loads");
    // It connects without a click, and says at each moment what it waits for.
    see(page, "#url", |shown| shown == format!("{url}events")).await;
    see(page, "#state", |state| state == "Connected").await;
    see(page, "#events", |events| number(events) >= 6).await;
    assert_eq!(text(page, "#detail").await, "Waiting for the next event.");

    record(page).await;
    click(page, "#cut").await;
    see_recorded(page, "#state", is_reconnecting).await;
    see_recorded(page, "#bar", |style| style.starts_with("width: ") && style != "width: 0.0%")
        .await;
    see_recorded(page, "#detail", |text| text.starts_with("It will resume after event ")).await;
    see(page, "#state", |state| state == "Connected").await;
    assert_eq!(text(page, "#connections").await, "2");
    let events = number(&text(page, "#events").await);
    see(page, "#events", |shown| number(shown) >= events + 9).await;

    // The button "reconnect now" skips the delay. The page clicks it, because the driver of a busy
    // machine can take longer than the delay.
    page.execute(RECONNECT_IN_THE_DELAY, Vec::new()).await.expect("it waits for the delay");
    click(page, "#cut").await;
    see_recorded(page, "#bar", |style| style == "clicked").await;
    see(page, "#connections", |connections| connections == "3").await;
    let marks =
        "return [...document.querySelectorAll('#line i:not(.event)')].map(it => it.className)";
    let marks = page.execute(marks, Vec::new()).await.expect("a line");
    let expected = ["open", "lost", "delay", "open", "lost", "delay", "open"];
    assert_eq!(marks, json!(expected), "the line shows each loss, its delay and the resume");

    click(page, "#close").await;
    see(page, "#state", |state| state == "Closed").await;
    assert!(!can_click(page, "#close").await);
    let events = text(page, "#events").await;
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(text(page, "#events").await, events, "no event arrives after the end");

    click(page, "#reconnect").await;
    see(page, "#state", |state| state == "Connected").await;
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

    // The picture comes last, because a slow machine can take longer for it than the delay.
    click(page, "#cut").await;
    see(page, "#state", is_reconnecting).await;
    sleep(Duration::from_millis(1200)).await; // so that the picture shows a part of the delay
    screenshot(page, &folder.join("reconnecting.png")).await;
}

/// Records each state, detail and bar that the page shows. A delay may be over before the driver
/// looks at the page.
async fn record(page: &Client) {
    let script = "window.recorded = {};
        for (const id of ['#state', '#detail', '#bar']) {
            const it = document.querySelector(id), shown = window.recorded[id] = [];
            const note = () => shown.push(it.getAttribute('style') ?? it.textContent);
            const changes = {childList: true, characterData: true, subtree: true, attributes: true};
            new MutationObserver(note).observe(it, changes);
        }";
    page.execute(script, Vec::new()).await.expect("it is recorded");
}

/// Clicks the button as soon as the page waits for a delay.
const RECONNECT_IN_THE_DELAY: &str = "
    const state = document.querySelector('#state');
    const observer = new MutationObserver(() => {
        if (state.textContent.startsWith('Connection lost: reconnecting in ')) {
            observer.disconnect();
            document.querySelector('#reconnect').click();
            window.recorded['#bar'].push('clicked');
        }
    });
    observer.observe(state, {childList: true, characterData: true, subtree: true});";

fn is_reconnecting(state: &str) -> bool {
    state.starts_with("Connection lost: reconnecting in ")
}

/// The connection breaks in the fifth of eight events. The final page shows each event once.
async fn fragments(page: &Client, url: &str) {
    page.goto(&format!("{url}fragments")).await.expect("the page loads");
    see(page, "#state", |state| state == "All fragments\nhave arrived.\n").await;
    let dom = "return {
        greeting: document.querySelector('#greeting').innerHTML,
        orders: [...document.querySelectorAll('#orders li')].map(li => li.textContent.trim()),
        afterOrders: document.querySelector('#orders').nextElementSibling.outerHTML,
        weather: document.querySelector('[sse-swap=weather]').innerHTML,
    }";
    let found = page.execute(dom, Vec::new()).await.expect("a page");
    let expected = json!({
        "greeting": "\n  <h2>Grüße 🦀</h2>\n  <p>This section came in four lines.</p>\n",
        "orders": ["a pen", "1 book, sent"],
        "afterOrders": "<p id=\"total\">\n  2 orders\n</p>",
        "weather": "<b>4 °C</b>\n<pre>  wind\n\n  from the west</pre>",
    });
    assert_eq!(found, expected);
}

/// A browser, and what drives it until it is dropped.
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
            "--no-first-run", "--hide-scrollbars", "--window-size=980,750",
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

/// Waits until an element has shown what satisfies `is_it`, since [`record`].
async fn see_recorded(page: &Client, selector: &str, is_it: impl Fn(&str) -> bool) {
    let recorded = async || {
        let shown = page.execute("return window.recorded[arguments[0]]", vec![selector.into()]);
        shown.await.expect("it is recorded").as_array().expect("a list").clone()
    };
    let seen = async {
        while !recorded().await.iter().any(|shown| shown.as_str().is_some_and(&is_it)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(PATIENCE, seen).await.is_err() {
        panic!("{selector} has shown {:?}", recorded().await);
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
    std::fs::write(file, smaller(&png)).expect("it is written");
    println!("screenshot: {}", file.display());
}

/// Keeps the 256 most frequent colours of a picture, which makes it less than half as large.
fn smaller(png: &[u8]) -> Vec<u8> {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().expect("a PNG");
    let mut rgb = vec![0; reader.output_buffer_size().expect("it fits into memory")];
    let frame = reader.next_frame(&mut rgb).expect("a picture");
    assert_eq!(frame.color_type, png::ColorType::Rgb);
    let mut counts = HashMap::new();
    for color in rgb.chunks(3) {
        *counts.entry(color).or_insert(0) += 1;
    }
    assert!(counts.len() > 20, "the page is blank");
    let mut palette: Vec<&[u8]> = counts.keys().copied().collect();
    palette.sort_by_key(|color| (Reverse(counts[color]), *color));
    palette.truncate(256);
    let nearest = |color: &[u8]| {
        let distance = |other: &[u8]| -> u32 {
            color.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum()
        };
        (0..palette.len()).min_by_key(|index| distance(palette[*index])).unwrap_or(0) as u8
    };
    let indices: HashMap<&[u8], u8> = counts.keys().map(|color| (*color, nearest(color))).collect();
    let pixels: Vec<u8> = rgb.chunks(3).map(|color| indices[color]).collect();

    let mut smaller = Vec::new();
    let mut encoder = png::Encoder::new(&mut smaller, frame.width, frame.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&pixels).expect("as many pixels");
    writer.finish().expect("an end");
    smaller
}
