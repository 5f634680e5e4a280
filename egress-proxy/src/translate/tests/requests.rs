use super::super::Limit;
use super::*;

/// With the smallest request around it: `[members, messages]` here, the same there.
fn towards_anthropic(members: &str, messages: &str, want_members: &str, want_messages: &str) {
    let got = to_anthropic(&format!(r#"{{"model":"m","messages":[{messages}]{members}}}"#));
    let want = format!(r#"{{"model":"m",{want_members}"messages":[{want_messages}]}}"#);
    assert_eq!(got.as_deref(), Ok(want.as_str()), "{members} {messages}");
}

fn towards_openai(members: &str, messages: &str, want_members: &str, want_messages: &str) {
    let got = to_openai(&format!(r#"{{"model":"m","max_tokens":9,"messages":[{messages}]{members}}}"#));
    let want = format!(r#"{{"model":"m","max_completion_tokens":9,{want_members}"messages":[{want_messages}]}}"#);
    assert_eq!(got.as_deref(), Ok(want.as_str()), "{members} {messages}");
}

const ASK: &str = r#"{"role":"user","content":"Hi"}"#;

#[test]
fn settings_of_an_openai_client() {
    for (members, want) in [
        // The default, because Anthropic wants a number.
        ("", r#""max_tokens":32000,"#),
        (r#","max_tokens":5"#, r#""max_tokens":5,"#),
        (r#","max_completion_tokens":6"#, r#""max_tokens":6,"#),
        (r#","max_tokens":7,"max_completion_tokens":7"#, r#""max_tokens":7,"#),
        // Numbers stay as they were written.
        (r#","temperature":0.70,"top_p":1e-1"#, r#""max_tokens":32000,"temperature":0.70,"top_p":1e-1,"#),
        (r#","stop":"END""#, r#""max_tokens":32000,"stop_sequences":["END"],"#),
        (r#","stop":["a","\n\u00e9"]"#, r#""max_tokens":32000,"stop_sequences":["a","\n\u00e9"],"#),
        (r#","user":"u1""#, r#""max_tokens":32000,"metadata":{"user_id":"u1"},"#),
        (r#","user":"u1","safety_identifier":"s1""#, r#""max_tokens":32000,"metadata":{"user_id":"s1"},"#),
        (r#","stream":true,"stream_options":{"include_usage":true}"#, r#""max_tokens":32000,"stream":true,"#),
        (r#","stream":false"#, r#""max_tokens":32000,"#),
        (r#","service_tier":"default""#, r#""max_tokens":32000,"service_tier":"standard_only","#),
        (r#","service_tier":"auto""#, r#""max_tokens":32000,"#),
        (r#","reasoning_effort":"none""#, r#""max_tokens":32000,"thinking":{"type":"disabled"},"#),
        (
            r#","reasoning_effort":"minimal""#,
            r#""max_tokens":32000,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"},"#,
        ),
        (
            r#","reasoning_effort":"xhigh""#,
            r#""max_tokens":32000,"thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"},"#,
        ),
        (r#","response_format":{"type":"text"}"#, r#""max_tokens":32000,"#),
        (
            r#","response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object", "x":1.0}}}"#,
            r#""max_tokens":32000,"output_config":{"format":{"type":"json_schema","schema":{"type":"object", "x":1.0}}},"#,
        ),
        // What asks for nothing, or only for what a cache or a store keeps.
        (
            r#","n":1,"logprobs":false,"top_logprobs":null,"logit_bias":{ },"presence_penalty":0.0,"frequency_penalty":0,"store":false,"verbosity":"medium","modalities":[ "text" ],"seed":null,"audio":null,"new":null"#,
            r#""max_tokens":32000,"#,
        ),
        (
            r#","metadata":{"a":"b"},"prompt_cache_key":"k","prompt_cache_retention":"24h","prediction":{"type":"content","content":"x"}"#,
            r#""max_tokens":32000,"#,
        ),
    ] {
        towards_anthropic(members, ASK, want, ASK);
    }
}

#[test]
fn settings_of_an_anthropic_client() {
    for (members, want) in [
        ("", ""),
        (r#","temperature":0.70,"top_p":1.0"#, r#""temperature":0.70,"top_p":1.0,"#),
        (r#","stop_sequences":["a","b"]"#, r#""stop":["a","b"],"#),
        (r#","metadata":{"user_id":"u1"}"#, r#""user":"u1","#),
        (r#","metadata":{}"#, ""),
        (r#","stream":true"#, r#""stream":true,"stream_options":{"include_usage":true},"#),
        (r#","service_tier":"standard_only""#, r#""service_tier":"default","#),
        (r#","service_tier":"auto","speed":"standard","cache_control":{"type":"ephemeral"}"#, ""),
        (r#","thinking":{"type":"disabled"}"#, ""),
        (r#","thinking":{"type":"adaptive","display":"summarized"}"#, ""),
        (r#","thinking":{"type":"enabled","budget_tokens":4096}"#, r#""reasoning_effort":"low","#),
        (r#","thinking":{"type":"enabled","budget_tokens":4097}"#, r#""reasoning_effort":"medium","#),
        (r#","thinking":{"type":"enabled","budget_tokens":16385}"#, r#""reasoning_effort":"high","#),
        (
            r#","thinking":{"type":"enabled","budget_tokens":1024},"output_config":{"effort":"max"}"#,
            r#""reasoning_effort":"max","#,
        ),
        (
            r#","output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#,
            r#""response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"},"strict":true}},"#,
        ),
        (r#","context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}"#, ""),
    ] {
        towards_openai(members, ASK, want, ASK);
    }
}

#[test]
fn the_older_name_of_the_bound_for_providers_that_only_know_it() {
    let body = Bytes::from_static(br#"{"model":"m","max_tokens":9,"messages":[]}"#);
    let out = super::super::request(
        Dialect::Anthropic,
        Dialect::OpenAi,
        &body,
        Wants { limit: Limit::MaxTokens, ..Wants::default() },
    )
    .unwrap();
    assert_eq!(out, r#"{"model":"m","max_tokens":9,"messages":[]}"#);
}

#[test]
fn tools_and_their_choice_towards_anthropic() {
    const TOOLS: &str = r#","tools":[{"type":"function","function":{"name":"ls","description":"lists","parameters":{"type": "object"},"strict":true}},{"type":"function","function":{"name":"now"}}]"#;
    const WANT: &str = r#""max_tokens":32000,"tools":[{"name":"ls","description":"lists","input_schema":{"type": "object"},"strict":true},{"name":"now","input_schema":{"type":"object","properties":{}}}],"#;
    for (choice, want) in [
        ("", ""),
        (r#","parallel_tool_calls":true"#, ""),
        (r#","parallel_tool_calls":false"#, r#""tool_choice":{"type":"auto","disable_parallel_tool_use":true},"#),
        (r#","tool_choice":"auto""#, r#""tool_choice":{"type":"auto"},"#),
        (r#","tool_choice":"none","parallel_tool_calls":false"#, r#""tool_choice":{"type":"none"},"#),
        (
            r#","tool_choice":"required","parallel_tool_calls":false"#,
            r#""tool_choice":{"type":"any","disable_parallel_tool_use":true},"#,
        ),
        (
            r#","tool_choice":{"type":"function","function":{"name":"ls"}}"#,
            r#""tool_choice":{"type":"tool","name":"ls"},"#,
        ),
    ] {
        towards_anthropic(&format!("{TOOLS}{choice}"), ASK, &format!("{WANT}{want}"), ASK);
    }
    // Without tools there is nothing to choose from.
    towards_anthropic(r#","parallel_tool_calls":false"#, ASK, r#""max_tokens":32000,"#, ASK);
}

#[test]
fn tools_and_their_choice_towards_openai() {
    const TOOLS: &str = r#","tools":[{"name":"ls","description":"lists","input_schema":{"type": "object"},"strict":true,"cache_control":{"type":"ephemeral"},"eager_input_streaming":true},{"type":"custom","name":"now","input_schema":{},"defer_loading":false,"allowed_callers":["direct"]}]"#;
    const WANT: &str = r#""tools":[{"type":"function","function":{"name":"ls","description":"lists","parameters":{"type": "object"},"strict":true}},{"type":"function","function":{"name":"now","parameters":{}}}],"#;
    for (choice, want) in [
        ("", ""),
        (
            r#","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#,
            r#""parallel_tool_calls":false,"tool_choice":"auto","#,
        ),
        (r#","tool_choice":{"type":"any"}"#, r#""tool_choice":"required","#),
        (r#","tool_choice":{"type":"none"}"#, r#""tool_choice":"none","#),
        (
            r#","tool_choice":{"type":"tool","name":"ls"}"#,
            r#""tool_choice":{"type":"function","function":{"name":"ls"}},"#,
        ),
    ] {
        towards_openai(&format!("{TOOLS}{choice}"), ASK, &format!("{WANT}{want}"), ASK);
    }
}

#[test]
fn messages_of_an_openai_client() {
    let head = r#""max_tokens":32000,"#;
    for (messages, want_head, want) in [
        // What stands first is the system prompt, whatever it is called.
        (
            r#"{"role":"system","content":"Be \u0062rief."},{"role":"user","content":"Hi"}"#,
            r#""system":"Be \u0062rief.","#,
            ASK,
        ),
        (
            r#"{"role":"developer","content":[{"type":"text","text":"A"},{"type":"text","text":"B"}]},{"role":"system","content":"C"},{"role":"user","content":"Hi"}"#,
            r#""system":[{"type":"text","text":"A"},{"type":"text","text":"B"},{"type":"text","text":"C"}],"#,
            ASK,
        ),
        // Later instructions keep their place.
        (
            r#"{"role":"user","content":"Hi"},{"role":"developer","content":"Stop."}"#,
            "",
            r#"{"role":"user","content":"Hi"},{"role":"system","content":"Stop."}"#,
        ),
        (
            r#"{"role":"user","content":[{"type":"text","text":"See","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"high"}},{"type":"image_url","image_url":{"url":"https://x.example/a.png?b=1"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}]}"#,
            "",
            r#"{"role":"user","content":[{"type":"text","text":"See"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"image","source":{"type":"url","url":"https://x.example/a.png?b=1"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"a.pdf"}]}"#,
        ),
        // An escaped slash is a slash.
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\/png;base64,i\/8="}}]}"#,
            "",
            r#"{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"i/8="}}]}"#,
        ),
        // Calls keep their ids and the bytes of their arguments; results of one turn stand in one message, before what
        // the user says.
        (
            r#"{"role":"user","content":"Go"},{"role":"assistant","content":"On it","refusal":null,"annotations":[],"reasoning_content":"hm","tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"ls","arguments":"{\"p\": \"\\u00e9\\n\", \"n\":1.50}"}},{"id":"c2","type":"function","function":{"name":"now","arguments":""}}]},{"role":"tool","tool_call_id":"c1","name":"ls","content":"a\tb"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},{"role":"user","content":"And?"}"#,
            "",
            r#"{"role":"user","content":"Go"},{"role":"assistant","content":[{"type":"text","text":"On it"},{"type":"tool_use","id":"c1","name":"ls","input":{"p": "\u00e9\n", "n":1.50}},{"type":"tool_use","id":"c2","name":"now","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"a\tb"},{"type":"tool_result","tool_use_id":"c2","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},{"type":"text","text":"And?"}]}"#,
        ),
        // No text is no block of text.
        (
            r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":""}"#,
            "",
            r#"{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"ls","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1"}]}"#,
        ),
        // A message that says nothing is none.
        (
            r#"{"role":"user","content":"Hi"},{"role":"assistant","content":""},{"role":"assistant","content":null},{"role":"user","content":"Hi"}"#,
            "",
            r#"{"role":"user","content":"Hi"},{"role":"user","content":"Hi"}"#,
        ),
        (
            r#"{"role":"assistant","content":[{"type":"text","text":"No: "},{"type":"refusal","refusal":"I will not."}]},{"role":"assistant","content":null,"refusal":"Never."},{"role":"user","content":"Hi"}"#,
            "",
            r#"{"role":"assistant","content":[{"type":"text","text":"No: "},{"type":"text","text":"I will not."}]},{"role":"assistant","content":"Never."},{"role":"user","content":"Hi"}"#,
        ),
    ] {
        towards_anthropic("", messages, &format!("{head}{want_head}"), want);
    }
}

#[test]
fn messages_of_an_anthropic_client() {
    for (members, messages, want) in [
        (r#","system":"Be brief.""#, ASK, r#"{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}"#),
        (
            r#","system":[{"type":"text","text":"A","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"B"}]"#,
            ASK,
            r#"{"role":"system","content":[{"type":"text","text":"A"},{"type":"text","text":"B"}]},{"role":"user","content":"Hi"}"#,
        ),
        (
            "",
            r#"{"role":"user","content":[{"type":"text","text":"Hi","citations":null,"cache_control":{"type":"ephemeral"}}]},{"role":"system","content":"Stop."}"#,
            r#"{"role":"user","content":"Hi"},{"role":"system","content":"Stop."}"#,
        ),
        (
            "",
            r#"{"role":"user","content":[{"type":"text","text":"See"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"citations":{"enabled":false}},{"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}]}"#,
            r#"{"role":"user","content":[{"type":"text","text":"See"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},{"type":"image_url","image_url":{"url":"https://x.example/a.png"}},{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,JVBERi0="}},{"type":"file","file":{"filename":"T","file_data":"data:application/pdf;base64,JVBERi0="}}]}"#,
        ),
        (
            "",
            r#"{"role":"user","content":"Go"},{"role":"assistant","content":[{"type":"text","text":"On it"},{"type":"tool_use","id":"toolu_1","name":"ls","input":{"p": "\u00e9\n", "n":1.50},"caller":{"type": "direct"}},{"type":"tool_use","id":"toolu_2","name":"now","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"a\tb","is_error":false},{"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},{"type":"text","text":"And?"}]}"#,
            r#"{"role":"user","content":"Go"},{"role":"assistant","content":"On it","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"ls","arguments":"{\"p\": \"\\u00e9\\n\", \"n\":1.50}"}},{"id":"toolu_2","type":"function","function":{"name":"now","arguments":"{}"}}]},{"role":"tool","tool_call_id":"toolu_1","content":"a\tb"},{"role":"tool","tool_call_id":"toolu_2","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},{"role":"user","content":"And?"}"#,
        ),
        // A failure is told in words.
        (
            "",
            r#"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"ls","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"gone"},{"type":"tool_result","tool_use_id":"u","is_error":true},{"type":"tool_result","tool_use_id":"v","is_error":true,"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t","content":"[the tool failed] gone"},{"role":"tool","tool_call_id":"u","content":"[the tool failed] "},{"role":"tool","tool_call_id":"v","content":[{"type":"text","text":"[the tool failed] a"},{"type":"text","text":"b"}]}"#,
        ),
        // Thinking that a provider told unsigned goes back to it by its name, from every turn.
        (
            "",
            r#"{"role":"user","content":"Go"},{"role":"assistant","content":[{"type":"thinking","thinking":"h\u006d","signature":"reasoning"},{"type":"thinking","thinking":"m","signature":"reasoning"},{"type":"text","text":"so"}]},{"role":"user","content":"On"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"reasoning_content"},{"type":"tool_use","id":"t","name":"ls","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}"#,
            r#"{"role":"user","content":"Go"},{"role":"assistant","content":"so","reasoning":"h\u006dm"},{"role":"user","content":"On"},{"role":"assistant","content":null,"reasoning_content":"t","tool_calls":[{"id":"t","type":"function","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t","content":""}"#,
        ),
        // Signed thinking of a turn that is over stays here; text behind a call goes before it.
        (
            "",
            r#"{"role":"user","content":"Go"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"x"},{"type":"tool_use","id":"t","name":"ls","input":{}},{"type":"text","text":"so"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"},{"type":"text","text":"stop"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"ours","signature":""},{"type":"text","text":"ok"}]},{"role":"user","content":[]}"#,
            r#"{"role":"user","content":"Go"},{"role":"assistant","content":"so","tool_calls":[{"id":"t","type":"function","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t","content":""},{"role":"user","content":"stop"},{"role":"assistant","content":"ok"},{"role":"user","content":[]}"#,
        ),
    ] {
        towards_openai(members, messages, "", want);
    }
}
