//! The wire: requests with the headers of an agent, answers read within limits and judged.
//!
//! Two things differ from an agent on the wire, both of the HTTP client's making and without meaning
//! in HTTP: header names are written `Soapaction` and `Ms-Cv`, and SOAP calls carry `Accept: */*`.

use std::{fs, path::Path};

use jiff::Timestamp;
use reqwest::{
    Client, ClientBuilder, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
    tls,
};

use super::{
    client_version::{CLIENT_PROTOCOL, CLIENT_VERSION},
    error::ProbeError,
    fault::{ReceivedFault, read_fault},
    findings::Findings,
    judge::{Judge, clip},
    operation::{Operation, Service},
    options::ProbeLimits,
    rulebook as rules,
    tree::{self, Element},
};
use crate::{
    certificate::{NO_SYSTEM_ROOTS, certificates, client_config, tls_failure},
    connection_failure::ConnectionFailure,
    encoding::decoded,
    protocol::xpress,
};

/// Why a call gave no answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The server answered with a fault, from which an agent may recover.
    Fault(ReceivedFault),
    /// An agent cannot go on.
    Fatal(ProbeError),
}

impl From<ProbeError> for CallError {
    fn from(error: ProbeError) -> Self {
        Self::Fatal(error)
    }
}

/// The HTTP side of the stand-in.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    pub(crate) client: Client,
    /// Root of the server, with a slash at the end.
    pub(crate) base: Url,
    limits: ProbeLimits,
    /// Correlation vector, and how many calls were made with it.
    vector: String,
    calls: u32,
    /// SOAP calls made.
    pub(crate) posts: u64,
    /// Bytes of SOAP answers as they came.
    pub(crate) received: u64,
}

impl HttpTransport {
    /// A client for the server at `url`.
    pub(crate) fn new(
        url: &str,
        roots: Option<&Path>,
        limits: ProbeLimits,
    ) -> Result<Self, ProbeError> {
        let address = || ProbeError::Address { url: url.to_owned() };
        let mut base = Url::parse(url).map_err(|_| address())?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(address());
        }
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        let client = match client_builder(roots, &limits)?.build() {
            // Plain HTTP needs no roots, and a machine may have none.
            Err(_) if base.scheme() == "http" && roots.is_none() => {
                client_builder(roots, &limits)?.tls_certs_only([]).build()
            }
            built => built,
        };
        let client = client.map_err(|_| ProbeError::Client { why: NO_SYSTEM_ROOTS })?;
        let vector = random_vector();
        Ok(Self { client, base, limits, vector, calls: 0, posts: 0, received: 0 })
    }

    /// `http://host:8530`, as the policy of an agent has it.
    pub(crate) fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Sends a request and gives the response element of its operation.
    pub(crate) async fn call(
        &mut self,
        operation: Operation,
        auth_path: &str,
        body: String,
        findings: &mut Findings,
    ) -> Result<Element, CallError> {
        let path = match operation.service() {
            Service::Client => "ClientWebService/client.asmx",
            Service::SimpleAuth => auth_path,
            Service::Reporting => "ReportingWebService/ReportingWebService.asmx",
        };
        let mut url = self.base.clone();
        url.set_path(path);
        let (name, server) = (operation.name(), url.clone());
        let broken_off = |source: reqwest::Error| {
            let operation = name;
            if let Some(why) = tls_failure(&source, &host(&server), Timestamp::now()) {
                return ProbeError::Untrusted { operation, why };
            }
            let (tls, why) = (server.scheme() == "https", ConnectionFailure::of(&source));
            let server = server.origin().ascii_serialization();
            ProbeError::Connection { operation, server, tls, why }
        };
        let headers = self.soap_headers(operation, &url, body.len());
        self.posts += 1;
        let mut judge = Judge::new(findings, name);
        let response = self
            .client
            .post(url.clone())
            .headers(headers)
            .timeout(self.limits.call)
            .body(body)
            .send()
            .await
            .map_err(broken_off)?;
        let status = response.status().as_u16();
        let encoded = judge_head(&response, &mut judge)?;
        let raw = read_body(response, self.limits.answer, &mut judge, broken_off).await?;
        self.received += u64::try_from(raw.len()).unwrap_or(u64::MAX);
        let bytes = match encoded {
            true => unpack(&raw, self.limits.answer, &mut judge)?,
            false => raw,
        };
        if status != 200 && status != 500 {
            judge.broken(&rules::HTTP_STATUS, format!("HTTP {status}"));
            let reason = format!("HTTP status {status}");
            return Err(ProbeError::Unusable { operation: name, reason }.into());
        }
        let envelope = read_xml(&bytes, self.limits.elements, &mut judge)?;
        if status == 200 && !encoded {
            judge.broken(&rules::XPRESS_NOT_OFFERED, "no Content-Encoding");
        }
        open_envelope(envelope, operation, status, &mut judge)
    }

    /// Headers in the order of an agent.
    fn soap_headers(&mut self, operation: Operation, url: &Url, length: usize) -> HeaderMap {
        let mut headers = Headers::default();
        headers.set("cache-control", "no-cache");
        headers.set("connection", "Keep-Alive");
        headers.set("pragma", "no-cache");
        headers.set("content-type", "text/xml; charset=utf-8");
        headers.set("accept-encoding", "xpress");
        headers.set(
            "user-agent",
            &format!("Windows-Update-Agent/{CLIENT_VERSION} Client-Protocol/{CLIENT_PROTOCOL}"),
        );
        let namespace = operation.service().namespace();
        headers.set("soapaction", &format!("\"{namespace}/{}\"", operation.name()));
        if operation.service() == Service::Client {
            self.calls += 1;
            headers.set("ms-cv", &format!("{}.1.0.0.2.{}", self.vector, self.calls));
        }
        headers.set("content-length", &length.to_string());
        headers.set("host", &host(url));
        headers.0
    }
}

