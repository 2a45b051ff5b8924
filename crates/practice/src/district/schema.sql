-- The practice district, with PowerSchool's own table and column names (public data dictionary).
-- DCID is the unique key of a row; ID is what other tables reference; the two differ in every row.
-- Dates are ISO text (YYYY-MM-DD), times are seconds since midnight. Oracle keeps empty strings as
-- NULL, so no column here ever holds an empty string.

CREATE TABLE Schools (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    School_Number INTEGER NOT NULL UNIQUE,
    Name TEXT NOT NULL,
    Abbreviation TEXT NOT NULL,
    Low_Grade INTEGER NOT NULL,
    High_Grade INTEGER NOT NULL,
    SchoolAddress TEXT,
    SchoolCity TEXT,
    SchoolState TEXT,
    SchoolZip TEXT,
    SchoolPhone TEXT
);

-- Preferences by name: ATT_RecordModeMeeting and ATT_RecordModeDaily ('1' or '0') per school, and
-- ATT_BridgePeriod (Period.ID) in schools that record both.
CREATE TABLE Prefs (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Name TEXT NOT NULL,
    Value TEXT,
    SchoolID INTEGER NOT NULL,
    YearID INTEGER NOT NULL
);

CREATE TABLE Terms (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL,
    YearID INTEGER NOT NULL,
    SchoolID INTEGER NOT NULL,
    Name TEXT NOT NULL,
    Abbreviation TEXT NOT NULL,
    FirstDay TEXT NOT NULL,
    LastDay TEXT NOT NULL,
    IsYearRec INTEGER NOT NULL,
    UNIQUE (SchoolID, ID)
);

CREATE TABLE Period (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Period_Number INTEGER NOT NULL,
    Name TEXT NOT NULL,
    Abbreviation TEXT NOT NULL,
    SchoolID INTEGER NOT NULL,
    Year_ID INTEGER NOT NULL,
    Sort_Order INTEGER NOT NULL,
    UNIQUE (SchoolID, Year_ID, Period_Number)
);

CREATE TABLE Cycle_Day (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    SchoolID INTEGER NOT NULL,
    Year_ID INTEGER NOT NULL,
    Letter TEXT NOT NULL,
    Day_Number INTEGER NOT NULL,
    Day_Name TEXT NOT NULL,
    UNIQUE (SchoolID, Year_ID, Letter)
);

CREATE TABLE Bell_Schedule (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Name TEXT NOT NULL,
    SchoolID INTEGER NOT NULL,
    Year_ID INTEGER NOT NULL
);

CREATE TABLE Bell_Schedule_Items (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Bell_Schedule_ID INTEGER NOT NULL,
    Period_ID INTEGER NOT NULL,
    Start_Time INTEGER NOT NULL,
    End_Time INTEGER NOT NULL,
    UNIQUE (Bell_Schedule_ID, Period_ID)
);

-- Cycle_Day_ID and Bell_Schedule_ID are NULL on days without school.
CREATE TABLE Calendar_Day (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Date_Value TEXT NOT NULL,
    SchoolID INTEGER NOT NULL,
    InSession INTEGER NOT NULL,
    Cycle_Day_ID INTEGER,
    Bell_Schedule_ID INTEGER,
    Note TEXT,
    UNIQUE (SchoolID, Date_Value)
);

CREATE TABLE Attendance_Code (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Att_Code TEXT,
    Description TEXT NOT NULL,
    Presence_Status_CD TEXT NOT NULL,
    SchoolID INTEGER NOT NULL,
    YearID INTEGER NOT NULL,
    SortOrder INTEGER NOT NULL,
    Calculate_ADA_YN INTEGER NOT NULL
);

CREATE TABLE Courses (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Course_Number TEXT NOT NULL UNIQUE,
    Course_Name TEXT NOT NULL,
    SchoolID INTEGER NOT NULL
);

CREATE TABLE Users (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    TeacherNumber TEXT NOT NULL UNIQUE,
    First_Name TEXT NOT NULL,
    Last_Name TEXT NOT NULL,
    LastFirst TEXT NOT NULL,
    Email_Addr TEXT,
    HomeSchoolID INTEGER NOT NULL,
    Password TEXT
);

CREATE TABLE SchoolStaff (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Users_DCID INTEGER NOT NULL,
    SchoolID INTEGER NOT NULL,
    Status INTEGER NOT NULL,
    UNIQUE (Users_DCID, SchoolID)
);

CREATE VIEW Teachers AS
    SELECT SchoolStaff.DCID AS DCID, SchoolStaff.ID AS ID, SchoolStaff.Users_DCID AS Users_DCID,
           SchoolStaff.SchoolID AS SchoolID, Users.TeacherNumber AS TeacherNumber,
           Users.Last_Name AS Last_Name, Users.First_Name AS First_Name, Users.LastFirst AS LastFirst,
           Users.Email_Addr AS Email_Addr, SchoolStaff.Status AS Status, Users.HomeSchoolID AS HomeSchoolID
      FROM SchoolStaff JOIN Users ON Users.DCID = SchoolStaff.Users_DCID;

CREATE TABLE Sections (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Course_Number TEXT NOT NULL,
    Section_Number TEXT NOT NULL,
    SchoolID INTEGER NOT NULL,
    TermID INTEGER NOT NULL,
    Teacher INTEGER NOT NULL,
    Room TEXT,
    Expression TEXT NOT NULL,
    External_Expression TEXT NOT NULL,
    Att_Mode_Code TEXT NOT NULL,
    Attendance_Type_Code INTEGER NOT NULL,
    UNIQUE (SchoolID, TermID, Course_Number, Section_Number)
);

