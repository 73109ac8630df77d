//! Contracts of both APIs, from the streams in their documentation: text, tools, thoughts, errors in the middle, and what must not
//! disturb: pings, unknown events, cuts anywhere.

use proptest::prelude::*;
use serde_json::json;

use super::event::{ModelEvent, Stop, ToolRequest};
use super::request::{Block, ModelRequest, ToolResult, ToolSpec, Turn};
use super::*;
use crate::engine::ask::assistant::trouble::Trouble;

/// The documented stream of a tool's use, with a thought, a ping and an event of the future.
const ANTHROPIC_TOOL: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_014p7gG3wDgGV9EUtLvnow3U","type":"message","role":"assistant","model":"large","stop_sequence":null,"usage":{"input_tokens":472,"cache_read_input_tokens":28,"output_tokens":2},"content":[],"stop_reason":null}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me look — é"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: ping
data: {"type": "ping"}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Okay"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":", let's see"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: something_new
data: [1, 2

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6","name":"anomalies","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"service\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":" \"payment\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}

event: message_stop
data: {"type":"message_stop"}

"#;

/// The documented stream of a tool's use, with the chunk that tells usage.
const OPENAI_TOOL: &str = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1694268190,"model":"large","choices":[{"index":0,"delta":{"role":"assistant","content":"Let me see"},"logprobs":null,"finish_reason":null}]}

: keep-alive

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_DdmO9pD3xa9XTPNJ32zg2hcA","type":"function","function":{"name":"anomalies","arguments":""}}]},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"service\":"}}]},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"dependencies","arguments":"{}"}}]},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":" \"é\"}"}}]},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":82,"completion_tokens":17,"total_tokens":99}}

data: [DONE]

"#;

fn read(api: ModelApi, pieces: &[&[u8]]) -> Vec<ModelEvent> {
    let mut reader = ReplyReader::new(api);
    let mut events: Vec<ModelEvent> = pieces.iter().flat_map(|piece| reader.push(piece)).collect();
    events.extend(reader.finish());
    events
}

fn call(id: &str, name: &str, arguments: &str) -> ModelEvent {
    ModelEvent::Call(ToolRequest { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() })
}

fn text(text: &str) -> ModelEvent {
    ModelEvent::Text(text.to_owned())
}

fn usage(tokens_in: Option<u64>, tokens_out: Option<u64>) -> ModelEvent {
    ModelEvent::Usage { tokens_in, tokens_out }
}

