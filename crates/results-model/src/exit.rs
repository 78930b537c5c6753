//! The exit codes of this project's binaries.

use std::process::ExitCode;

/// How a command ended; the higher code wins where several apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// All done.
    Done = 0,
    /// Some reports, documents or jobs failed.
    SomeFailed = 1,
    /// Wrong usage, or nothing readable.
    Unusable = 2,
    /// A threshold was crossed.
    ThresholdCrossed = 3,
    /// A deadline passed, or a server stayed away; what was unsent is spooled.
    DeadlinePassed = 4,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
