//! SchoolMint Hero's file layouts: the three exports an administrator sets up under AutoSend, and the attendance
//! export that AutoComm imports. Over `Read` and `Write` only: where the bytes come from and go to is the caller's.

mod attendance;
mod export;
mod layout;
mod lines;

pub use attendance::{
    AttendanceRow, AttendanceRows, FileError, IMPORT_FIELDS, ImportLayout, ImportRow, RowError,
    read_attendance,
};
pub use export::{
    Concern, FIRST_ROWS, LISTED_WARNINGS, SCHEDULE_FIELDS, SCHEDULE_FILE, STUDENT_FIELDS, STUDENT_FILE,
    ScheduleFile, ScheduleRow, StudentFile, TEACHER_FIELDS, TEACHER_FILE, TeacherFile, Warning, WriteError,
    Written,
};
pub use layout::{Characters, Delimiter, ExportLayout, ImportCharacters, RecordEnd};
