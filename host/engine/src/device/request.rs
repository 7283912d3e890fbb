//! The value of `--device`.

use std::fmt;
use std::str::FromStr;

/// Device that `--device` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceRequest {
    /// `cpu`: the processor.
    #[default]
    Cpu,
    /// `cuda…`: cards.
    Cuda(CardRequest),
}

/// Which cards, as the driver numbers those that it shows to this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardRequest {
    /// `cuda:all`: every card.
    All,
    /// `cuda:0,cuda:2`: these, each named once.
    Numbers(Vec<u32>),
}

/// A text that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDevice {
    /// It is none of the known forms.
    #[error(
        "`{0}` is no device: expected cpu, cuda (the first card), cuda:N, several such as \
         cuda:0,cuda:1, or cuda:all"
    )]
    Unknown(String),
    /// It names a card twice.
    #[error("card {0} is named twice")]
    Twice(u32),
    /// It names several cards where one is needed.
    #[error("this computes on one card: name one, such as cuda:0")]
    Several,
}

/// How much of a text is repeated in an error.
const LONGEST: usize = 60;

impl DeviceRequest {
    /// A text that names the processor or one card.
    ///
    /// # Errors
    /// It names anything else.
    pub fn single(text: &str) -> Result<Self, InvalidDevice> {
        match text.parse()? {
            Self::Cpu => Ok(Self::Cpu),
            Self::Cuda(_) => Ok(Self::Cuda(CardRequest::single(text)?)),
        }
    }
}

impl CardRequest {
    /// A text that names one card.
    ///
    /// # Errors
    /// It names anything else.
    pub fn single(text: &str) -> Result<Self, InvalidDevice> {
        match text.parse()? {
            Self::Numbers(numbers) if numbers.len() == 1 => Ok(Self::Numbers(numbers)),
            _ => Err(InvalidDevice::Several),
        }
    }
}

impl FromStr for DeviceRequest {
    type Err = InvalidDevice;

    fn from_str(text: &str) -> Result<Self, InvalidDevice> {
        if text == "cpu" {
            return Ok(Self::Cpu);
        }
        Ok(Self::Cuda(text.parse()?))
    }
}

impl FromStr for CardRequest {
    type Err = InvalidDevice;

    fn from_str(text: &str) -> Result<Self, InvalidDevice> {
        if text == "cuda:all" {
            return Ok(Self::All);
        }
        let mut numbers = Vec::new();
        for part in text.split(',') {
            let number = number(part).ok_or_else(|| {
                let mut shown: String = text.chars().take(LONGEST).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                InvalidDevice::Unknown(shown)
            })?;
            if numbers.contains(&number) {
                return Err(InvalidDevice::Twice(number));
            }
            numbers.push(number);
        }
        Ok(Self::Numbers(numbers))
    }
}

/// The card that `cuda` or `cuda:N` names.
fn number(text: &str) -> Option<u32> {
    if text == "cuda" {
        return Some(0);
    }
    let digits = text.strip_prefix("cuda:")?;
    // `parse` takes a sign, too.
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

impl Default for CardRequest {
    /// The first card.
    fn default() -> Self {
        Self::Numbers(vec![0])
    }
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(cards) => cards.fmt(f),
        }
    }
}

impl fmt::Display for CardRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("cuda:all"),
            Self::Numbers(numbers) => {
                let names: Vec<_> = numbers.iter().map(|it| format!("cuda:{it}")).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read() {
        let numbers = |numbers: &[u32]| DeviceRequest::Cuda(CardRequest::Numbers(numbers.to_vec()));
        for (text, expected) in [
            ("cpu", DeviceRequest::Cpu),
            ("cuda", numbers(&[0])),
            ("cuda:1", numbers(&[1])),
            ("cuda:1,cuda:0", numbers(&[1, 0])),
            ("cuda,cuda:1", numbers(&[0, 1])),
            ("cuda:all", DeviceRequest::Cuda(CardRequest::All)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_device_is_refused() {
        for text in [
            "",
            "gpu",
            "CPU",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda:1.0",
            "cuda:0,1",
            "cuda:0,",
            "cpu,cuda:0",
            "cuda:all,cuda:0",
            "cuda:4294967296",
            "cuda: 1",
        ] {
            let refused = text.parse::<DeviceRequest>();
            assert_eq!(refused, Err(InvalidDevice::Unknown(text.to_owned())));
        }
        let twice = "cuda,cuda:0".parse::<DeviceRequest>();
        assert_eq!(twice, Err(InvalidDevice::Twice(0)));
        let long = "x".repeat(1 << 20).parse::<DeviceRequest>().unwrap_err();
        assert!(long.to_string().len() < 300);
    }

    #[test]
    fn one_card_is_one_card() {
        assert!(DeviceRequest::single("cuda:7").is_ok());
        for text in ["cuda:all", "cuda:0,cuda:1"] {
            assert_eq!(DeviceRequest::single(text), Err(InvalidDevice::Several));
        }
    }
}
