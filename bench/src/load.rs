//! Callers that send the same request again and again over connections that stay open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::process::{KEY, Running};

/// A request that can be sent any number of times.
#[derive(Clone)]
pub struct Shot {
    url: String,
    body: Arc<str>,
    /// What a whole answer contains.
    expected: &'static str,
}

impl Shot {
    /// One call of a tool over MCP, in the stateless form of 2025-11-25.
    pub fn mcp(server: &Running, tool: &str, arguments: &Value, expected: &'static str) -> Shot {
        let params = json!({"name": tool, "arguments": arguments});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        Shot { url: format!("{}/mcp", server.url), body: body.to_string().into(), expected }
    }

    /// The same over REST.
    pub fn rest(server: &Running, tool: &str, arguments: &Value, expected: &'static str) -> Shot {
        Shot { url: format!("{}/mcp/run/{tool}", server.url), body: arguments.to_string().into(), expected }
    }

    /// Sends it once: the body of the answer.
    pub async fn send(&self, http: &Client) -> Result<String> {
        let response = self.request(http).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        let whole = status.is_success() && text.contains(self.expected);
        ensure!(whole, "{} answered {status}: {}", self.url, text.chars().take(500).collect::<String>());
        Ok(text)
    }

    fn request(&self, http: &Client) -> RequestBuilder {
        let request = http.post(&self.url).header(AUTHORIZATION, format!("Bearer {KEY}"));
        let request = request.header(CONTENT_TYPE, "application/json").header("mcp-protocol-version", "2025-11-25");
        request.header(ACCEPT, "application/json, text/event-stream").body(self.body.to_string())
    }
}

/// What some calls took.
#[derive(Clone, Default)]
pub struct Measured {
    latencies: Vec<Duration>,
    took: Duration,
    cpu: Duration,
}

impl Measured {
    pub fn add(&mut self, other: Measured) {
        self.latencies.extend(other.latencies);
        self.took += other.took;
        self.cpu += other.cpu;
    }

    /// Milliseconds of the server's CPU a call.
    pub fn cpu_ms(&self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / self.latencies.len().max(1) as f64
    }

    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// Milliseconds within which this part of the calls was answered.
    pub fn within(&self, part: f64) -> f64 {
        within(&self.latencies, part)
    }
}

/// Milliseconds within which this part of the times lies.
pub fn within(times: &[Duration], part: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = (times.len().saturating_sub(1)) as f64 * part;
    times.get(at.round() as usize).map_or(f64::NAN, Duration::as_secs_f64) * 1000.0
}

/// Sends `calls` requests over so many connections, each the next as soon as the last was answered.
pub async fn fire(http: &Client, server: &Running, shot: &Shot, connections: usize, calls: usize) -> Result<Measured> {
    let (cpu, begun) = (server.cpu()?, Instant::now());
    let callers: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(caller(http.clone(), shot.clone(), (calls / connections).max(1))))
        .collect();
    let mut latencies = Vec::with_capacity(calls);
    for caller in callers {
        latencies.extend(caller.await.context("a caller ended badly")??);
    }
    Ok(Measured { latencies, took: begun.elapsed(), cpu: server.cpu()? - cpu })
}

async fn caller(http: Client, shot: Shot, calls: usize) -> Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begun = Instant::now();
        shot.send(&http).await?;
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}
