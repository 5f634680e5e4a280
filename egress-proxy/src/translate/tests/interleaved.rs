//! Parallel calls whose arguments come by turns are the same calls as those that come one after the other.

use super::super::End;
use super::streams::{call, calls, chunk, read_calls, through};
use super::turns::Dice;
use super::*;

type Called = (String, String, String);

/// Up to five calls; of some nothing but the name is told.
fn invented(dice: &mut Dice) -> Vec<Called> {
    (0..=dice.roll(5))
        .map(|n| {
            let arguments = if dice.roll(5) == 0 { String::new() } else { dice.object() };
            (format!("id_{n}"), format!("f{n}"), arguments)
        })
        .collect()
}

/// A text in pieces, cut anywhere.
fn cut<'t>(dice: &mut Dice, text: &'t str) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut at = 1 + usize::try_from(dice.roll(rest.len() as u64)).unwrap();
        while !rest.is_char_boundary(at) {
            at += 1;
        }
        let (piece, behind) = rest.split_at(at);
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Steps of the calls in an order that providers may choose: which call, and its next piece, `None` for its beginning.
fn by_turns<'c>(dice: &mut Dice, calls: &'c [Called]) -> Vec<(usize, Option<&'c str>)> {
    let mut left: Vec<_> = calls.iter().map(|(.., arguments)| cut(dice, arguments).into_iter()).collect();
    let (mut begun, mut steps) = (0, Vec::new());
    while begun < calls.len() || left.iter().any(|pieces| pieces.len() > 0) {
        let which = usize::try_from(dice.roll(calls.len() as u64)).unwrap();
        if which >= begun {
            if begun < calls.len() {
                steps.push((begun, None));
                begun += 1;
            }
        } else if let Some(piece) = left[which].next() {
            steps.push((which, Some(piece)));
        }
    }
    steps
}

/// One after the other.
fn in_order(calls: &[Called]) -> Vec<(usize, Option<&str>)> {
    let steps = calls.iter().enumerate();
    steps.flat_map(|(n, (.., arguments))| [(n, None), (n, Some(arguments.as_str()))]).collect()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";

fn openai(dice: &mut Dice, all: &[Called], steps: &[(usize, Option<&str>)]) -> String {
    let mut out = chunk("\"role\":\"assistant\",\"content\":\"\"", "null");
    let mut deltas = Vec::new();
    for (n, piece) in steps {
        let (id, name, _) = &all[*n];
        deltas.push(match piece {
            None => {
                format!("{{\"index\":{n},\"id\":\"{id}\",\"function\":{{\"name\":\"{name}\",\"arguments\":\"\"}}}}")
            }
            Some(piece) => format!("{{\"index\":{n},\"function\":{{\"arguments\":{}}}}}", quoted(piece)),
        });
        // Some of them in one chunk.
        if dice.roll(3) > 0 {
            out += &calls(&std::mem::take(&mut deltas).join(","));
        }
    }
    out += &calls(&deltas.join(","));
    out + &chunk("", "\"tool_calls\"") + USAGE
}

fn anthropic(all: &[Called], steps: &[(usize, Option<&str>)]) -> String {
    let mut out = r#"data: {"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":9,"output_tokens":1}}}"#.to_owned() + "\n\n";
    for (n, piece) in steps {
        let (id, name, _) = &all[*n];
        out += &match piece {
            None => format!(
                "data: {{\"type\":\"content_block_start\",\"index\":{n},\"content_block\":{{\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":\"{name}\",\"input\":{{}}}}}}\n\n"
            ),
            Some(piece) => format!(
                "data: {{\"type\":\"content_block_delta\",\"index\":{n},\"delta\":{{\"type\":\"input_json_delta\",\"partial_json\":{}}}}}\n\n",
                quoted(piece)
            ),
        };
    }
    for n in 0..all.len() {
        out += &format!("data: {{\"type\":\"content_block_stop\",\"index\":{n}}}\n\n");
    }
    out + "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":4}}\n\ndata: {\"type\":\"message_stop\"}\n\n"
}

/// The calls that an `OpenAI` client reads out of the stream.
fn read_chunks(stream: &str) -> Vec<Called> {
    let mut found: Vec<Called> = Vec::new();
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]") {
        let data: Value = serde_json::from_str(data).unwrap();
        for call in data["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if call["id"].is_string() {
                assert_eq!(index, found.len());
                found.push((text(&call["id"]), text(&call["function"]["name"]), String::new()));
            }
            found[index].2.push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    found
}

