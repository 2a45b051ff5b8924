//! What can be wrong with a file, and with a row of it.

use std::io;

/// Why a row cannot be used. The other rows can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Fewer or more fields than the header has.
    #[error("the row has {found} columns, and the header has {expected}")]
    Columns {
        /// Columns of the row.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// A quote that does not end, or ends in the middle of a value.
    #[error("a quoted value of the row does not end where a value ends")]
    Quote,
    /// Bytes that are no text, or control characters.
    #[error("the row has bytes that are no characters")]
    Characters,
    /// Longer than any tardy.
    #[error("the row is longer than 16 KiB")]
    TooLong,
    /// Building is empty.
    #[error("Building is empty")]
    Building,
    /// IdNumber is not a number.
    #[error("IdNumber is not a student number")]
    Student,
    /// SignInTime is no time.
    #[error("SignInTime is not a date and time like 2026-09-30T08:12 or 9/30/2026 8:12 AM")]
    SignInTime,
    /// Reason is empty.
    #[error("Reason is empty")]
    Reason,
}

impl RowError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Columns { .. } => "raptor.row_columns",
            Self::Quote => "raptor.row_quote",
            Self::Characters => "raptor.row_characters",
            Self::TooLong => "raptor.row_too_long",
            Self::Building => "raptor.row_building",
            Self::Student => "raptor.row_student",
            Self::SignInTime => "raptor.row_sign_in_time",
            Self::Reason => "raptor.row_reason",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Columns { .. } | Self::Quote | Self::TooLong => {
                "Correct the row: put values that hold a comma, a tab or a line break between double quotes, and double \
                 the quotes inside them. Then drop a file with the corrected row."
            }
            Self::Characters => "Save the file as UTF-8 and drop it again.",
            Self::Building => "Fill in the Raptor building and drop a file with the corrected row.",
            Self::Student => "Fill in the student's number and drop a file with the corrected row.",
            Self::SignInTime => "Correct the time of signing in and drop a file with the corrected row.",
            Self::Reason => "Fill in the student reason and drop a file with the corrected row.",
        }
    }
}

/// Why a file cannot be used at all: nothing of it is taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The bytes could not be read.
    #[error("the file from Raptor could not be read: {0}")]
    Io(#[from] io::Error),
    /// Not even a header.
    #[error("the file from Raptor is empty")]
    Empty,
    /// Columns that are needed are not in the header.
    #[error("the file from Raptor has no column named {}", .missing.join(", "))]
    WrongColumns {
        /// The columns' names.
        missing: Vec<&'static str>,
    },
    /// A column that is needed is in the header twice.
    #[error("the file from Raptor has the column {column} more than once")]
    RepeatedColumn {
        /// The column's name.
        column: &'static str,
    },
    /// More columns than any export has.
    #[error("the file from Raptor has {found} columns, and at most {most} are read")]
    TooManyColumns {
        /// Columns of its header.
        found: usize,
        /// The most that are read.
        most: usize,
    },
    /// The line that names the columns is longer than any row.
    #[error("the first line of the file from Raptor is longer than 16 KiB")]
    HeaderTooLong,
    /// More than a year of tardies of the largest district.
    #[error("the file from Raptor is larger than 64 MiB or has more than 100,000 rows")]
    TooLarge,
    /// UTF-16.
    #[error("the file from Raptor is in UTF-16")]
    WrongCharacters,
    /// A row of a list of buildings or reasons cannot be used.
    #[error("line {line} of the list cannot be used: {error}")]
    ListRow {
        /// Its line.
        line: u64,
        /// What is wrong with it.
        error: RowError,
    },
    /// More names than any district has.
    #[error("the list has more than {limit} names")]
    ListTooLong {
        /// The most that are taken.
        limit: usize,
    },
}

impl FileError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "raptor.file_read",
            Self::Empty => "raptor.empty_file",
            Self::WrongColumns { .. } => "raptor.wrong_columns",
            Self::RepeatedColumn { .. } => "raptor.repeated_column",
            Self::TooManyColumns { .. } => "raptor.too_many_columns",
            Self::HeaderTooLong => "raptor.header_too_long",
            Self::TooLarge => "raptor.file_too_large",
            Self::WrongCharacters => "raptor.wrong_characters",
            Self::ListRow { .. } => "raptor.list_row",
            Self::ListTooLong { .. } => "raptor.list_too_long",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "Check that the folder can be reached and read, then run again.",
            Self::Empty => "Write the file again with its header row, or remove it from the folder.",
            Self::WrongColumns { .. } | Self::RepeatedColumn { .. } => {
                "The first line must name every column once. A tardy file needs Building, IdNumber, SignInTime and \
                 Reason, and may have Comment; a list needs Building, and Reason for student reasons. Correct the \
                 first line; nothing was taken from the file."
            }
            Self::TooManyColumns { .. } | Self::HeaderTooLong => {
                "Check which program wrote the file: a tardy file has five columns, and others are passed over. Nothing \
                 was taken from it."
            }
            Self::TooLarge => {
                "Check which program wrote the file. If it is a tardy file, split it, or let it name the last weeks \
                 only. Nothing was taken from it."
            }
            Self::WrongCharacters => "Save the file as CSV in UTF-8. Nothing was taken from it.",
            Self::ListRow { .. } => "Correct this line of the list and read it again.",
            Self::ListTooLong { .. } => {
                "Check that this is the list of the district's buildings or student reasons."
            }
        }
    }
}

/// Why a roster could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The target refused the bytes.
    #[error("the roster for Raptor could not be written: {0}")]
    Io(#[from] io::Error),
}

impl WriteError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "raptor.file_write",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => {
                "Check that the disk is not full and the exchange folder can be written, then run again."
            }
        }
    }
}
