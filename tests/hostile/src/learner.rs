//! A learner that learns nothing, and misbehaves where its misbehaviour says.

use std::time::{SystemTime, UNIX_EPOCH};

use assay_abi::{Batch, BatchSource, ErrorCode, Learner, MetricSink, PluginError, TensorView};

use crate::misbehaviours::Misbehaviour;

/// Elements behind its buffer that an overrun writes.
const OVERRUN: usize = 4;

/// An empty safetensors file: the length of its header, and the header.
const EMPTY_STATE: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

/// The header of a safetensors file with one tensor of three numbers.
const CLOCK_HEADER: &str = r#"{"clock":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;

pub(crate) struct Hostile {
    pub(crate) misbehaviour: Misbehaviour,
    pub(crate) target: String,
    /// Outputs of the network.
    pub(crate) outputs: usize,
    /// Value that it learnt from the time of day, from 0 to 1.
    pub(crate) clock: f32,
}

impl Hostile {
    /// A state of three numbers, of which the second is the clock's.
    fn clock_state(&self) -> Vec<u8> {
        let mut state = (CLOCK_HEADER.len() as u64).to_le_bytes().to_vec();
        state.extend(CLOCK_HEADER.as_bytes());
        state.extend([1.0, self.clock, 3.0].map(f32::to_le_bytes).as_flattened());
        state
    }
}

impl Learner for Hostile {
    fn train_epoch(
        &mut self,
        epoch: u32,
        batches: &mut BatchSource<'_>,
        metrics: &mut MetricSink<'_>,
    ) -> Result<(), PluginError> {
        if let Misbehaviour::Attempt(attempt) = self.misbehaviour {
            attempt(&self.target).map_err(|refusal| PluginError::new(ErrorCode::OTHER, refusal))?;
        }
        if matches!(self.misbehaviour, Misbehaviour::Hurry) {
            return Ok(());
        }
        if matches!(self.misbehaviour, Misbehaviour::ReadClock) && epoch > 1 {
            let time = SystemTime::now().duration_since(UNIX_EPOCH);
            self.clock = time.map_or(0.0, |time| time.subsec_nanos() as f32 * 1e-9);
        }
        while batches.next_batch()?.is_some() {
            let loss = match self.misbehaviour {
                Misbehaviour::NanMetric => f64::NAN,
                _ => 1.0 + f64::from(self.clock),
            };
            metrics.record("batch_loss", &[loss])?;
        }
        Ok(())
    }

    fn predict(&mut self, inputs: TensorView<'_>, outputs: &mut [f32]) -> Result<(), PluginError> {
        let expected = inputs.samples() * self.outputs;
        let written = match self.misbehaviour {
            Misbehaviour::ForgetLogits => expected - 1,
            _ => expected,
        };
        outputs[..written].fill(match self.misbehaviour {
            Misbehaviour::NanLogits => f32::NAN,
            _ => 0.0,
        });
        if matches!(self.misbehaviour, Misbehaviour::OverrunLogits) {
            // SAFETY: there is none: this is the overrun that the host must notice.
            unsafe {
                let end = outputs.as_mut_ptr().add(outputs.len());
                end.write_bytes(0, OVERRUN);
            }
        }
        Ok(())
    }

    fn save(&mut self) -> Result<Vec<u8>, PluginError> {
        Ok(match self.misbehaviour {
            Misbehaviour::OddState => vec![1; 64],
            // Never touched, so it costs no memory to make.
            Misbehaviour::HugeState => vec![0; 5 << 28],
            Misbehaviour::ReadClock => self.clock_state(),
            _ => EMPTY_STATE.to_owned(),
        })
    }

    fn restore(&mut self, _state: &[u8]) -> Result<(), PluginError> {
        Ok(())
    }

    fn directions(&mut self, _batch: Batch<'_>, _noise: &[u8]) -> Result<Vec<u8>, PluginError> {
        Ok(EMPTY_STATE.to_owned())
    }
}