/// The stream in pieces of bytes.
fn pushed(dice: &mut Dice, provider: Dialect, stream: &str) -> String {
    let mut pieces = Vec::new();
    let mut rest = stream.as_bytes();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(1 + usize::try_from(dice.roll(rest.len() as u64)).unwrap());
        pieces.push(piece);
        rest = behind;
    }
    let (out, end) = through(provider, &pieces);
    assert_eq!(end, End::Whole, "{stream}\n{out}");
    out
}

/// The end of a stream: why and for how much.
fn ending(stream: &str, from: &str) -> String {
    stream[stream.rfind(from).unwrap()..].to_owned()
}

#[test]
fn by_turns_or_not_the_calls_are_the_same() {
    let mut dice = Dice(11);
    for _ in 0..400 {
        let all = invented(&mut dice);
        let want: Vec<Called> = all
            .iter()
            .map(|(id, name, arguments)| {
                let arguments = if arguments.is_empty() { "{}" } else { arguments };
                (id.clone(), name.clone(), arguments.to_owned())
            })
            .collect();
        let steps = by_turns(&mut dice, &all);

        let sequential = openai(&mut dice, &all, &in_order(&all));
        let sequential = pushed(&mut dice, Dialect::OpenAi, &sequential);
        let turns = openai(&mut dice, &all, &steps);
        let turns = pushed(&mut dice, Dialect::OpenAi, &turns);
        assert_eq!(read_calls(&sequential), want);
        assert_eq!(read_calls(&turns), want, "{steps:?}");
        let end = ending(&turns, "event: message_delta");
        assert_eq!(end, ending(&sequential, "event: message_delta"));
        assert!(end.contains("\"stop_reason\":\"tool_use\"") && end.contains("\"output_tokens\":4"), "{end}");
        // Blocks are closed before the next one is opened.
        let order = turns.lines().filter_map(|line| line.strip_prefix("event: content_block_"));
        let order: Vec<&str> = order.filter(|word| *word != "delta").collect();
        assert!(order.chunks(2).all(|two| two == ["start", "stop"]), "{turns}");

        let sequential = pushed(&mut dice, Dialect::Anthropic, &anthropic(&all, &in_order(&all)));
        let turns = pushed(&mut dice, Dialect::Anthropic, &anthropic(&all, &steps));
        assert_eq!(read_chunks(&sequential), want);
        assert_eq!(read_chunks(&turns), want, "{steps:?}");
        assert_eq!(ending(&turns, "\"finish_reason\""), ending(&sequential, "\"finish_reason\""));
        assert!(turns.contains("\"finish_reason\":\"tool_calls\""));
    }
}

fn begin(n: u8, arguments: &str) -> String {
    call(&format!("\"index\":{n},"), &format!("\"id\":\"id_{n}\","), "\"name\":\"f\",", &quoted(arguments))
}

fn more(n: u8, arguments: &str) -> String {
    call(&format!("\"index\":{n},"), "", "", &quoted(arguments))
}

fn finish(why: &str) -> String {
    chunk("", &format!("\"{why}\"")) + "data: [DONE]\n\n"
}

#[test]
fn ids_are_bounded() {
    let named = |n: u64, id: &str| {
        let (index, id) = (format!("\"index\":{n},"), format!("\"id\":\"{id}\","));
        call(&index, &id, "\"name\":\"f\",", "\"{}\"")
    };
    let long = "x".repeat(200 * 1024);
    for (count, ends) in [(5, true), (6, false)] {
        let stream: String = (0..count).map(|n| named(n, &format!("{long}{n}"))).collect();
        let (out, end) = through(Dialect::OpenAi, &[stream.as_bytes(), finish("tool_calls").as_bytes()]);
        match end {
            End::Whole => assert!(ends && read_calls(&out).len() == 5),
            End::Fault(fault) => assert!(!ends && fault.code() == "too-long"),
            end => panic!("{end:?}"),
        }
    }
}

