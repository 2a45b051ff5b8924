//! SchoolMint Hero's file layouts: the three exports an administrator sets up under AutoSend, and the attendance
//! export that AutoComm imports. Over `Read` and `Write` only: where the bytes come from and go to is the caller's.

mod attendance;
mod export;
mod faculty;
mod field_order;
pub mod fields;
mod layout;
mod lines;
mod problems;
mod records;

pub use attendance::{
    AttendanceRow, AttendanceRows, FileError, ImportLayout, ImportRow, RowError, read_attendance,
};
pub use export::{ScheduleFile, ScheduleRow, StudentFile, TeacherFile};
pub use faculty::{FACULTY_FILE, FacultyFile};
pub use field_order::{FieldOrder, FieldOrderError};
pub use layout::ExportLayout;
pub use problems::{Kind, Problem, ProblemCounts, Problems, Subject};
pub use records::{FIRST_ROWS, WriteError, Written};
