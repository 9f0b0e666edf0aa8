//! The timer of an `EventSource`: the default one, or the user's with its type erased.

use super::platform::{self, BoxFuture, MaybeSend, MaybeSync};
use crate::timer::{DefaultSleep, DefaultTimer, Timer, TimerError};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

type Made = Result<BoxFuture<()>, TimerError>;

pub(super) trait MakeSleep: Fn(Duration) -> Made + MaybeSync {}
impl<F: Fn(Duration) -> Made + MaybeSync> MakeSleep for F {}

#[derive(Clone)]
pub(super) enum AnyTimer {
    Default,
    /// The box makes the reference one word, for the streams with the default timer.
    Given(Arc<Box<dyn MakeSleep>>),
}

impl AnyTimer {
    pub(super) fn given<T>(timer: T) -> Self
    where
        T: Timer + MaybeSync + 'static,
        T::Sleep: MaybeSend + 'static,
    {
        let make = move |duration| timer.try_sleep(duration).map(platform::boxed);
        AnyTimer::Given(Arc::new(Box::new(make)))
    }

    /// Returns whether a sleep that is polled now would end.
    pub(super) fn has_runtime(&self) -> bool {
        match self {
            AnyTimer::Default => DefaultTimer::has_runtime(),
            AnyTimer::Given(_) => true,
        }
    }
}

impl Timer for AnyTimer {
    type Sleep = AnySleep;

    fn sleep(&self, duration: Duration) -> AnySleep {
        self.try_sleep(duration).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_sleep(&self, duration: Duration) -> Result<AnySleep, TimerError> {
        match self {
            AnyTimer::Default => DefaultTimer.try_sleep(duration).map(AnySleep::Default),
            AnyTimer::Given(make) => make(duration).map(AnySleep::Given),
        }
    }

    fn restart(&self, mut sleep: Pin<&mut AnySleep>, duration: Duration) -> Result<(), TimerError> {
        match &mut *sleep {
            AnySleep::Default(sleep) => DefaultTimer.restart(Pin::new(sleep), duration)?,
            AnySleep::Given(_) => sleep.set(self.try_sleep(duration)?),
        }
        Ok(())
    }
}

pub(super) enum AnySleep {
    Default(DefaultSleep),
    Given(BoxFuture<()>),
}

impl Future for AnySleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            // Without a runtime the sleep would never end. It returns at once: the next attempt
            // reports `NoRuntime`.
            AnySleep::Default(_) if !DefaultTimer::has_runtime() => Poll::Ready(()),
            AnySleep::Default(sleep) => Pin::new(sleep).poll(cx),
            AnySleep::Given(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}
