//! Tests of sleeps on `setTimeout`.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use everstream::timer::{DefaultSleep, WebSleep};
use everstream::{DefaultTimer, Timer, WebTimer};
use futures_util::future::{Either, select};
use futures_util::poll;
use js_sys::{Array, Function, Reflect, global};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

const MILLI: Duration = Duration::from_millis(1);
/// The longest timeout of `setTimeout`.
const LONGEST: f64 = i32::MAX as f64;

/// A guard that replaces the page's `setTimeout` and `clearTimeout` by functions that record their
/// calls. If it is in a hurry, they fire at once.
struct Watched {
    own: [(&'static str, JsValue); 2],
    asked: Array,
    cleared: Array,
}

impl Watched {
    fn new(in_a_hurry: bool) -> Self {
        let own = ["setTimeout", "clearTimeout"];
        let own = own.map(|name| (name, Reflect::get(&global(), &name.into()).expect("is there")));
        let (asked, cleared) = (Array::new(), Array::new());
        let set = "asked.push(delay); return own.call(globalThis, callback, hurry ? 0 : delay)";
        let set = Function::new_with_args("own, asked, hurry, callback, delay", set);
        let bound = Array::of3(&own[0].1, &asked, &in_a_hurry.into());
        replace("setTimeout", &set, &bound);
        let clear = Function::new_with_args(
            "own, cleared, id",
            "cleared.push(id); own.call(globalThis, id)",
        );
        replace("clearTimeout", &clear, &Array::of2(&own[1].1, &cleared));
        Watched { own, asked, cleared }
    }

    fn asked(&self) -> Vec<f64> {
        self.asked.iter().map(|delay| delay.as_f64().expect("a number")).collect()
    }
}

/// Binds the first arguments of a function, and assigns it to a global name.
fn replace(name: &str, function: &Function, first: &Array) {
    let bind: Function = Reflect::get(function, &"bind".into()).expect("is there").unchecked_into();
    let bound = bind.apply(function, &Array::of1(&JsValue::NULL).concat(first)).expect("binds");
    Reflect::set(&global(), &name.into(), &bound).expect("can be replaced");
}

impl Drop for Watched {
    fn drop(&mut self) {
        for (name, own) in &self.own {
            Reflect::set(&global(), &(*name).into(), own).expect("can be put back");
        }
    }
}

fn now() -> f64 {
    let performance = Reflect::get(&global(), &"performance".into()).expect("is there");
    let now: Function =
        Reflect::get(&performance, &"now".into()).expect("is there").unchecked_into();
    now.call0(&performance).expect("is a clock").as_f64().expect("is a number")
}

#[wasm_bindgen_test]
async fn a_sleep_never_ends_too_early() {
    for micros in [0, 1, 500, 1000, 1500, 4000, 9999, 20_000, 50_000] {
        for _ in 0..5 {
            let start = now();
            WebTimer.sleep(Duration::from_micros(micros)).await;
            let took = now() - start;
            assert!(took * 1000.0 >= micros as f64, "{micros} µs took {took} ms");
        }
    }
}

#[wasm_bindgen_test]
async fn a_sleep_that_no_timeout_can_take_does_not_end_at_once() {
    for long in [Duration::from_millis(1 << 31), Duration::from_millis(1 << 32), Duration::MAX] {
        let sleep = pin!(WebTimer.sleep(long));
        match select(sleep, WebTimer.sleep(50 * MILLI)).await {
            Either::Left(_) => panic!("{long:?} is over"),
            Either::Right(_) => {}
        }
    }
}

#[wasm_bindgen_test]
async fn a_sleep_that_no_timeout_can_take_is_a_chain_of_them() {
    let watched = Watched::new(true);
    WebTimer.sleep(Duration::from_millis(1 << 32)).await;
    assert_eq!(watched.asked(), [LONGEST, LONGEST, 5.0]);
}

#[wasm_bindgen_test]
async fn a_sleep_that_is_dropped_clears_its_timeout() {
    let watched = Watched::new(false);
    drop(WebTimer.sleep(Duration::from_secs(3600)));
    assert_eq!((watched.asked(), watched.cleared.length()), (vec![3_600_001.0], 1));
}

#[wasm_bindgen_test]
async fn the_default_timer_is_set_timeout() {
    let watched = Watched::new(true);
    let sleep: DefaultSleep = DefaultTimer.sleep(Duration::from_secs(3600));
    sleep.await;
    let mut sleep: WebSleep = WebTimer.sleep(2 * MILLI);
    assert_eq!(poll!(&mut sleep), Poll::Pending);
    sleep.await;
    assert_eq!(watched.asked(), [3_600_001.0, 3.0]);
}

#[wasm_bindgen_test]
async fn sleeps_can_be_moved_between_polls() {
    fn unpin<T: Future + Unpin>(_: &T) {}
    let mut sleep = WebTimer.sleep(20 * MILLI);
    unpin(&sleep);
    assert_eq!(poll!(&mut sleep), Poll::Pending);
    Box::new(sleep).await;
}
