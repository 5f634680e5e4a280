//! Writes a request. What grows from turn to turn stands last, so that each body begins like the one before.

use crate::translate::json::Text;
use crate::translate::model::{Choice, Outcome, Part, Request, Turn};
use crate::translate::writer::Writer;
use crate::translate::{Limit, Wants};

/// Put before the result of a call that failed: `OpenAI` has no mark for it.
const FAILED: &str = "[the tool failed] ";
/// `OpenAI` wants a name for a schema and shows it to nobody.
const SCHEMA: &str = "answer";
/// And one for each file.
const FILE: &str = "document.pdf";

pub(in super::super) fn write(request: &Request<'_>, wants: Wants) -> String {
    let mut w = Writer::default();
    w.object(|w| {
        w.key("model").text(request.model);
        if let Some(most) = request.max_tokens {
            w.key(match wants.limit {
                Limit::MaxCompletionTokens => "max_completion_tokens",
                Limit::MaxTokens => "max_tokens",
            })
            .number(most);
        }
        settings(w, request, wants.ask_for_usage);
        tools(w, request);
        w.key("messages").array(|w| request.turns.iter().for_each(|turn| write_turn(w, turn)));
    });
    w.finish()
}

fn settings(w: &mut Writer, request: &Request<'_>, ask_for_usage: bool) {
    if let Some(temperature) = request.temperature {
        w.key("temperature").raw(temperature);
    }
    if let Some(top_p) = request.top_p {
        w.key("top_p").raw(top_p);
    }
    if !request.stop.is_empty() {
        w.key("stop").array(|w| request.stop.iter().for_each(|stop| w.text(*stop)));
    }
    if let Some(effort) = request.effort {
        w.key("reasoning_effort").string(effort.word());
    }
    if let Some(schema) = request.schema {
        w.key("response_format").object(|w| {
            w.key("type").string("json_schema");
            w.key("json_schema").object(|w| {
                w.key("name").string(SCHEMA);
                w.key("schema").raw(schema.get());
                w.key("strict").flag(true);
            });
        });
    }
    if request.standard_tier {
        w.key("service_tier").string("default");
    }
    if let Some(user) = request.user {
        w.key("user").text(user);
    }
    if request.streams {
        w.key("stream").flag(true);
    }
    if request.streams && ask_for_usage {
        // An Anthropic stream always tells its usage.
        w.key("stream_options").object(|w| w.key("include_usage").flag(true));
    }
}

fn tools(w: &mut Writer, request: &Request<'_>) {
    if !request.tools.is_empty() {
        w.key("tools").array(|w| {
            for tool in &request.tools {
                w.object(|w| {
                    w.key("type").string("function");
                    w.key("function").object(|w| {
                        w.key("name").text(tool.name);
                        if let Some(description) = tool.description {
                            w.key("description").text(description);
                        }
                        if let Some(schema) = tool.schema {
                            w.key("parameters").raw(schema.get());
                        }
                        if tool.strict {
                            w.key("strict").flag(true);
                        }
                    });
                });
            }
        });
        if request.one_call {
            w.key("parallel_tool_calls").flag(false);
        }
    }
    match &request.choice {
        None => {}
        Some(Choice::Auto) => w.key("tool_choice").string("auto"),
        Some(Choice::Any) => w.key("tool_choice").string("required"),
        Some(Choice::Never) => w.key("tool_choice").string("none"),
        Some(Choice::One(name)) => w.key("tool_choice").object(|w| {
            w.key("type").string("function");
            w.key("function").object(|w| w.key("name").text(*name));
        }),
    }
}

fn write_turn(w: &mut Writer, turn: &Turn<'_>) {
    match turn {
        Turn::System(texts) => w.object(|w| {
            w.key("role").string("system");
            write_texts(w.key("content"), texts);
        }),
        Turn::User(parts) => w.object(|w| {
            w.key("role").string("user");
            match parts.as_slice() {
                [Part::Text(text)] => w.key("content").text(*text),
                parts => w.key("content").array(|w| parts.iter().for_each(|part| write_part(w, part))),
            }
        }),
        Turn::Results(results) => results.iter().for_each(|result| write_result(w, result)),
        Turn::Assistant { thoughts, texts, calls } => w.object(|w| {
            w.key("role").string("assistant");
            match texts.as_slice() {
                [] if !calls.is_empty() => w.key("content").null(),
                texts => write_texts(w.key("content"), texts),
            }
            if let Some(thought) = thoughts.first() {
                w.key(thought.name.word()).joined(thoughts.iter().map(|thought| thought.text));
            }
            if !calls.is_empty() {
                w.key("tool_calls").array(|w| {
                    for call in calls {
                        super::answer::write_call(w, call);
                    }
                });
            }
        }),
    }
}

fn write_texts(w: &mut Writer, texts: &[Text<'_>]) {
    match texts {
        [] => w.text(Text::EMPTY),
        [text] => w.text(*text),
        texts => w.array(|w| texts.iter().for_each(|text| write_part(w, &Part::Text(*text)))),
    }
}

fn write_part(w: &mut Writer, part: &Part<'_>) {
    w.object(|w| match part {
        Part::Text(text) => {
            w.key("type").string("text");
            w.key("text").text(*text);
        }
        Part::Image { media, data } => {
            w.key("type").string("image_url");
            w.key("image_url").object(|w| w.key("url").strings(&["data:", media, ";base64,", data]));
        }
        Part::ImageAt(url) => {
            w.key("type").string("image_url");
            w.key("image_url").object(|w| w.key("url").text(*url));
        }
        Part::Pdf { data, title } => {
            w.key("type").string("file");
            w.key("file").object(|w| {
                w.key("filename").text_or(*title, FILE);
                w.key("file_data").strings(&["data:application/pdf;base64,", data]);
            });
        }
    });
}

fn write_result(w: &mut Writer, result: &Outcome<'_>) {
    w.object(|w| {
        w.key("role").string("tool");
        w.key("tool_call_id").text(result.id);
        match result.texts.as_slice() {
            texts if !result.failed => write_texts(w.key("content"), texts),
            [] => w.key("content").string(FAILED),
            [text] => w.key("content").marked(FAILED, *text),
            [first, others @ ..] => w.key("content").array(|w| {
                w.object(|w| {
                    w.key("type").string("text");
                    w.key("text").marked(FAILED, *first);
                });
                others.iter().for_each(|text| write_part(w, &Part::Text(*text)));
            }),
        }
    });
}
