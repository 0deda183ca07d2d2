//! The server: counts, delays and spoils requests before and after the vendor's side works.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{OriginalUri, Request, State},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use tokio::net::TcpListener;

use crate::{
    admin,
    faults::Fault,
    gohighlevel::{
        self,
        gate::{Trace, bearer, caller},
        limits::Allowance,
        reply::Refusal,
        v1,
    },
    vendor::{VENDORS, Vendor},
    world::World,
};

pub(crate) async fn run(world: Arc<World>, listener: TcpListener) {
    let gohighlevel = gohighlevel::router(&world).layer(from_fn_with_state(world.clone(), gohighlevel_manners));
    let mut app = Router::new().nest("/__sandbox", admin::router());
    for vendor in VENDORS {
        let router = (vendor.router)(&world).layer(from_fn_with_state((world.clone(), *vendor), manners));
        app = app.nest(&format!("/{}", vendor.name), router);
    }
    let app = app.fallback_service(gohighlevel.with_state(world.clone()));
    let stop = world.stop.clone();
    let served = axum::serve(listener, app.with_state(world)).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::warn!(%error, "the sandbox stopped");
    }
}

/// Delays and spoils a request to one of the vendors. A fault's path is the whole one, with the vendor's name.
async fn manners(
    State((world, vendor)): State<(Arc<World>, Vendor)>,
    OriginalUri(uri): OriginalUri,
    mut request: Request,
    next: Next,
) -> Response {
    let trace = world.trace();
    let counted = vendor.at_once.filter(|(path, _)| world.options.enforce_limits && uri.path().starts_with(path));
    let under_way = counted.map(|(_, most)| world.begin(vendor.name, most));
    if let Some(None) = under_way {
        world.breach(vendor.name);
        return (vendor.refuse)(StatusCode::TOO_MANY_REQUESTS);
    }
    wait(&world, world.options.delay).await;
    request.extensions_mut().insert(Trace(trace));
    let Some(fault) = world.faults.take(request.method().as_str(), uri.path()) else { return next.run(request).await };
    match fault {
        Fault::Status(status) => {
            (vendor.refuse)(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        }
        Fault::DailyLimit => (vendor.refuse)(StatusCode::TOO_MANY_REQUESTS),
        Fault::ExpiredToken => {
            // Amazon has a header of its own for it.
            let token = request.headers().get("x-amz-access-token").and_then(|token| token.to_str().ok());
            if let Some(token) = bearer(request.headers()).or(token) {
                (vendor.expire)(&world, token);
            }
            (vendor.refuse)(StatusCode::UNAUTHORIZED)
        }
        _ => spoil(&world, &fault, request, next).await,
    }
}

async fn gohighlevel_manners(
    State(world): State<Arc<World>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    let trace = world.trace();
    wait(&world, world.options.delay).await;
    let fault = world.faults.take(request.method().as_str(), request.uri().path());
    request.extensions_mut().insert(Trace(trace));
    let mut response = match &fault {
        Some(Fault::Status(status)) => refuse(*status, &request, &world),
        Some(Fault::DailyLimit) => {
            world.limits().exhaust(&caller(&world, &request), world.now());
            refuse(429, &request, &world)
        }
        Some(Fault::ExpiredToken) => {
            if let Some(bearer) = bearer(request.headers()) {
                world.grants().kill(bearer);
            }
            refuse(401, &request, &world)
        }
        Some(fault) => spoil(&world, fault, request, next).await,
        None => next.run(request).await,
    };
    let allowance = response.extensions().get::<Allowance>().copied();
    let allowance = allowance.unwrap_or_else(|| Allowance::untouched(world.now()));
    allowance.write(response.headers_mut());
    Ok(response)
}

/// What goes wrong on the way is the same everywhere.
async fn spoil(world: &World, fault: &Fault, request: Request, next: Next) -> Response {
    match fault {
        Fault::Stall(time) => {
            wait(world, *time).await;
            next.run(request).await
        }
        Fault::StallReply(time) => {
            let response = next.run(request).await;
            wait(world, *time).await;
            response
        }
        Fault::Drop => hang_up(),
        Fault::DropReply => {
            next.run(request).await;
            hang_up()
        }
        Fault::Malformed => with_body(next.run(request).await, "application/json", "{\"contacts\": [{\"id\": "),
        Fault::Html => {
            let mut response = with_body(next.run(request).await, "text/html", "<html><body>Bad gateway</body></html>");
            *response.status_mut() = StatusCode::OK;
            response
        }
        Fault::Truncated => truncate(next.run(request).await).await,
        // What only the vendor can say was said before.
        Fault::Status(_) | Fault::DailyLimit | Fault::ExpiredToken => next.run(request).await,
    }
}

/// The vendor's answer for a status, in the shape of the generation that was asked.
fn refuse(status: u16, request: &Request, world: &World) -> Response {
    let mut response = if request.uri().path().starts_with("/v1/") {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        v1::refuse(status, status.canonical_reason().unwrap_or("Error"))
    } else {
        Refusal::with_status(status).into_response()
    };
    if status == 429 {
        let allowance = world.limits().refuse(&caller(world, request), world.now());
        response.extensions_mut().insert(allowance);
    }
    response
}

/// Ends early when the sandbox stops, so that nothing keeps it alive.
async fn wait(world: &World, time: Duration) {
    if !time.is_zero() {
        world.stop.run_until_cancelled(tokio::time::sleep(time)).await;
    }
}

/// A body that fails at once makes the server close the connection before it wrote the head.
fn hang_up() -> Response {
    Response::new(Body::from_stream(stream::once(async { Err::<&[u8], _>(std::io::Error::other("dropped reply")) })))
}

fn with_body(mut response: Response, kind: &'static str, body: &'static str) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().remove("content-length");
    *response.body_mut() = Body::from(body);
    response
}

/// Half of the bytes that `Content-Length` promised, then the end.
async fn truncate(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    parts.headers.insert("content-length", HeaderValue::from(bytes.len()));
    // The pause lets the first half leave before the connection breaks.
    let pause = stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("truncated"))
    });
    Response::from_parts(parts, Body::from_stream(stream::once(async { Ok(half) }).chain(pause)))
}
