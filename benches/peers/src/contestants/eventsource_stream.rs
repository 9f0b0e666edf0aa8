//! eventsource-stream: `EventStream`; its parser is not public.

use crate::consumer::{Consumer, Event};
use crate::contestant::{Contestant, Role, body, drain};
use bytes::Bytes;
use eventsource_stream::EventStream;
use std::ops::ControlFlow::{Break, Continue};

pub(super) struct EventsourceStream;

impl Contestant for EventsourceStream {
    const NAME: &'static str = "eventsource-stream";
    const ROLE: Role = Role::Peer;

    fn run(chunks: impl Iterator<Item = Bytes>, consumer: &mut impl Consumer) {
        drain(EventStream::new(body(chunks)), |event| {
            let Ok(event) = event else { return Break(()) };
            let (event, data, id) = (&event.event, event.data.as_bytes(), &event.id);
            consumer.event(Event { event, data, id });
            Continue(())
        });
    }
}
