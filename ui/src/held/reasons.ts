/** Why a row is held and what to do about it: what the engine says in English of each reason. */

import type { HoldReason } from '../bindings/HoldReason';
import { say } from '../text/say';

export const REASONS: Record<HoldReason, string> = {
  'held.building_not_mapped': say('This Raptor building is not mapped to a PowerSchool school. Map it under Buildings, then run again.'),
  'held.building_disabled': say('This building is switched off for the exchange. Switch it on under Buildings, then run again.'),
  'held.reason_not_mapped': say('This Raptor tardy code has no active row in the tardy code table. Map it, then run again.'),
  'held.unknown_student': say('No student in PowerSchool has this number. Correct the number or add the student, then run again.'),
  'held.ambiguous_student': say('Several students in PowerSchool have this number. Correct PowerSchool, then run again.'),
  'held.student_not_in_school': say('The student is not enrolled at this school on that date. Check the enrolment in PowerSchool, then run again.'),
  'held.unknown_school': say('PowerSchool has no school with this number. Check the file’s school column, then run again.'),
  'held.other_accounts_school': say(
    'This school takes part in another account at Hero, and that account’s file states its attendance. Correct the schools of the accounts in the set-up or what Hero exports, then run again.',
  ),
  'held.not_in_session': say('The school is not in session on that date. Check the calendar in PowerSchool, then run again.'),
  'held.too_old': say(
    'The date is further back than attendance may be written for. Enter it in PowerSchool by hand if it is right, or allow more school days in the set-up.',
  ),
  'held.unknown_code': say(
    'The school has no such attendance code in this school year. Add the code in PowerSchool, or change the mapping or Hero’s External Reference Code, then run again.',
  ),
  'held.ambiguous_code': say('The school has several attendance codes with this text in this year. Correct PowerSchool, then run again.'),
  'held.no_such_enrollment': say(
    'The student has no enrolment in this course and section on that date. Check the schedule in PowerSchool, then run again.',
  ),
  'held.unknown_period': say('The school has no period with this abbreviation in this year. Check the period column, then run again.'),
  'held.ambiguous_period': say('The school has several periods with this abbreviation in this year. Correct PowerSchool, then run again.'),
  'held.no_such_meeting': say('The section does not meet in this period on that date. Check the bell schedule in PowerSchool, then run again.'),
  'held.no_meeting_now': say(
    'No class of the student is known to be in progress at the time of signing in: it lies between classes or after the last bell, or the schedule in PowerSchool does not say. Correct the one that is wrong, or choose under Buildings what becomes of sign-ins between classes, then run again.',
  ),
  'held.before_first_bell': say(
    'The student signed in before the first bell. Nothing is late then: discard the row, or enter it in PowerSchool by hand.',
  ),
  'held.several_meetings': say('The student has two classes at the time of signing in. Correct the schedule in PowerSchool, then run again.'),
  'held.existing_code': say(
    'PowerSchool already holds another attendance code that RosterBridge did not write. Decide in PowerSchool, or allow that code to be replaced and run again.',
  ),
  'held.update_existing_off': say('PowerSchool already holds an attendance code, and updating existing records is off.'),
  'held.corrected_in_powerschool': say('Somebody changed this record in PowerSchool after RosterBridge wrote it. The correction stands.'),
  'held.other_source_wrote': say('The other integration already recorded a different code here. Decide in PowerSchool.'),
  'held.several_records': say(
    'PowerSchool holds several attendance records for the same student and meeting. Remove the extra ones, then run again.',
  ),
  'held.refused_by_powerschool': say('PowerSchool refused this record. See the reason beside it, correct it, then run again.'),
  'held.method_not_set': say('It is not set whether this school records daily or meeting attendance. Set it under Buildings, then run again.'),
};
