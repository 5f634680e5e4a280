//! Writes a stream of chunks.

use crate::translate::Stamp;
use crate::translate::json::Text;
use crate::translate::model::Event;
use crate::translate::writer::Writer;

use super::answer::{reason, write_usage};

/// What each chunk repeats, and how many calls there were.
pub(in super::super) struct Emit {
    id: String,
    model: String,
    created: u64,
    /// The client asked for `include_usage`.
    usage: bool,
    calls: usize,
}

impl Emit {
    pub(in super::super) fn new(stamp: Stamp) -> Self {
        let quoted = |text: &str| {
            let mut w = Writer::default();
            w.string(text);
            w.finish()
        };
        Self {
            id: quoted(&stamp.id),
            model: quoted(&stamp.model),
            created: stamp.created,
            usage: stamp.usage,
            calls: 0,
        }
    }

    pub(in super::super) fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, .. } => {
                if let Some(id) = id {
                    id.token().clone_into(&mut self.id);
                }
                if let Some(model) = model {
                    model.token().clone_into(&mut self.model);
                }
                self.delta(out, |w| {
                    w.key("role").string("assistant");
                    w.key("content").text(Text::EMPTY);
                });
            }
            Event::Text(text) => self.delta(out, |w| w.key("content").text(*text)),
            Event::Thinking(thought) => self.delta(out, |w| w.key(thought.name.word()).text(thought.text)),
            Event::Call { id, name } => {
                self.call(self.calls, out, |w| {
                    w.key("id").text(*id);
                    w.key("type").string("function");
                    w.key("function").object(|w| {
                        w.key("name").text(*name);
                        w.key("arguments").text(Text::EMPTY);
                    });
                });
                self.calls += 1;
            }
            Event::Arguments { call, piece } => {
                self.call(*call, out, |w| w.key("function").object(|w| w.key("arguments").text(*piece)));
            }
            // A comment: no client reads it, and the connection stays alive.
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::End { stop, tokens } => {
                self.chunk(out, |w| choice(w, |_| {}, Some(reason(*stop))), |w| w.null());
                if self.usage {
                    self.chunk(out, |_| {}, |w| write_usage(w, tokens));
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Event::Failed(failure) => data(out, super::failure::document(failure)),
        }
    }

    fn delta(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer)) {
        self.chunk(out, |w| choice(w, write, None), |w| w.null());
    }

    fn call(&self, number: usize, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer)) {
        self.delta(out, |w| {
            w.key("tool_calls").array(|w| {
                w.object(|w| {
                    w.key("index").number(number as u64);
                    write(w);
                });
            });
        });
    }

    fn chunk(&self, out: &mut Vec<u8>, choices: impl FnOnce(&mut Writer), usage: impl FnOnce(&mut Writer)) {
        let mut w = Writer::default();
        w.object(|w| {
            w.key("id").raw(&self.id);
            w.key("object").string("chat.completion.chunk");
            w.key("created").number(self.created);
            w.key("model").raw(&self.model);
            w.key("choices").array(choices);
            if self.usage {
                usage(w.key("usage"));
            }
        });
        data(out, w.finish());
    }
}

fn choice(w: &mut Writer, delta: impl FnOnce(&mut Writer), finish: Option<&'static str>) {
    w.object(|w| {
        w.key("index").number(0);
        w.key("delta").object(delta);
        match finish {
            Some(reason) => w.key("finish_reason").string(reason),
            None => w.key("finish_reason").null(),
        }
    });
}

fn data(out: &mut Vec<u8>, document: String) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(document.as_bytes());
    out.extend_from_slice(b"\n\n");
}
