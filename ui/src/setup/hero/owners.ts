/** Who carries an exchange with Hero out: PowerSchool by a record of its own, or RosterBridge. */

import type { JobId } from '../../bindings/JobId';
import { kindOf } from '../../text/names';
import { say } from '../../text/say';

/** The form in PowerSchool that the record of an exchange is on. */
export function formOf(job: JobId): 'AutoSend' | 'AutoComm' {
  return kindOf(job) === 'hero-attendance' ? 'AutoComm' : 'AutoSend';
}

/** Why a person is asked who carries an exchange out; `title` is what it is called. */
export function onlyOne(job: JobId, title: string): string {
  return formOf(job) === 'AutoComm'
    ? say(`${title}: only one may import it. Two would overwrite each other’s work.`)
    : say(`${title}: only one may send it. Two would overwrite each other’s work.`);
}
