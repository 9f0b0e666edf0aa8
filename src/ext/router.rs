//! The dispatch of messages to a handler for each event type.

use crate::frame::MESSAGE;
use crate::owned::MessageEvent;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::hash::{BuildHasherDefault, Hasher};
use hashbrown::HashMap;

type Handler<'a, R> = Box<dyn FnMut(&MessageEvent) -> R + Send + 'a>;

/// A table of handlers by event type, as a browser's `addEventListener` fills one.
///
/// Handlers are `FnMut` closures and may borrow local state. They are `Send`, so a task that
/// owns a router can be spawned. They return an `R`, for example one enum that all event types
/// are decoded into; its default is `()`. Each type has one handler.
///
/// [`dispatch`](Self::dispatch) is synchronous and polls nothing, so there is nothing to
/// cancel. The caller's loop ends when its stream ends.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use everstream::{EventStream, EventStreamExt, Router};
/// use futures_util::TryStreamExt;
///
/// let body = futures_util::stream::iter([Ok::<_, std::io::Error>(
///     "event: delta\ndata: hi\n\nevent: usage\ndata: 2\n\nevent: new\ndata\n\n",
/// )]);
/// let (mut text, mut tokens) = (String::new(), 0);
/// let mut router = Router::new();
/// router.on("delta", |message| text.push_str(message.data()));
/// router.on("usage", |message| tokens = message.data().parse().unwrap_or(0));
///
/// let mut messages = EventStream::new(body).messages();
/// while let Some(message) = messages.try_next().await? {
///     router.dispatch(&message);
/// }
/// assert_eq!(router.unhandled(), 1); // "new"
/// drop(router);
/// assert_eq!((text.as_str(), tokens), ("hi", 2));
/// # Ok::<_, everstream::MessageError<std::io::Error>>(())
/// # }).unwrap().unwrap();
/// ```
///
/// Handlers that return a value decode each type into one enum:
///
/// ```
/// use everstream::{MessageEvent, Router};
///
/// #[derive(Debug, PartialEq)]
/// enum Update {
///     Price(f64),
///     Halted(String),
/// }
///
/// let mut router = Router::new();
/// router.on("price", |message| message.data().parse().map(Update::Price));
/// router.on("halted", |message| Ok(Update::Halted(message.data().to_owned())));
/// let update = router.dispatch(&MessageEvent::new("price", "12.5", ""));
/// assert_eq!(update, Some(Ok(Update::Price(12.5))));
/// ```
#[doc(alias = "addEventListener")]
#[doc(alias = "Dispatcher")]
pub struct Router<'a, R = ()> {
    handlers: HashMap<String, Handler<'a, R>, BuildHasherDefault<Fnv>>,
    otherwise: Option<Handler<'a, R>>,
    unhandled: u64,
}

impl<'a, R> Router<'a, R> {
    /// Creates a router without handlers. See [`Router`] for an example.
    pub fn new() -> Self {
        Router { handlers: HashMap::default(), otherwise: None, unhandled: 0 }
    }

    /// Sets the handler of an event type, and replaces one that was set before. Events without a
    /// type have the type `message`; an empty `event` means the same type. Types are compared
    /// literally. See [`Router`] for an example.
    #[doc(alias = "addEventListener")]
    #[doc(alias = "onmessage")]
    pub fn on(
        &mut self,
        event: impl Into<String>,
        handler: impl FnMut(&MessageEvent) -> R + Send + 'a,
    ) -> &mut Self {
        let event = event.into();
        let event = if event.is_empty() { MESSAGE.into() } else { event };
        self.handlers.insert(event, Box::new(handler));
        self
    }

    /// Sets the handler of all types that have no handler of their own.
    ///
    /// ```
    /// use everstream::{MessageEvent, Router};
    ///
    /// let mut router = Router::new();
    /// router.on("tick", |_| "tick".to_owned()).otherwise(|message| message.event().to_owned());
    /// let handled = router.dispatch(&MessageEvent::new("tock", "", ""));
    /// assert_eq!(handled.as_deref(), Some("tock"));
    /// assert_eq!(router.unhandled(), 0);
    /// ```
    pub fn otherwise(&mut self, handler: impl FnMut(&MessageEvent) -> R + Send + 'a) -> &mut Self {
        self.otherwise = Some(Box::new(handler));
        self
    }

    /// Removes the handler of an event type and returns whether there was one.
    ///
    /// ```
    /// use everstream::{MessageEvent, Router};
    ///
    /// let mut router = Router::new();
    /// router.on("tick", |_| ());
    /// assert!(router.remove("tick"));
    /// assert_eq!(router.dispatch(&MessageEvent::new("tick", "", "")), None);
    /// ```
    #[doc(alias = "removeEventListener")]
    pub fn remove(&mut self, event: &str) -> bool {
        let event = if event.is_empty() { MESSAGE } else { event };
        self.handlers.remove(event).is_some()
    }

    /// Calls the handler of the message's type and returns its result. Returns `None` and
    /// counts the message as unhandled if there is none. See [`Router`] for an example.
    #[doc(alias = "dispatchEvent")]
    pub fn dispatch(&mut self, message: &MessageEvent) -> Option<R> {
        match self.handlers.get_mut(message.event()).or(self.otherwise.as_mut()) {
            Some(handler) => Some(handler(message)),
            None => {
                self.unhandled = self.unhandled.saturating_add(1);
                None
            }
        }
    }

    /// Returns the number of messages that had no handler. See [`Router`] for an example.
    pub fn unhandled(&self) -> u64 {
        self.unhandled
    }
}

impl<R> Default for Router<'_, R> {
    fn default() -> Self {
        Router::new()
    }
}

impl<R> fmt::Debug for Router<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("events", &self.handlers.keys())
            .field("unhandled", &self.unhandled)
            .finish_non_exhaustive()
    }
}

/// The FNV-1a hash. The program, not the server, chooses the keys of the table, so collisions
/// cannot be provoked.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
