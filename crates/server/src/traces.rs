//! OpenTelemetry traces: a span for each run, and one for each of its stages.
//!
//! Nothing of the server's log lines goes out here. A span has a constant for its name, and the attributes of one list,
//! whose values are a run's id and stable names: there is no way to put a text of a caller or of an engine into one.

use std::sync::{Mutex, PoisonError};

use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::fault::Fault;
use crate::metrics::outcome;
use crate::observe_settings::TracesConfig;

/// The name of what sends.
const SERVICE: &str = "weir";

/// What a span can say. There is no other way to set an attribute.
enum Attribute<'a> {
    /// The run's id, a UUID.
    Run(&'a str),
    /// `released`, `refused` or `failed`.
    Outcome(&'static str),
    /// The stable code of a refusal or failure.
    Code(&'static str),
}

impl From<Attribute<'_>> for KeyValue {
    fn from(attribute: Attribute<'_>) -> Self {
        match attribute {
            Attribute::Run(id) => Self::new("weir.run", id.to_owned()),
            Attribute::Outcome(name) => Self::new("weir.outcome", name),
            Attribute::Code(code) => Self::new("weir.code", code),
        }
    }
}

/// Where spans go; nowhere unless the settings say.
#[derive(Default)]
pub(crate) struct Traces(Option<(SdkTracerProvider, SdkTracer)>);

impl Traces {
    /// Those of the settings. Has to be called where the server's tasks run. The collector need not be there: spans wait
    /// in a queue that has an end, and are dropped beyond it.
    pub(crate) fn open(config: &TracesConfig) -> Result<Self, Fault> {
        let Some(endpoint) = &config.endpoint else {
            return Ok(Self::default());
        };
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(|_| {
                Fault::caller(
                    "CONFIG_INVALID",
                    "`[traces]` of domain.toml: `endpoint` is the address of a collector, such as `http://127.0.0.1:4317`",
                )
            })?;
        // Empty but for the name: what the environment or the machine says of itself stays here.
        let resource = Resource::builder_empty().with_service_name(SERVICE).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer(SERVICE);
        Ok(Self(Some((provider, tracer))))
    }

    /// A run begins.
    pub(crate) fn run(&self, id: &str) -> RunSpan {
        let traced = self.0.as_ref().map(|(_, tracer)| {
            let span = tracer
                .span_builder("run")
                .with_kind(SpanKind::Server)
                .with_attributes([Attribute::Run(id).into()])
                .start(tracer);
            Traced {
                tracer: tracer.clone(),
                run: Context::new().with_span(span),
                stage: None,
            }
        });
        RunSpan(traced.map(Mutex::new))
    }

    /// Sends what waits, for some seconds at most. Blocks.
    pub(crate) fn close(&self) {
        if let Some((provider, _)) = &self.0
            && provider.shutdown().is_err()
        {
            tracing::warn!("the last spans were not taken");
        }
    }
}

/// The span of a run.
pub(crate) struct RunSpan(Option<Mutex<Traced>>);

struct Traced {
    tracer: SdkTracer,
    run: Context,
    stage: Option<opentelemetry_sdk::trace::Span>,
}

impl RunSpan {
    /// The run begins a stage; the one before has ended.
    pub(crate) fn stage(&self, name: &'static str) {
        self.with(|traced| {
            let next = traced.tracer.start_with_context(name, &traced.run);
            // A span that is dropped has ended.
            drop(traced.stage.replace(next));
        });
    }

    /// The run ended.
    pub(crate) fn end(&self, fault: Option<&Fault>) {
        self.with(|traced| {
            drop(traced.stage.take());
            let run = traced.run.span();
            run.set_attribute(Attribute::Outcome(outcome(fault)).into());
            if let Some(fault) = fault {
                run.set_attribute(Attribute::Code(fault.code).into());
                run.set_status(Status::error(fault.code));
            }
            run.end();
        });
    }

    fn with(&self, work: impl FnOnce(&mut Traced)) {
        if let Some(traced) = &self.0 {
            work(&mut traced.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
