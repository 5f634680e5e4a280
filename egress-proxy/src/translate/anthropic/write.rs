//! Writes a request. What grows from turn to turn stands last, so that each body begins like the one before.

use crate::translate::json::Text;
use crate::translate::model::{Call, Choice, Effort, Outcome, Part, Request, Turn};
use crate::translate::writer::Writer;

/// What a function without parameters takes.
const NOTHING: &str = r#"{"type":"object","properties":{}}"#;

/// `most` stands for a bound of the output that the caller did not name.
pub(in super::super) fn write(request: &Request<'_>, most: u64) -> String {
    // What stands before the conversation has a field of its own.
    let opening = request.turns.iter().take_while(|turn| matches!(turn, Turn::System(_))).count();
    let (opening, turns) = request.turns.split_at(opening);
    let mut w = Writer::default();
    w.object(|w| {
        w.key("model").text(request.model);
        w.key("max_tokens").number(request.max_tokens.unwrap_or(most));
        settings(w, request);
        let system: Vec<_> = opening
            .iter()
            .flat_map(|turn| if let Turn::System(texts) = turn { texts } else { &[][..] })
            .copied()
            .filter(|text| !text.is_empty())
            .collect();
        if !system.is_empty() {
            write_texts(w.key("system"), &system);
        }
        tools(w, request);
        w.key("messages").array(|w| {
            let mut turns = turns.iter().peekable();
            while let Some(turn) = turns.next() {
                match turn {
                    // One message, as one turn of the user.
                    Turn::Results(results) => {
                        let rest = turns.next_if(|next| matches!(next, Turn::User(_)));
                        let parts = if let Some(Turn::User(parts)) = rest { parts.as_slice() } else { &[] };
                        write_results(w, results, parts);
                    }
                    // Anthropic refuses a message that says nothing.
                    Turn::Assistant { texts, calls, .. }
                        if calls.is_empty() && texts.iter().all(|it| it.is_empty()) => {}
                    turn => write_turn(w, turn),
                }
            }
        });
    });
    w.finish()
}

fn settings(w: &mut Writer, request: &Request<'_>) {
    if let Some(temperature) = request.temperature {
        w.key("temperature").raw(temperature);
    }
    if let Some(top_p) = request.top_p {
        w.key("top_p").raw(top_p);
    }
    if !request.stop.is_empty() {
        w.key("stop_sequences").array(|w| request.stop.iter().for_each(|stop| w.text(*stop)));
    }
    match request.effort {
        None => {}
        Some(Effort::Not) => w.key("thinking").object(|w| w.key("type").string("disabled")),
        Some(_) => w.key("thinking").object(|w| w.key("type").string("adaptive")),
    }
    let effort = request.effort.filter(|effort| *effort != Effort::Not);
    if effort.is_some() || request.schema.is_some() {
        w.key("output_config").object(|w| {
            if let Some(effort) = effort {
                w.key("effort").string(effort.word());
            }
            if let Some(schema) = request.schema {
                w.key("format").object(|w| {
                    w.key("type").string("json_schema");
                    w.key("schema").raw(schema.get());
                });
            }
        });
    }
    if request.standard_tier {
        w.key("service_tier").string("standard_only");
    }
    if let Some(user) = request.user {
        w.key("metadata").object(|w| w.key("user_id").text(user));
    }
    if request.streams {
        w.key("stream").flag(true);
    }
}