#[test]
fn the_documented_streams_give_text_thoughts_tools_and_usage() {
    let signature = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds";
    let expected = [
        usage(Some(500), Some(2)),
        ModelEvent::Kept(json!({"type": "thinking", "thinking": "Let me look — é", "signature": signature})),
        text("Okay"),
        text(", let's see"),
        call("toolu_01T1x1fJ34qAmk2tNTrN7Up6", "anomalies", r#"{"service": "payment"}"#),
        usage(None, Some(89)),
        ModelEvent::Stopped(Stop::Tools),
    ];
    assert_eq!(read(ModelApi::Anthropic, &[ANTHROPIC_TOOL.as_bytes()]), expected);
    let expected = [
        text("Let me see"),
        call("call_DdmO9pD3xa9XTPNJ32zg2hcA", "anomalies", r#"{"service": "é"}"#),
        call("call_2", "dependencies", "{}"),
        usage(Some(82), Some(17)),
        ModelEvent::Stopped(Stop::Tools),
    ];
    assert_eq!(read(ModelApi::Openai, &[OPENAI_TOOL.as_bytes()]), expected);
}

#[test]
fn a_stream_that_ends_anywhere_before_its_end_is_told_as_cut_off() {
    for (api, stream) in [(ModelApi::Anthropic, ANTHROPIC_TOOL), (ModelApi::Openai, OPENAI_TOOL)] {
        let whole = read(api, &[stream.as_bytes()]);
        // A server that leaves [DONE] out has said why it stops, and that is a whole reply.
        let reason = "finish_reason\":\"tool_calls\"}]}\n\n";
        let has_stopped_at = stream.find(reason).filter(|_| api == ModelApi::Openai).map(|at| at + reason.len());
        for end in 0..stream.len() - 1 {
            let events = read(api, &[&stream.as_bytes()[..end]]);
            let is_cut = events.last() == Some(&ModelEvent::Failed(Trouble::CutOff));
            let has_stopped = has_stopped_at.is_some_and(|at| end >= at);
            assert_eq!(is_cut, !has_stopped, "{api:?} {end}: {events:?}");
            assert_eq!(events.last() == whole.last(), has_stopped, "{api:?} {end}: {events:?}");
        }
    }
}

#[test]
fn why_a_reply_stopped_is_told() {
    let anthropic = |delta: &str| {
        format!("data: {{\"type\":\"message_delta\",\"delta\":{delta}}}\n\ndata: {{\"type\":\"message_stop\"}}\n\n")
    };
    for (delta, stop) in [
        (r#"{"stop_reason":"end_turn"}"#, Stop::Finished),
        (r#"{"stop_reason":"max_tokens"}"#, Stop::TokensMax),
        (r#"{"stop_reason":"model_context_window_exceeded"}"#, Stop::TokensMax),
        (r#"{"stop_reason":"pause_turn"}"#, Stop::Paused),
        (r#"{"stop_reason":"refusal"}"#, Stop::Declined(String::new())),
        (
            r#"{"stop_reason":"refusal","stop_details":{"type":"refusal","category":"cyber","explanation":"not that"}}"#,
            Stop::Declined("not that".to_owned()),
        ),
        (r#"{"stop_reason":"moon"}"#, Stop::Other("moon".to_owned())),
    ] {
        assert_eq!(read(ModelApi::Anthropic, &[anthropic(delta).as_bytes()]), [ModelEvent::Stopped(stop)], "{delta}");
    }
    for (choice, stop) in [
        (r#"{"delta":{},"finish_reason":"stop"}"#, Stop::Finished),
        (r#"{"delta":{},"finish_reason":"length"}"#, Stop::TokensMax),
        (r#"{"delta":{},"finish_reason":"content_filter"}"#, Stop::Declined(String::new())),
        (r#"{"delta":{"refusal":"I can't"},"finish_reason":"stop"}"#, Stop::Declined("I can't".to_owned())),
        (r#"{"delta":{},"finish_reason":"moon"}"#, Stop::Other("moon".to_owned())),
    ] {
        // With and without [DONE].
        for done in ["", "data: [DONE]\n\n"] {
            let stream = format!("data: {{\"choices\":[{choice}]}}\n\n{done}");
            assert_eq!(read(ModelApi::Openai, &[stream.as_bytes()]), [ModelEvent::Stopped(stop.clone())], "{choice}");
        }
    }
}

#[test]
fn an_error_in_the_middle_ends_the_reply() {
    let start =
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"So\"}}\n\n";
    let error = "event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}\n\n";
    let events = read(ModelApi::Anthropic, &[format!("{start}{error}{start}").as_bytes()]);
    let [first, ModelEvent::Failed(problem @ Trouble::Overloaded { .. })] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(first, &text("So"));
    assert!(problem.to_string().contains("Overloaded; ask again"), "{problem}");

    let chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"So\"}}]}\n\n";
    let error =
        "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\",\"code\":null}}\n\n";
    let events = read(ModelApi::Openai, &[format!("{chunk}{error}{chunk}").as_bytes()]);
    assert_eq!(events.len(), 2);
    assert!(
        matches!(&events[1], ModelEvent::Failed(Trouble::Server { kind, .. }) if kind == "server_error"),
        "{events:?}"
    );
    for api in [ModelApi::Anthropic, ModelApi::Openai] {
        let events = read(api, &[b"data: <html>\n\n"]);
        assert!(matches!(events.as_slice(), [ModelEvent::Failed(Trouble::Unreadable(_))]), "{events:?}");
        let events = read(api, &[b"<html><body>sign in</body></html>"]);
        assert_eq!(events, [ModelEvent::Failed(Trouble::CutOff)]);
    }
}

#[test]
fn calls_without_index_or_id_are_told_apart_all_the_same() {
    let stream = r#"data: {"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"incident","arguments":"{\"id\":"}}]}}]}

data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"\"INC-1\"}"}}]}}]}

data: {"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"ask","arguments":"{}"}}]},"finish_reason":"stop"}]}

"#;
    let expected =
        [call("a", "incident", r#"{"id":"INC-1"}"#), call("b", "ask", "{}"), ModelEvent::Stopped(Stop::Tools)];
    assert_eq!(read(ModelApi::Openai, &[stream.as_bytes()]), expected);
}

#[test]
fn a_reply_without_end_is_not_read_without_end() {
    let event = format!("data: {{\"type\":\"ping\",\"x\":\"{}\"}}\n\n", "x".repeat(1 << 16));
    let mut reader = ReplyReader::new(ModelApi::Anthropic);
    let failed = (0..200).find_map(|_| reader.push(event.as_bytes()).pop());
    assert_eq!(failed, Some(ModelEvent::Failed(Trouble::TooLarge)));
    assert!(reader.push(event.as_bytes()).is_empty() && reader.finish().is_none());
}

fn request() -> ModelRequest {
    ModelRequest {
        model: "large".to_owned(),
        system: "be brief".to_owned(),
        turns: vec![
            Turn::Asked("why".to_owned()),
            Turn::Said(vec![
                Block::Kept(json!({"type": "thinking", "thinking": "", "signature": "s"})),
                Block::Text("Let me look.".to_owned()),
                Block::Call(ToolRequest {
                    id: "t1".to_owned(),
                    name: "incident".to_owned(),
                    arguments: r#"{"id":"INC-1"}"#.to_owned(),
                }),
                Block::Call(ToolRequest {
                    id: "t2".to_owned(),
                    name: "incident".to_owned(),
                    arguments: "[".to_owned(),
                }),
            ]),
            Turn::Found(vec![ToolResult { id: "t1".to_owned(), text: "facts".to_owned(), is_error: false }]),
        ],
        tools: vec![ToolSpec { name: "incident", description: "an incident", schema: json!({"type": "object"}) }],
        may_look: false,
        tokens_max: 700,
    }
}

#[test]
fn requests_have_the_documented_shapes() {
    let mut settings = ModelSettings::default();
    assert_eq!(
        body(&request(), &settings),
        json!({
            "model": "large", "max_tokens": 700, "stream": true, "system": "be brief",
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "why"}]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "", "signature": "s"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "t1", "name": "incident", "input": {"id": "INC-1"}},
                    {"type": "tool_use", "id": "t2", "name": "incident", "input": {}},
                ]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "facts", "is_error": false}]},
            ],
            "tools": [{"name": "incident", "description": "an incident", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "none"},
        })
    );
    settings.api = ModelApi::Openai;
    let openai = body(&request(), &settings);
    assert_eq!(openai["max_completion_tokens"], 700);
    assert_eq!(openai["stream_options"], json!({"include_usage": true}));
    assert_eq!(openai["tool_choice"], "none");
    assert_eq!(openai["messages"][2]["tool_calls"][0]["function"]["arguments"], r#"{"id":"INC-1"}"#);
    assert_eq!(openai["messages"][3], json!({"role": "tool", "tool_call_id": "t1", "content": "facts"}));
    assert_eq!(openai["tools"][0]["function"]["name"], "incident");
    settings.limit_key = "max_tokens".to_owned();
    assert_eq!(body(&request(), &settings)["max_tokens"], 700);
}

/// Text deltas next to one another are one text, however the stream was cut; everything else stays as it is.
fn pieces(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    let ends: Vec<usize> = cuts.into_iter().chain([bytes.len()]).collect();
    ends.into_iter().map(|end| bytes[std::mem::replace(&mut from, end)..end].to_vec()).collect()
}

proptest! {
    #[test]
    fn any_cutting_of_a_stream_gives_the_same_events(
        cuts in proptest::collection::vec(0usize..8_000, 0..40),
        is_anthropic in any::<bool>(),
        has_windows_lines in any::<bool>(),
        end in 0usize..8_000,
    ) {
        let (api, stream) =
            if is_anthropic { (ModelApi::Anthropic, ANTHROPIC_TOOL) } else { (ModelApi::Openai, OPENAI_TOOL) };
        let stream = if has_windows_lines { stream.replace('\n', "\r\n") } else { stream.to_owned() };
        // Half of the streams end too early as well.
        let bytes = &stream.as_bytes()[..end.min(stream.len())];
        let cut = pieces(bytes, &cuts);
        let cut: Vec<&[u8]> = cut.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(read(api, &cut), read(api, &[bytes]));
    }

    #[test]
    fn no_bytes_stop_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400), is_anthropic in any::<bool>()) {
        let api = if is_anthropic { ModelApi::Anthropic } else { ModelApi::Openai };
        let events = read(api, &[&bytes]);
        prop_assert!(events.last().is_some_and(|event| matches!(event, ModelEvent::Failed(_) | ModelEvent::Stopped(_))));
    }
}
