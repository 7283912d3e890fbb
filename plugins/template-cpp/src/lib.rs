//! The plugin drtp, whose rule is C++: `rule.cpp`. This file says what the host asks of every plugin, and hands the
//! work to `glue`.

mod glue;
mod request;

use assay_abi::{
    AlgorithmInfo, Batch, BatchSource, CreateRequest, ErrorCode, Handshake, Identity, Learner,
    LearnerHandle, MetricInfo, MetricSink, PluginDefinition, PluginError, RootHeader, TensorView,
    root_header,
};

use self::glue::{Kind, Rule};

#[cfg(panic = "abort")]
compile_error!("a plugin must unwind: remove `panic = \"abort\"` from the profile");

/// The name of the plugin and of its algorithm.
const NAME: &str = env!("CARGO_PKG_NAME");
const BATCH_LOSS: &str = "batch_loss";
/// Steps that are reported at once.
const REPORT_EVERY: usize = 64;

struct Definition;

impl PluginDefinition for Definition {
    fn identity() -> Identity {
        Identity::new(
            NAME,
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
    }

    fn algorithms() -> Result<Vec<AlgorithmInfo>, PluginError> {
        let description = glue::describe()?;
        let batch_loss = MetricInfo {
            name: BATCH_LOSS.into(),
            description: "mean cross-entropy of the step's batch, in nats".into(),
        };
        Ok(vec![AlgorithmInfo {
            name: NAME.into(),
            summary: description.summary.into(),
            reference: description.reference.into(),
            hyperparameters: request::schema(&description.settings).into(),
            metrics: vec![batch_loss].into(),
        }])
    }

    fn create(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        if request.algorithm.as_str() != NAME {
            return Err(PluginError::new(
                ErrorCode::OTHER,
                format!("there is no algorithm `{}` here", request.algorithm),
            ));
        }
        let text = request.hyperparameters.as_str();
        let values = request::values(&glue::describe()?.settings, text)?;
        create(request, &values, Kind::Rule)
    }

    fn create_backpropagation(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        let values = request::values(&glue::describe()?.settings, "{}")?;
        create(request, &values, Kind::Backpropagation)
    }
}

fn create(
    request: &CreateRequest<'_>,
    values: &[f64],
    kind: Kind,
) -> Result<LearnerHandle, PluginError> {
    if request.device.as_str() != "cpu" {
        let message = format!("it computes on `cpu` only, not on `{}`", request.device);
        return Err(PluginError::new(ErrorCode::UNSUPPORTED, message));
    }
    let units = request::units(request.network.as_str())?;
    let rule = Rule::new(&units, request.seed, request.threads, values, kind)?;
    Ok(LearnerHandle::new(Trainer(rule)))
}

/// A training.
struct Trainer(Rule);

impl Learner for Trainer {
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        let mut losses = Vec::with_capacity(REPORT_EVERY);
        let mut step = 0_u64;
        while let Some(batch) = batches.next_batch()? {
            step += 1;
            let (inputs, labels) = values(&batch)?;
            let loss = self.0.step(inputs, labels).map_err(|mut error| {
                if error.code == ErrorCode::NON_FINITE {
                    error.message = format!("epoch {epoch}, step {step}: {}", error.message).into();
                }
                error
            })?;
            losses.push(loss);
            if losses.len() == REPORT_EVERY {
                metrics.record(BATCH_LOSS, &losses)?;
                losses.clear();
            }
        }
        if losses.is_empty() {
            return Ok(());
        }
        metrics.record(BATCH_LOSS, &losses)
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        self.0.predict(inputs.as_f32().map_err(misfit)?, outputs)
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        self.0.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), PluginError> {
        self.0.restore(state)
    }

    fn directions(&mut self, batch: Batch<'_>, noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        if !noise.is_empty() {
            let message = format!("{NAME} uses no noise, so none can be given");
            return Err(PluginError::new(ErrorCode::UNSUPPORTED, message));
        }
        let (inputs, labels) = values(&batch)?;
        self.0.directions(inputs, labels)
    }
}

/// The values of a batch, row-major.
fn values<'a>(batch: &Batch<'a>) -> Result<(&'a [f32], &'a [i64]), PluginError> {
    let inputs = batch.inputs.as_f32().map_err(misfit)?;
    Ok((inputs, batch.labels.as_i64().map_err(misfit)?))
}

fn misfit(error: assay_abi::TensorError) -> PluginError {
    PluginError::from_error(ErrorCode::SHAPE, &error)
}

#[used]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".assay_handshake")]
static ASSAY_HANDSHAKE: Handshake = Handshake::current(env!("LIBTORCH_VERSION"));

#[used]
#[unsafe(no_mangle)]
static ASSAY_PLUGIN_V1: RootHeader = root_header::<Definition>();

#[cfg(test)]
mod tests;