fn tools(w: &mut Writer, request: &Request<'_>) {
    if !request.tools.is_empty() {
        w.key("tools").array(|w| {
            for tool in &request.tools {
                w.object(|w| {
                    w.key("name").text(tool.name);
                    if let Some(description) = tool.description {
                        w.key("description").text(description);
                    }
                    w.key("input_schema").raw(tool.schema.map_or(NOTHING, |schema| schema.get()));
                    if tool.strict {
                        w.key("strict").flag(true);
                    }
                });
            }
        });
    }
    let one_call = request.one_call && !request.tools.is_empty();
    let (kind, name) = match &request.choice {
        None if one_call => ("auto", None),
        None => return,
        Some(Choice::Auto) => ("auto", None),
        Some(Choice::Any) => ("any", None),
        Some(Choice::Never) => ("none", None),
        Some(Choice::One(name)) => ("tool", Some(*name)),
    };
    w.key("tool_choice").object(|w| {
        w.key("type").string(kind);
        if let Some(name) = name {
            w.key("name").text(name);
        }
        if one_call && kind != "none" {
            w.key("disable_parallel_tool_use").flag(true);
        }
    });
}

fn write_turn(w: &mut Writer, turn: &Turn<'_>) {
    w.object(|w| match turn {
        Turn::System(texts) => {
            w.key("role").string("system");
            write_texts(w.key("content"), texts);
        }
        Turn::User(parts) => {
            w.key("role").string("user");
            match parts.as_slice() {
                [Part::Text(text)] => w.key("content").text(*text),
                parts => w.key("content").array(|w| write_parts(w, parts)),
            }
        }
        Turn::Assistant { texts, calls, .. } => {
            w.key("role").string("assistant");
            if calls.is_empty() {
                return write_texts(w.key("content"), texts);
            }
            w.key("content").array(|w| {
                texts.iter().filter(|text| !text.is_empty()).for_each(|text| write_text(w, *text));
                calls.iter().for_each(|call| write_call(w, call));
            });
        }
        // Written with what follows them.
        Turn::Results(_) => {}
    });
}

fn write_results(w: &mut Writer, results: &[Outcome<'_>], parts: &[Part<'_>]) {
    w.object(|w| {
        w.key("role").string("user");
        w.key("content").array(|w| {
            for result in results {
                w.object(|w| {
                    w.key("type").string("tool_result");
                    w.key("tool_use_id").text(result.id);
                    if result.texts.iter().any(|text| !text.is_empty()) {
                        write_texts(w.key("content"), &result.texts);
                    }
                    if result.failed {
                        w.key("is_error").flag(true);
                    }
                });
            }
            write_parts(w, parts);
        });
    });
}

/// Anthropic refuses blocks of empty text.
fn write_texts(w: &mut Writer, texts: &[Text<'_>]) {
    match texts {
        [] => w.text(Text::EMPTY),
        [text] => w.text(*text),
        texts => w.array(|w| texts.iter().filter(|text| !text.is_empty()).for_each(|text| write_text(w, *text))),
    }
}

fn write_text(w: &mut Writer, text: Text<'_>) {
    w.object(|w| {
        w.key("type").string("text");
        w.key("text").text(text);
    });
}

fn write_parts(w: &mut Writer, parts: &[Part<'_>]) {
    for part in parts {
        match part {
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => write_text(w, *text),
            Part::Image { media, data } => w.object(|w| {
                w.key("type").string("image");
                w.key("source").object(|w| base64(w, media, data));
            }),
            Part::ImageAt(url) => w.object(|w| {
                w.key("type").string("image");
                w.key("source").object(|w| {
                    w.key("type").string("url");
                    w.key("url").text(*url);
                });
            }),
            Part::Pdf { data, title } => w.object(|w| {
                w.key("type").string("document");
                w.key("source").object(|w| base64(w, "application/pdf", data));
                if let Some(title) = title {
                    w.key("title").text(*title);
                }
            }),
        }
    }
}

fn base64(w: &mut Writer, media: &str, data: &str) {
    w.key("type").string("base64");
    w.key("media_type").string(media);
    w.key("data").string(data);
}

pub(super) fn write_call(w: &mut Writer, call: &Call<'_>) {
    w.object(|w| {
        w.key("type").string("tool_use");
        w.key("id").text(call.id);
        w.key("name").text(call.name);
        w.key("input").raw(&call.input);
    });
}