CREATE TABLE Section_Meeting (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    SectionID INTEGER NOT NULL,
    SchoolID INTEGER NOT NULL,
    Year_ID INTEGER NOT NULL,
    Period_Number INTEGER NOT NULL,
    Cycle_Day_Letter TEXT NOT NULL,
    UNIQUE (SectionID, Period_Number, Cycle_Day_Letter)
);

CREATE TABLE Students (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Student_Number INTEGER NOT NULL UNIQUE,
    First_Name TEXT NOT NULL,
    Middle_Name TEXT,
    Last_Name TEXT NOT NULL,
    LastFirst TEXT NOT NULL,
    DOB TEXT,
    Gender TEXT,
    Grade_Level INTEGER NOT NULL,
    SchoolID INTEGER NOT NULL,
    Enroll_Status INTEGER NOT NULL,
    EntryDate TEXT,
    ExitDate TEXT,
    Mailing_Street TEXT,
    Mailing_City TEXT,
    Mailing_State TEXT,
    Mailing_Zip TEXT,
    Street TEXT,
    City TEXT,
    State TEXT,
    Zip TEXT,
    Home_Phone TEXT,
    GuardianEmail TEXT,
    Home_Room TEXT,
    State_StudentNumber TEXT,
    Student_Web_ID TEXT,
    Student_Web_Password TEXT
);

CREATE TABLE ReEnrollments (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    StudentID INTEGER NOT NULL,
    SchoolID INTEGER NOT NULL,
    Grade_Level INTEGER NOT NULL,
    EntryDate TEXT NOT NULL,
    ExitDate TEXT NOT NULL
);

CREATE VIEW PS_SchoolEnrollment AS
    SELECT ID AS StudentID, SchoolID, Grade_Level, EntryDate, ExitDate FROM Students
    UNION ALL
    SELECT StudentID, SchoolID, Grade_Level, EntryDate, ExitDate FROM ReEnrollments;

-- SectionID and TermID are negative once the enrolment is dropped; DateLeft is the day after the last.
CREATE TABLE CC (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    StudentID INTEGER NOT NULL,
    SectionID INTEGER NOT NULL,
    TermID INTEGER NOT NULL,
    Course_Number TEXT NOT NULL,
    Section_Number TEXT NOT NULL,
    SchoolID INTEGER NOT NULL,
    TeacherID INTEGER NOT NULL,
    Expression TEXT NOT NULL,
    Period_Obsolete TEXT,
    DateEnrolled TEXT NOT NULL,
    DateLeft TEXT NOT NULL
);

-- CCID, PeriodID and ProgramID are 0, not NULL, where the method has none.
CREATE TABLE Attendance (
    DCID INTEGER PRIMARY KEY,
    ID INTEGER NOT NULL UNIQUE,
    Att_Mode_Code TEXT NOT NULL,
    Att_Date TEXT NOT NULL,
    Attendance_CodeID INTEGER NOT NULL,
    Calendar_DayID INTEGER NOT NULL,
    CCID INTEGER NOT NULL DEFAULT 0,
    PeriodID INTEGER NOT NULL DEFAULT 0,
    ProgramID INTEGER NOT NULL DEFAULT 0,
    SchoolID INTEGER NOT NULL,
    StudentID INTEGER NOT NULL,
    YearID INTEGER NOT NULL,
    Att_Comment TEXT,
    Att_Interval INTEGER,
    Total_Minutes INTEGER
);

-- Not PowerSchool's: every attendance write the server accepted, in order.
CREATE TABLE Practice_Write (
    Seq INTEGER PRIMARY KEY AUTOINCREMENT,
    StudentID INTEGER NOT NULL,
    SchoolID INTEGER NOT NULL,
    Att_Date TEXT NOT NULL,
    Att_Mode_Code TEXT NOT NULL,
    CCID INTEGER NOT NULL,
    PeriodID INTEGER NOT NULL,
    Attendance_CodeID INTEGER NOT NULL
);

-- Not PowerSchool's: which rows were written, in order. The data version is the newest Seq; a version below
-- the oldest one is purged. The first row stands for the district as it was generated.
CREATE TABLE Practice_Change (
    Seq INTEGER PRIMARY KEY,
    TableName TEXT NOT NULL,
    RowDCID INTEGER NOT NULL,
    Event TEXT
);
INSERT INTO Practice_Change VALUES (1, '', 0, NULL);

-- Not PowerSchool's: which tables an application's queries subscribed, in lower case.
CREATE TABLE Practice_Subscription (
    Application TEXT NOT NULL,
    TableName TEXT NOT NULL,
    PRIMARY KEY (Application, TableName)
) WITHOUT ROWID;

CREATE INDEX Students_School ON Students (SchoolID, ID);
CREATE INDEX CC_Student ON CC (StudentID, ID);
CREATE INDEX CC_Section ON CC (SectionID);
CREATE INDEX ReEnrollments_Student ON ReEnrollments (StudentID);
CREATE INDEX SchoolStaff_School ON SchoolStaff (SchoolID);
CREATE INDEX Attendance_Student ON Attendance (StudentID, Att_Date);
CREATE INDEX Attendance_School ON Attendance (SchoolID, Att_Date);
