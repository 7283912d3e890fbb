//! Errors as values: what either side hands over when a call fails.

use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RString, RVec};

/// The result of every call that crosses the boundary.
pub type Fallible<T> = RResult<T, PluginError>;

/// Kind of failure of a [`PluginError`].
///
/// An integer rather than an enum, so that a code added later never breaks an older reader.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Anything without a code of its own.
    pub const OTHER: Self = Self(0);
    /// The other side panicked; the learner must not be used again.
    pub const PANIC: Self = Self(1);
    /// The hyper-parameters do not fit the algorithm.
    pub const HYPERPARAMETERS: Self = Self(2);
    /// The network, task or device is one that the algorithm does not support.
    pub const UNSUPPORTED: Self = Self(3);
    /// The host asked to stop; not a failure.
    pub const CANCELLED: Self = Self(4);
    /// A saved state does not fit the learner.
    pub const STATE: Self = Self(5);
    /// A batch or an output buffer has the wrong shape or type.
    pub const SHAPE: Self = Self(6);
    /// A value became infinite or not a number.
    pub const NON_FINITE: Self = Self(7);
    /// The device is not there or failed.
    pub const DEVICE: Self = Self(8);
    /// The host failed while serving the plugin (for example reading data).
    pub const HOST: Self = Self(9);
}

/// A failure that crossed the boundary.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct PluginError {
    /// Kind of failure.
    pub code: ErrorCode,
    /// Description of the failure, in one sentence.
    pub message: RString,
    /// Advice on what to do next; empty if there is none.
    pub help: RString,
    /// The causes, outermost first.
    pub chain: RVec<RString>,
}

impl PluginError {
    /// An error of the given kind.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: RString::from(message.into()),
            help: RString::new(),
            chain: RVec::new(),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = RString::from(help.into());
        self
    }

    /// An error of the given kind with the whole chain of causes of `error`.
    pub fn from_error(code: ErrorCode, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut plugin_error = Self::new(code, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            plugin_error.chain.push(RString::from(cause.to_string()));
            source = cause.source();
        }
        plugin_error
    }

    /// True if this is the answer to a request to stop rather than a failure.
    pub fn is_cancelled(&self) -> bool {
        self.code == ErrorCode::CANCELLED
    }
}

impl std::fmt::Display for PluginError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.chain {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PluginError {}
