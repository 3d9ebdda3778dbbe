//! The cases of `corpora/framing_cases`, read for read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;

fn texts(of: &Value) -> Vec<Vec<u8>> {
    let list = of.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|text| STANDARD.decode(text.as_str().unwrap()).unwrap()).collect()
}

/// Frames as the corpus compares them: without line ends behind them, the empty ones left out.
fn compared(frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let bare = |frame: Vec<u8>| {
        frame[..super::super::trimmed_len(&frame, super::super::is_line_end)].to_vec()
    };
    frames.into_iter().map(bare).filter(|frame| !frame.is_empty()).collect()
}

struct Answer {
    frames: Vec<Vec<u8>>,
    errors: u64,
}

impl Answer {
    fn of(case: &Value) -> Self {
        let framing: Framing = serde_json::from_value(case["mode"].clone()).unwrap();
        let max =
            case["max_frame"].as_u64().map_or(256 * 1024, |max| usize::try_from(max).unwrap());
        let mut decoder = Frames::new(framing, max);
        let (mut buf, mut messages) = (Vec::new(), Vec::new());
        for chunk in texts(&case["chunks_b64"]) {
            buf.extend(chunk);
            drain(&mut decoder, &mut buf, false, &mut messages);
        }
        if case["eof"] == true {
            drain(&mut decoder, &mut buf, true, &mut messages);
        }
        let frames = compared(messages.into_iter().map(|(bytes, _)| bytes).collect());
        Self { frames, errors: decoder.errors().total() }
    }

    fn is(&self, want: &Value) -> bool {
        let errors = match want["errors_at_least"].as_u64() {
            Some(least) => self.errors >= least,
            None => Some(self.errors) == want["errors"].as_u64(),
        };
        errors && self.frames == compared(texts(&want["frames_b64"]))
    }
}

#[test]
fn framing_cases() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/framing_cases.jsonl");
    let file = std::fs::read_to_string(path).unwrap();
    let (mut firm, mut contested, mut wrong) = (0, 0, Vec::new());
    for case in file.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let id = case["id"].as_str().unwrap();
        let answer = Answer::of(&case);
        let mut right = answer.is(&case);
        if case["contested"] == true {
            contested += 1;
            let alternatives = case["alt"].as_array().map(Vec::as_slice).unwrap_or_default();
            right |= alternatives.iter().any(|alternative| answer.is(alternative));
        } else {
            firm += 1;
        }
        for text in texts(&case["text_must_survive_b64"]) {
            right &= answer.frames.iter().any(|frame| memchr::memmem::find(frame, &text).is_some());
        }
        if !right {
            let got: Vec<String> =
                answer.frames.iter().map(|f| f.escape_ascii().to_string()).collect();
            wrong.push(format!("{id}: {got:?}, errors {}", answer.errors));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(firm > 30 && contested > 10);
}
