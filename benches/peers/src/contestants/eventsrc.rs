//! eventsrc: `EventStream`; its parser is not public.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Role, body, drain};
use bytes::Bytes;
use eventsrc::EventStream;
use std::ops::ControlFlow::{Break, Continue};

pub(super) struct Eventsrc;

impl Contestant for Eventsrc {
    const NAME: &'static str = "eventsrc";
    const ROLE: Role = Role::Peer;

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        drain(EventStream::new(body(chunks)), |event| {
            let Ok(event) = event else { return Break(()) };
            let (event, data, id) = (event.event(), event.data().as_bytes(), event.id());
            consumer.event(Event { event, data, id });
            Continue(())
        });
    }
}
