//! Validation of a plugin's answers before they are used: outputs that it did not write, wrote past
//! the end of or made not finite, and tensors that cannot be parsed or are too large. Values that
//! are merely wrong cannot be detected.

use assay_network::Network;
use safetensors::SafeTensors;

use super::{Context, StageError};

/// A NaN that no arithmetic makes: what was never written still has it.
const UNWRITTEN: f32 = f32::from_bits(0x7fc0_a55a);
/// Values behind the end of a buffer that show whether it was overrun.
const GUARD: usize = 64;

/// A buffer for a plugin's outputs.
pub(super) struct OutputBuffer {
    values: Vec<f32>,
}

impl OutputBuffer {
    /// A buffer for at most `most` values.
    pub(super) fn new(most: usize) -> Self {
        Self {
            values: vec![UNWRITTEN; most + GUARD],
        }
    }

    /// Where a plugin writes `count` values, none of them written yet.
    pub(super) fn blank(&mut self, count: usize) -> &mut [f32] {
        self.values.fill(UNWRITTEN);
        &mut self.values[..count]
    }

    /// The `count` values that a plugin wrote, or what it did instead.
    pub(super) fn written(&self, count: usize) -> Result<&[f32], String> {
        let unwritten = |value: &&f32| value.to_bits() == UNWRITTEN.to_bits();
        let (values, guard) = self.values.split_at(count);
        if !guard.iter().all(|value| unwritten(&value)) {
            return Err(format!("wrote past the end of its {count} outputs"));
        }
        let left = values.iter().filter(unwritten).count();
        if left > 0 {
            return Err(format!("left {left} of {count} outputs unwritten"));
        }
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(format!("gave an output that is {value}")),
            None => Ok(values),
        }
    }
}

/// Parameters, moments and feedback weights of any algorithm come to less, by far.
const MOST_COPIES: u64 = 64;
/// Bytes that any state may have beside those copies.
const SPARE_BYTES: u64 = 1 << 30;

impl Context {
    /// Checks tensors that a plugin gave for a network: `what` says what they are.
    pub(super) fn check_tensors(
        &self,
        network: &Network,
        what: &str,
        bytes: &[u8],
    ) -> Result<(), StageError> {
        let parameters: u64 = network.summary().iter().map(|layer| layer.parameters).sum();
        let most = MOST_COPIES * 4 * parameters + SPARE_BYTES;
        if bytes.len() as u64 > most {
            let size = bytes.len();
            return Err(self.bad_answer(format!(
                "gave {what} of {size} bytes, more than the {most} that its network can explain"
            )));
        }
        match SafeTensors::deserialize(bytes) {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(self.bad_answer(format!("gave {what} that is no safetensors: {error}")))
            }
        }
    }

    /// The error of a plugin whose answer cannot be used.
    pub(super) fn bad_answer(&self, what: String) -> StageError {
        StageError::Answer {
            name: self.plugin_name().to_owned(),
            what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_comes_back() {
        let mut buffer = OutputBuffer::new(4);
        buffer.blank(3).copy_from_slice(&[1.0, -2.0, 0.0]);
        assert_eq!(buffer.written(3), Ok(&[1.0, -2.0, 0.0][..]));
    }

    #[test]
    fn values_of_an_earlier_answer_are_not_taken_for_this_one() {
        let mut buffer = OutputBuffer::new(4);
        buffer.blank(4).fill(1.0);
        buffer.blank(4)[..2].fill(2.0);
        let fault = buffer.written(4).unwrap_err();
        assert_eq!(fault, "left 2 of 4 outputs unwritten");
    }

    #[test]
    fn an_overrun_shows() {
        let mut buffer = OutputBuffer::new(4);
        buffer.blank(4).fill(1.0);
        buffer.values[4] = 1.0;
        let fault = buffer.written(4).unwrap_err();
        assert_eq!(fault, "wrote past the end of its 4 outputs");
        buffer.blank(2).fill(1.0);
        buffer.values[2] = 1.0;
        assert!(buffer.written(2).is_err());
    }

    #[test]
    fn outputs_are_finite() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut buffer = OutputBuffer::new(2);
            buffer.blank(2).copy_from_slice(&[0.0, value]);
            let fault = buffer.written(2).unwrap_err();
            assert_eq!(fault, format!("gave an output that is {value}"));
        }
    }
}
