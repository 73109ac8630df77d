//! `hypo ask --model` as a script uses it: the embedded answer first, the model's text marked line by line, and the exit code of the
//! embedded answer, whatever becomes of the model.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use assert_cmd::Command;
use serde_json::Value;

const REPLY: &str = "Payment is where it starts.\\nThe root cause is a DNS outage.\\nI have restarted payment.\\nPROPOSAL\\n- look at payment first\\n";

/// A server that says `reply` to every request, and its address.
fn serve(status: &'static str, reply: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = Vec::new();
            let mut piece = [0; 8_192];
            loop {
                let read = stream.read(&mut piece).unwrap_or(0);
                bytes.extend_from_slice(&piece[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if read == 0 || body.len() >= length.unwrap_or(0) {
                    break;
                }
            }
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{reply}");
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn reply() -> String {
    format!(
        "data: {{\"type\":\"message_start\",\"message\":{{\"usage\":{{\"input_tokens\":1500,\"output_tokens\":1}}}}}}\n\n\
         data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{REPLY}\"}}}}\n\n\
         data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{{\"output_tokens\":40}}}}\n\n\
         data: {{\"type\":\"message_stop\"}}\n\n"
    )
}

fn configured(home: &Path, address: &str) -> String {
    let file = home.join("config.toml");
    let text = format!(
        "[ask.model]\nenabled = true\nurl = \"{address}\"\n[ask.model.reasoning]\nname = \"large\"\nusd_in = 3.0\nusd_out = 15.0\n[host]\nenabled = false\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn ask(home: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::cargo_bin("hypo").unwrap();
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
    let output = command.args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_a_model_says_is_marked_and_the_embedded_answer_stands_before_it() {
    let home = tempfile::tempdir().unwrap();
    let config = configured(home.path(), &serve("200 OK", reply()));
    let alone = ask(home.path(), &["ask", "--demo", "what is the root cause"]);
    let (code, said) = ask(home.path(), &["--config", &config, "ask", "--demo", "--model", "what is the root cause"]);
    assert_eq!(code, alone.0);
    let model = said.strip_prefix(&alone.1).unwrap_or_else(|| panic!("the embedded answer is not first:\n{said}"));
    assert!(model.lines().all(|line| line.starts_with("  model")), "{model}");
    for words in [
        "  model, STRUCK: The root cause is a DNS outage. (",
        "  model, STRUCK: I have restarted payment. (",
        "  model, proposes: look at payment first",
        "  model: large; 1,500 tokens in, 40 out; 0.0051 USD; ",
    ] {
        assert!(model.contains(words), "{words}:\n{model}");
    }

    let (code, said) =
        ask(home.path(), &["--config", &config, "ask", "--demo", "--json", "--model", "what is the root cause"]);
    assert_eq!(code, alone.0);
    let told: Value = serde_json::from_str(&said).unwrap();
    let ended = &told["model"]["ended"];
    assert_eq!((&ended["tokens_in"], &told["model"]["models"][0]), (&Value::from(1_500), &Value::from("large")));
    assert_eq!(ended["sentences"][1]["verdict"], "struck");
    assert!(ended["draft"]["page"].as_str().unwrap().contains("kind = \"ask\""));
}

#[test]
fn a_model_that_fails_or_is_off_changes_neither_the_answer_nor_the_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#.to_owned();
    let config = configured(home.path(), &serve("529 Overloaded", overloaded));
    let question = "what is the weather on mars";
    let alone = ask(home.path(), &["ask", "--demo", question]);
    let (code, said) = ask(home.path(), &["--config", &config, "ask", "--demo", "--model", question]);
    assert!(code == alone.0 && said.starts_with(&alone.1), "{said}");
    assert!(
        said.contains("  model: The embedded answer stands: ") && said.contains("is overloaded: Overloaded"),
        "{said}"
    );
    let (code, said) = ask(home.path(), &["ask", "--demo", "--model", question]);
    assert!(code == alone.0 && said.contains("no model is configured"), "{said}");
    assert!(!alone.1.contains("model"), "{}", alone.1);
}

#[test]
fn the_doctor_looks_at_the_key_and_sends_nothing() {
    let home = tempfile::tempdir().unwrap();
    let config = configured(home.path(), "http://127.0.0.1:9");
    let (code, said) = ask(home.path(), &["--config", &config, "doctor", "--wait", "1s"]);
    assert!(said.contains("ok     model          http://127.0.0.1:9  large: no key is configured"), "{code:?} {said}");
    let text = std::fs::read_to_string(&config)
        .unwrap()
        .replace("enabled = true\nurl", "enabled = true\nkey = { env = \"HYPO_NO_SUCH\" }\nurl");
    std::fs::write(&config, text).unwrap();
    let (code, said) = ask(home.path(), &["--config", &config, "doctor", "--wait", "1s"]);
    assert!(code == Some(1) && said.contains("WRONG  model") && said.contains("HYPO_NO_SUCH"), "{said}");
}