#[test]
fn what_waits_is_bounded() {
    let piece = "x".repeat(64 * 1024);
    let long = |first: &str, pieces: usize| {
        let start = begin(0, first) + &begin(1, "{\"x\":\"");
        start + &more(1, &piece).repeat(pieces) + &more(1, "\"}")
    };
    let (out, end) = through(Dialect::OpenAi, &[long("{\"y\":", 16).as_bytes(), more(0, "1}").as_bytes()]);
    let End::Fault(fault) = end else { panic!("{end:?}") };
    assert_eq!(fault.code(), "by-turns");
    assert!(out.contains("event: error\n") && !out.contains("id_1"), "what waited is not told");
    assert!(out.contains(
        "the provider's answer cannot be told in your API: its calls come by turns, and more of them than can wait for the first one"
    ));
    // As much as may wait.
    let within = long("{\"y\":", 15) + &more(0, "1}") + &finish("tool_calls");
    let (out, end) = through(Dialect::OpenAi, &[within.as_bytes()]);
    assert_eq!(end, End::Whole);
    assert_eq!(read_calls(&out)[1].2.len(), 15 * piece.len() + "{\"x\":\"\"}".len());
    // What waited and was told makes room again.
    let again = begin(2, "{") + &begin(3, "{\"x\":\"") + &more(3, &piece).repeat(15) + &more(3, "\"}") + &more(2, "}");
    let twice = within.replace(&finish("tool_calls"), "") + &again;
    let (out, end) = through(Dialect::OpenAi, &[twice.as_bytes(), finish("tool_calls").as_bytes()]);
    assert_eq!((end, read_calls(&out).len()), (End::Whole, 4));
    // A call that said nothing so far does not hold up one that says a lot.
    let (out, end) = through(Dialect::OpenAi, &[long("", 40).as_bytes(), finish("tool_calls").as_bytes()]);
    assert_eq!(end, End::Whole);
    let told = read_calls(&out);
    assert_eq!((&*told[0].2, told[1].2.len()), ("{}", 40 * piece.len() + "{\"x\":\"\"}".len()));
    // Nor one that is whole by then, and whoever comes next finds the others told.
    let stream = begin(0, "") + &begin(1, "{}") + &begin(2, "{\"x\":\"") + &more(2, &piece).repeat(20);
    let stream = stream + &begin(3, "{}") + &more(2, "\"}") + &begin(4, "{}") + &finish("tool_calls");
    let (out, end) = through(Dialect::OpenAi, &[stream.as_bytes()]);
    assert_eq!(end, End::Whole);
    let told = read_calls(&out);
    let told: Vec<(&str, usize)> = told.iter().map(|(id, _, arguments)| (&**id, arguments.len())).collect();
    let long = 20 * piece.len() + "{\"x\":\"\"}".len();
    assert_eq!(told, [("id_0", 2), ("id_1", 2), ("id_2", long), ("id_3", 2), ("id_4", 2)]);
}

#[test]
fn what_comes_behind_the_end_of_a_call() {
    let both = begin(0, "{}") + &begin(1, "{\"x\":");
    for (late, code) in [
        (more(0, "{}"), "order"),
        (more(0, "1"), "order"),
        // Text stands between: the first call had ended without its rest.
        (chunk("\"content\":\"x\"", "null") + &more(1, "1}"), "order"),
        // Half of one call would run.
        (more(0, " \n"), "malformed"),
    ] {
        let stream = format!("{both}{late}{}", finish("tool_calls"));
        let End::Fault(fault) = through(Dialect::OpenAi, &[stream.as_bytes()]).1 else { panic!("{stream}") };
        assert_eq!(fault.code(), code, "{stream}");
    }
    // White space behind the arguments is none of them.
    let stream = format!("{both}{}{}{}", more(0, " \n"), more(1, "1}"), finish("tool_calls"));
    let (out, end) = through(Dialect::OpenAi, &[stream.as_bytes()]);
    assert_eq!(end, End::Whole);
    let told: Vec<String> = read_calls(&out).into_iter().map(|(.., arguments)| arguments).collect();
    assert_eq!(told, ["{}", "{\"x\":1}"]);
    // The bound of the output cut both: what there is of them is told.
    let stream = begin(0, "{\"y\":") + &begin(1, "{\"x\":") + &finish("length");
    let (out, end) = through(Dialect::OpenAi, &[stream.as_bytes()]);
    assert_eq!(end, End::Whole);
    let told: Vec<String> = read_calls(&out).into_iter().map(|(.., arguments)| arguments).collect();
    assert_eq!(told, ["{\"y\":", "{\"x\":"]);
    assert!(out.contains("\"stop_reason\":\"max_tokens\""));
}
