//! Fields that PowerSchool has and this program does not read, so that they can be told from a misspelt name. The tables
//! have many more than these; these are what schools put into export lists.

use super::{Field, ScheduleField, StudentField, TeacherField, apart, own_table};

/// Further fields of STUDENTS.
const STUDENTS: &[&str] = &[
    "Alert_Discipline",
    "Alert_DisciplineExpires",
    "Alert_Guardian",
    "Alert_GuardianExpires",
    "Alert_Medical",
    "Alert_MedicalExpires",
    "Alert_Other",
    "Alert_OtherExpires",
    "AllowWebAccess",
    "Balance1",
    "Balance2",
    "Bus_Route",
    "Bus_Stop",
    "City",
    "ClassOf",
    "Cumulative_GPA",
    "Cumulative_Pct",
    "Dentist_Name",
    "Dentist_Phone",
    "DistrictEntryDate",
    "DistrictEntryGradeLevel",
    "DistrictOfResidence",
    "Doctor_Name",
    "Doctor_Phone",
    "Emerg_Contact_1",
    "Emerg_Contact_2",
    "Emerg_Phone_1",
    "Emerg_Phone_2",
    "Enrollment_SchoolID",
    "Enrollment_Transfer_Date_Pend",
    "Enrollment_Transfer_Info",
    "EnrollmentCode",
    "EnrollmentID",
    "EnrollmentType",
    "EntryCode",
    "EntryDate",
    "Ethnicity",
    "ExitCode",
    "ExitComment",
    "ExitDate",
    "Family_Ident",
    "Father",
    "FedEthnicity",
    "FedRaceDecline",
    "FTEID",
    "Gender",
    "Geocode",
    "GPEntryYear",
    "Graduated_Rank",
    "Graduated_SchoolID",
    "Graduated_SchoolName",
    "GuardianFax",
    "Home_Room",
    "House",
    "LastFirst",
    "LastMeal",
    "Locker_Combination",
    "Locker_Number",
    "Log",
    "Lunch_ID",
    "LunchStatus",
    "Mailing_Geocode",
    "MembershipShare",
    "Mother",
    "Next_School",
    "Person_ID",
    "PhotoFlag",
    "Sched_LockStudentSchedule",
    "Sched_NextYearBuilding",
    "Sched_NextYearBus",
    "Sched_NextYearGrade",
    "Sched_NextYearHomeRoom",
    "Sched_NextYearHouse",
    "Sched_NextYearTeam",
    "Sched_Priority",
    "Sched_Scheduled",
    "Sched_YearOfGraduation",
    "SchoolEntryDate",
    "SchoolEntryGradeLevel",
    "Simple_GPA",
    "Simple_Pct",
    "SSN",
    "State",
    "State_EnrollFlag",
    "State_ExcludeFromReporting",
    "State_StudentNumber",
    "Street",
    "Student_AllowWebAccess",
    "Student_Web_ID",
    "SummerSchoolID",
    "Team",
    "Track",
    "TransferComment",
    "TuitionPayer",
    "Web_ID",
    "Zip",
];

/// Further fields of COURSES.
const COURSES: &[&str] = &[
    "Alt_Course_Number",
    "CreditType",
    "Credit_Hours",
    "DCID",
    "GradeScaleID",
    "ID",
    "MaxClassSize",
    "RegCourseGroup",
    "Sched_Department",
    "SchoolID",
];

/// Further fields of SECTIONS.
const SECTIONS: &[&str] = &[
    "Att_Mode_Code",
    "Attendance_Type_Code",
    "BuildID",
    "CampusID",
    "Days_Per_Cycle",
    "Dependent_Secs",
    "ExcludeFromGPA",
    "Expression",
    "GradebookType",
    "GradeScaleID",
    "Grade_Level",
    "House",
    "MaxEnrollment",
    "No_Of_Students",
    "ProgramID",
    "ScheduleSectionID",
    "Team",
];

/// Further fields of CC.
const CC: &[&str] = &[
    "Attendance",
    "Attendance_Type_Code",
    "CurrentAbsences",
    "CurrentTardies",
    "CurrentGrade",
    "FinalGrades",
    "FirstAttDate",
    "LastAttMod",
    "LastGradeUpdate",
    "Log",
    "OrigSectionID",
    "TeacherComment",
    "Teacherprivatenote",
];

/// Further fields of TEACHERS.
const TEACHERS: &[&str] = &[
    "Access",
    "CanChangeSchool",
    "City",
    "DCID",
    "Ethnicity",
    "Group",
    "HomeRoom",
    "HomeSchoolID",
    "Home_Phone",
    "LastFirst",
    "Log",
    "LoginID",
    "Lunch_ID",
    "Middle_Name",
    "Notes",
    "PhotoFlag",
    "PreferredName",
    "Prefs",
    "PowerGradePW",
    "Sched_Department",
    "Sched_Homeroom",
    "School_Phone",
    "SSN",
    "StaffStatus",
    "State",
    "Street",
    "TeacherLoginID",
    "Title",
    "Users_DCID",
    "WM_Status",
    "Zip",
];

/// Whether PowerSchool has a field of that name in the table of that number.
pub(super) fn has(table: u32, name: &str) -> bool {
    let listed = |names: &[&str]| names.iter().any(|other| other.eq_ignore_ascii_case(name));
    // Also what an export's `^(...)` codes and the districts' own tables (`TABLE.field`) would send.
    name.starts_with("^(")
        || name.contains('.')
        || match table {
            1 => listed(STUDENTS) || of_another_export::<StudentField>(name),
            2 => listed(COURSES),
            3 => listed(SECTIONS),
            4 => listed(CC) || of_another_export::<ScheduleField>(name),
            5 => listed(TEACHERS) || of_another_export::<TeacherField>(name),
            // Another table's: there are hundreds, and none of them is read.
            _ => true,
        }
}

/// Whether the export about the table sends the field: what is read for one export is not there for another.
fn of_another_export<F: Field>(name: &str) -> bool {
    F::ALL.iter().any(|field| {
        let (table, bare) = apart(field.known().name);
        table.is_none_or(|table| table == own_table(F::KIND)) && bare.eq_ignore_ascii_case(name)
    })
}
