//! Sends numbered events with ferro-lumberjack, ten in a window: `ferro-client ADDRESS COUNT`. A window
//! that is not acknowledged is sent again. It writes the events that were.

use std::time::Duration;

use ferro_lumberjack::client::{Client, ClientBuilder};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().expect("ADDRESS is given");
    let count: usize = arguments.next().and_then(|text| text.parse().ok()).expect("COUNT is given");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("there is a runtime").block_on(send(&address, count));
}

async fn send(address: &str, count: usize) {
    let mut client = connect(address).await;
    for first in (0..count).step_by(WINDOW) {
        let numbers = first..count.min(first + WINDOW);
        let texts: Vec<_> = numbers.map(|n| format!("number {n:06} of ferro")).collect();
        let event = |text| {
            let host = "{\"name\":\"till-3\"}";
            format!("{{\"message\":\"{text}\",\"host\":{host}}}").into_bytes()
        };
        let events: Vec<Vec<u8>> = texts.iter().map(event).collect();
        while client.send_json(events.clone()).await.is_err() {
            tokio::time::sleep(PAUSE).await;
            client = connect(address).await;
        }
        for text in texts {
            println!("{text}");
        }
    }
}

async fn connect(address: &str) -> Client {
    loop {
        let builder = ClientBuilder::new().add_host(address).timeout(PATIENCE);
        if let Ok(client) = builder.connect().await {
            return client;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

const WINDOW: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);
