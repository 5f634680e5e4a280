//! Writes a stream of events: each block is opened, filled and closed before the next.

use crate::translate::Stamp;
use crate::translate::model::{Event, Reasoning, Tokens};
use crate::translate::writer::Writer;

use super::answer::{reason, write_usage};

pub(in super::super) struct Emit {
    stamp: Stamp,
    started: bool,
    open: Option<Kind>,
    /// Blocks so far; the open one is the last of them.
    blocks: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking(Reasoning),
    Call,
}

impl Emit {
    pub(in super::super) fn new(stamp: Stamp) -> Self {
        Self { stamp, started: false, open: None, blocks: 0 }
    }

    pub(in super::super) fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, tokens } => {
                self.started = true;
                send(out, "message_start", |w| {
                    w.key("message").object(|w| {
                        w.key("id").text_or(*id, &self.stamp.id);
                        w.key("type").string("message");
                        w.key("role").string("assistant");
                        w.key("model").text_or(*model, &self.stamp.model);
                        w.key("content").array(|_| {});
                        w.key("stop_reason").null();
                        w.key("stop_sequence").null();
                        // OpenAI tells its usage at the end; `message_delta` replaces this.
                        write_usage(w.key("usage"), &Tokens { output: None, thinking: None, ..*tokens });
                    });
                });
            }
            Event::Text(text) => {
                self.within(Kind::Text, out);
                self.delta(out, "text_delta", |w| w.key("text").text(*text));
            }
            Event::Thinking(thought) => {
                self.within(Kind::Thinking(thought.name), out);
                self.delta(out, "thinking_delta", |w| w.key("thinking").text(thought.text));
            }
            Event::Call { id, name } => {
                self.close(out);
                self.begin(Kind::Call, out, |w| {
                    w.key("type").string("tool_use");
                    w.key("id").text(*id);
                    w.key("name").text(*name);
                    w.key("input").object(|_| {});
                });
            }
            Event::Arguments { piece, .. } => {
                self.delta(out, "input_json_delta", |w| w.key("partial_json").text(*piece));
            }
            Event::Ping if self.started => send(out, "ping", |_| {}),
            Event::Ping => {}
            Event::End { stop, tokens } => {
                self.close(out);
                send(out, "message_delta", |w| {
                    w.key("delta").object(|w| {
                        w.key("stop_reason").string(reason(*stop));
                        w.key("stop_sequence").null();
                    });
                    write_usage(w.key("usage"), tokens);
                });
                send(out, "message_stop", |_| {});
            }
            Event::Failed(failure) => send(out, "error", |w| super::failure::write(w, failure)),
        }
    }

    fn within(&mut self, kind: Kind, out: &mut Vec<u8>) {
        if self.open == Some(kind) {
            return;
        }
        self.close(out);
        self.begin(kind, out, |w| match kind {
            Kind::Thinking(_) => {
                w.key("type").string("thinking");
                w.key("thinking").string("");
                w.key("signature").string("");
            }
            Kind::Text | Kind::Call => {
                w.key("type").string("text");
                w.key("text").string("");
            }
        });
    }

    fn begin(&mut self, kind: Kind, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer)) {
        self.open = Some(kind);
        send(out, "content_block_start", |w| {
            w.key("index").number(self.blocks);
            w.key("content_block").object(write);
        });
        self.blocks += 1;
    }

    fn delta(&self, out: &mut Vec<u8>, kind: &'static str, write: impl FnOnce(&mut Writer)) {
        send(out, "content_block_delta", |w| {
            w.key("index").number(self.blocks.saturating_sub(1));
            w.key("delta").object(|w| {
                w.key("type").string(kind);
                write(w);
            });
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let open = self.open.take();
        if let Some(Kind::Thinking(name)) = open {
            // Clients send it back as it is, and then it is known whose it was.
            self.delta(out, "signature_delta", |w| w.key("signature").string(name.word()));
        }
        if open.is_some() {
            send(out, "content_block_stop", |w| w.key("index").number(self.blocks.saturating_sub(1)));
        }
    }
}

fn send(out: &mut Vec<u8>, kind: &'static str, write: impl FnOnce(&mut Writer)) {
    let mut w = Writer::default();
    w.object(|w| {
        w.key("type").string(kind);
        write(w);
    });
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(w.finish().as_bytes());
    out.extend_from_slice(b"\n\n");
}