fn client_builder(roots: Option<&Path>, limits: &ProbeLimits) -> Result<ClientBuilder, ProbeError> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .http1_title_case_headers()
        .connect_timeout(limits.connect)
        .read_timeout(limits.read)
        .pool_max_idle_per_host(8)
        .tls_version_min(tls::Version::TLS_1_2);
    let Some(path) = roots else { return Ok(builder) };
    let config = fs::read(path)
        .map_err(|e| e.to_string())
        .and_then(|bytes| client_config(certificates(&bytes)?))
        .map_err(|why| ProbeError::Roots { path: path.to_owned(), why })?;
    Ok(builder.tls_backend_preconfigured(config))
}

/// Headers of the content downloader, in its order.
pub(crate) fn content_headers(url: &Url, from: u64, to: u64, vector: &str) -> HeaderMap {
    let mut headers = Headers::default();
    headers.set("connection", "Keep-Alive");
    headers.set("accept", "*/*");
    headers.set("range", &format!("bytes={from}-{to}"));
    headers.set("user-agent", "Microsoft-Delivery-Optimization/10.1");
    headers.set("ms-cv", vector);
    headers.set("content-length", "0");
    headers.set("host", &host(url));
    headers.0
}

/// A fresh base of correlation vectors: 16 base64 digits.
pub(crate) fn random_vector() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes = uuid::Uuid::new_v4().into_bytes();
    STANDARD.encode(bytes.get(..12).unwrap_or_default())
}

