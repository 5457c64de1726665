//! The body of a request: bounded in size, in places for large ones, and in slowness.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::Request,
    http::{StatusCode, header::CONTENT_LENGTH},
};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::{
    server::{
        call::Service,
        state::{
            body_bytes::{BodyBytes, BodyShare},
            permits::{ClientPermits, Permit},
        },
    },
    soap::MessageLimits,
};

/// Requests up to this many bytes need no permit to be held.
const SMALL_BODY: usize = 256 * 1024;
/// How long a request may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);
/// In each such time at least `LEAST` bytes arrive, or the body ends: whoever sends the beginning
/// and stops must not keep a place that others wait for.
const PACE_TIME: Duration = Duration::from_secs(10);
const LEAST: usize = 16 * 1024;

/// What goes with a body as long as it is here.
pub(super) type BodyPermits = ([Option<Permit>; 2], BodyShare);

/// How fast a body arrives.
struct Pace {
    began: Instant,
    since: Instant,
    bytes: usize,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { began: now, since: now, bytes: 0 }
    }

    /// Until when the next bytes must be here.
    fn deadline(&self) -> Instant {
        (self.since + PACE_TIME).min(self.began + BODY_TIME)
    }

    fn arrived(&mut self, bytes: usize, now: Instant) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= LEAST {
            (self.since, self.bytes) = (now, 0);
        }
    }

    /// The client did not have to send while it waited for us.
    fn waited(&mut self, from: Instant, now: Instant) {
        let waited = now.saturating_duration_since(from);
        self.began += waited;
        self.since += waited;
    }
}

/// Reads the body. Only so many large ones are here at one time: their permits come with them.
pub(super) async fn receive(
    permits: &ClientPermits,
    all: &Arc<BodyBytes>,
    service: Service,
    request: Request,
) -> Result<(Bytes, BodyPermits), StatusCode> {
    let (usual, most) = (MessageLimits::default().bytes, service.limits().bytes);
    let stated = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let stated: Option<usize> = stated.and_then(|value| value.parse().ok());
    if stated.is_some_and(|length| length > most) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let (mut large, mut largest) = (None, None);
    let mut counted = BodyShare::new(all);
    let mut received = Vec::new();
    let mut body = request.into_body().into_data_stream();
    let mut pace = Pace::new(Instant::now());
    loop {
        let next = tokio::time::timeout_at(pace.deadline(), body.next()).await;
        let Some(data) = next.map_err(|_| StatusCode::REQUEST_TIMEOUT)? else { break };
        let data = data.map_err(|_| StatusCode::BAD_REQUEST)?;
        if data.len() > most - received.len() {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let now = Instant::now();
        pace.arrived(data.len(), now);
        let length = data.len() + received.len();
        counted.add(data.len());
        if large.is_none() && (length > SMALL_BODY || counted.is_crowded()) {
            let permit = permits.large_body().await;
            large = Some(permit.ok_or(StatusCode::SERVICE_UNAVAILABLE)?);
        }
        if largest.is_none() && length > usual {
            let permit = permits.largest_body().await;
            largest = Some(permit.ok_or(StatusCode::SERVICE_UNAVAILABLE)?);
        }
        pace.waited(now, Instant::now());
        if received.len() + data.len() > received.capacity() {
            // What is stated and not sent takes no memory; by doubling, a body would take twice its size.
            received.reserve_exact(data.len().max(received.len() / 4));
        }
        received.extend_from_slice(&data);
    }
    Ok((received.into(), ([large, largest], counted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stops_sending_has_ten_seconds_and_waiting_for_us_costs_nothing() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(start);
        assert_eq!(pace.deadline(), after(10));
        pace.arrived(LEAST - 1, after(4));
        assert_eq!(pace.deadline(), after(10), "too little to count");
        pace.arrived(1, after(5));
        assert_eq!(pace.deadline(), after(15));
        pace.waited(after(5), after(35));
        assert_eq!(pace.deadline(), after(45));
        pace.arrived(LEAST, after(85));
        assert_eq!(pace.deadline(), after(90), "the time in all, and what was waited");
    }
}
