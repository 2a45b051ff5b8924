import type { RunView } from '../bindings/RunView';
import type { StatusView } from '../bindings/StatusView';
import { counted } from '../text/format';
import { GOES_ON, goesOn } from './paused';
import { underWay, type Run } from './run';

/** The state of the exchange in one line, and what it means in another. */
export function headline(
  status: StatusView,
  run: Run | undefined,
  latest: RunView | undefined,
): { title: string; about: string } {
  if (run !== undefined && underWay(run)) {
    return run.dryRun
      ? { title: 'Trying it out', about: 'A dry run reads everything and writes nothing.' }
      : {
          title: 'Running',
          about: run.byItself
            ? 'This run was not started in this window.'
            : 'Reading from PowerSchool, sending files, and taking attendance back.',
        };
  }
  if (status.running !== undefined) {
    return { title: 'Running', about: 'This run was started outside this window.' };
  }
  const enabled = status.jobs.filter((job) => job.enabled);
  const theirs = status.jobs.filter(({ owner }) => owner === 'power_school').length;
  const alerts = status.watch.flatMap(({ files }) => files).filter(({ state }) => state === 'alert').length;
  // What could not be looked at says nothing about the files.
  const unseen = status.watch.find(({ cause }) => cause !== undefined)?.cause;
  const alarm =
    unseen === undefined
      ? {
          title: `${counted(alerts, 'file needs', 'files need')} attention`,
          about: 'What PowerSchool exchanges with Hero is not as it should be. The reason is below.',
        }
      : { title: 'Hero could not be looked at', about: unseen.message };
  const alarming = alerts > 0 || unseen !== undefined;
  if (enabled.length === 0 && theirs > 0) {
    return alarming
      ? alarm
      : { title: 'PowerSchool sends', about: 'RosterBridge looks from outside whether its files come as they should.' };
  }
  if (enabled.length === 0) {
    return { title: 'Nothing is switched on', about: 'Finish the set-up to choose what is exchanged.' };
  }
  const senders = status.other_sender.length;
  if (senders > 0) {
    return {
      title: 'Another sender is active',
      about: `${counted(senders, 'exchange is', 'exchanges are')} paused until you say who carries ${senders === 1 ? 'it' : 'them'} out. What to switch off is below.`,
    };
  }
  if (latest?.cause !== undefined && latest.outcome !== 'cancelled') {
    return { title: latest.dry_run ? 'The last dry run failed' : 'The last run failed', about: latest.cause.message };
  }
  const done = enabled.filter((job) => job.last !== undefined);
  const broken = done.filter((job) => !goesOn(job) && (job.last?.outcome === 'failed' || job.last?.outcome === 'interrupted'));
  if (broken.length > 0) {
    return {
      title: `${counted(broken.length, 'exchange needs', 'exchanges need')} attention`,
      about: 'The reason and what to do about it are below.',
    };
  }
  if (alarming) return alarm;
  const goingOn = done.filter(goesOn).length;
  if (goingOn > 0) {
    return {
      title: `${counted(goingOn, 'exchange goes', 'exchanges go')} on at ${goingOn === 1 ? 'its' : 'their'} next time`,
      about: goingOn === 1 ? GOES_ON : 'They were paused and have not run since. They go on then, or when you run them.',
    };
  }
  if (done.length === 0) {
    return {
      title: 'Ready for the first run',
      about: `Run now reads the roster from PowerSchool once, then does ${counted(enabled.length, 'exchange')}. A dry run shows what that would do.`,
    };
  }
  if (status.held > 0) {
    return {
      title: 'Everything ran',
      about: `${counted(status.held, 'row is', 'rows are')} held for you. Nothing is lost: each is kept with its reason.`,
    };
  }
  return { title: 'Everything is up to date', about: 'Every exchange did what it should.' };
}
