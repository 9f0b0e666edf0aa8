//! The reference parser: the steps of the standard one by one, over the whole stream at once,
//! without optimisation.
//!
//! It shares no code with everstream, nor with a peer.

use crate::consumer::{Consumer, Event};

/// Passes the events of `stream` to `consumer`.
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>
pub(crate) fn parse(stream: &[u8], consumer: &mut impl Consumer) {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let Some((lines, _unfinished)) = text.rsplit_once('\n') else { return };

    let (mut event, mut data, mut id) = (String::new(), String::new(), String::new());
    for line in lines.split('\n') {
        if line.is_empty() {
            if let Some(data) = data.strip_suffix('\n') {
                let event = if event.is_empty() { "message" } else { &event };
                consumer.event(Event { event, data: data.as_bytes(), id: &id });
            }
            event.clear();
            data.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event = value.to_owned(),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => id = value.to_owned(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct List(Vec<[String; 3]>);

    impl Consumer for List {
        fn event(&mut self, event: Event<'_>) {
            let data = String::from_utf8(event.data.to_vec()).unwrap();
            self.0.push([event.event.to_owned(), data, event.id.to_owned()]);
        }
    }

    #[test]
    fn the_standards_rules_hold() {
        for (stream, expected) in [
            ("data: a\n\n", &[["message", "a", ""]][..]),
            ("\u{feff}data:a\r\n\r\ndata: b\r\r", &[["message", "a", ""], ["message", "b", ""]]),
            ("data\n\ndata:\ndata\n\n", &[["message", "", ""], ["message", "\n", ""]]),
            (": c\nevent: e\n\nid: 1\n\ndata:  x\n\n", &[["message", " x", "1"]]),
            (
                "id: 1\nevent: e\ndata: x\nid\n\nid: \0\ndata: y\n\n",
                &[["e", "x", ""], ["message", "y", ""]],
            ),
            ("data: a\n\ndata: cut off\n", &[["message", "a", ""]]),
        ] {
            let mut list = List::default();
            parse(stream.as_bytes(), &mut list);
            assert_eq!(list.0, expected, "{stream:?}");
        }
    }
}