/// Reads a body of at most `limit` bytes.
async fn read_body(
    mut response: Response,
    limit: usize,
    judge: &mut Judge<'_>,
    broken_off: impl Fn(reqwest::Error) -> ProbeError,
) -> Result<Vec<u8>, ProbeError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(&broken_off)? {
        if body.len() + piece.len() > limit {
            judge.broken(&rules::BODY_TOO_LARGE, format!("more than {limit} bytes"));
            return Err(ProbeError::Unusable {
                operation: judge.operation,
                reason: format!("more than {limit} bytes"),
            });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Unpacks an answer to at most `limit` bytes.
fn unpack(raw: &[u8], limit: usize, judge: &mut Judge<'_>) -> Result<Vec<u8>, ProbeError> {
    xpress::decompress(raw, limit).map_err(|error| {
        judge.broken(&rules::XPRESS_BROKEN, error.to_string());
        ProbeError::Unusable { operation: judge.operation, reason: error.to_string() }
    })
}

/// Reads the text of an answer.
fn read_xml(
    bytes: &[u8],
    max_elements: usize,
    judge: &mut Judge<'_>,
) -> Result<Element, ProbeError> {
    let text = decoded(bytes).map_err(|(at, what)| format!("byte {at}: {what}"));
    let read = text
        .and_then(|text| tree::document(&text, max_elements).map_err(|error| error.to_string()));
    read.map_err(|reason| {
        judge.broken(&rules::XML_BROKEN, reason.clone());
        ProbeError::Unusable { operation: judge.operation, reason }
    })
}

/// Judges status line and headers; says whether the body is xpress.
fn judge_head(response: &Response, judge: &mut Judge<'_>) -> Result<bool, ProbeError> {
    let status = response.status();
    let text = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let operation = judge.operation;
    let unusable = |reason: String| ProbeError::Unusable { operation, reason };
    if status.is_redirection() {
        let to = text("location").unwrap_or_default();
        let what = format!("HTTP {} to {:?}", status.as_u16(), clip(&to));
        judge.broken(&rules::REDIRECT, what.clone());
        return Err(unusable(what));
    }
    if let Some(coding) = text("transfer-encoding") {
        judge.broken(&rules::CHUNKED, format!("Transfer-Encoding: {}", clip(&coding)));
    } else if text("content-length").is_none() {
        judge.broken(&rules::LENGTH_MISSING, "no Content-Length");
    }
    let kind = text("content-type").unwrap_or_default().to_ascii_lowercase();
    if kind.split(';').next().map(str::trim) != Some("text/xml") {
        judge.broken(&rules::CONTENT_TYPE, format!("Content-Type: {:?}", clip(&kind)));
    } else if !kind.contains("charset=utf-8") {
        judge.broken(&rules::CHARSET, format!("Content-Type: {:?}", clip(&kind)));
    }
    match text("content-encoding").as_deref() {
        None | Some("identity") => Ok(false),
        Some(coding) if coding.eq_ignore_ascii_case("xpress") => Ok(true),
        Some(coding) => {
            let what = format!("Content-Encoding: {:?}", clip(coding));
            judge.broken(&rules::ENCODING_UNASKED, what.clone());
            Err(unusable(what))
        }
    }
}

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// Takes the response, or the fault, out of an envelope.
fn open_envelope(
    envelope: Element,
    operation: Operation,
    status: u16,
    judge: &mut Judge<'_>,
) -> Result<Element, CallError> {
    let name = operation.name();
    let unusable =
        |reason: &str| ProbeError::Unusable { operation: name, reason: reason.to_owned() };
    let mut content = None;
    if envelope.name == "Envelope" && *envelope.namespace == *SOAP {
        content = envelope.children.into_iter().find(|part| part.name == "Body");
    }
    let Some(body) = content.filter(|body| *body.namespace == *SOAP && body.children.len() == 1)
    else {
        judge.broken(&rules::ENVELOPE, "no SOAP 1.1 body with one element");
        return Err(unusable("it is no SOAP 1.1 envelope").into());
    };
    let Some(response) = body.children.into_iter().next() else {
        return Err(unusable("it is no SOAP 1.1 envelope").into());
    };
    if response.name == "Fault" && *response.namespace == *SOAP {
        if status != 500 {
            judge.broken(&rules::FAULT_STATUS, format!("a fault with HTTP {status}"));
        }
        return Err(CallError::Fault(read_fault(&response, judge)));
    }
    if status != 200 {
        judge.broken(&rules::HTTP_STATUS, format!("HTTP {status} without a fault"));
        return Err(unusable("HTTP 500 without a fault").into());
    }
    if response.name != format!("{name}Response") {
        judge.broken(&rules::RESPONSE_NAME, clip(&response.name));
        return Err(unusable("it is the response of another operation").into());
    }
    if *response.namespace != *operation.service().namespace() {
        judge
            .broken(&rules::NAMESPACE, format!("{} is in {:?}", response.name, response.namespace));
        return Err(unusable("it is in another namespace").into());
    }
    Ok(response)
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Headers in order of insertion.
#[derive(Default)]
struct Headers(HeaderMap);

impl Headers {
    /// What cannot be a header value is left out; nothing that this program writes is such.
    fn set(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.insert(HeaderName::from_static(name), value);
        }
    }
}
