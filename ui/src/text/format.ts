const whole = new Intl.NumberFormat('en-US');

/** 1234 → "1,234". */
export function count(value: number): string {
  return whole.format(value);
}

/** A number with its noun: "1 row", "2,400 rows". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A file's size: "812 bytes", "14 kB", "2.4 MB". Decimal units, as file managers show them. */
export function size(bytes: number): string {
  if (bytes < 1000) return counted(bytes, 'byte');
  const kilobytes = bytes / 1000;
  if (kilobytes < 999.5) return `${kilobytes < 10 ? kilobytes.toFixed(1) : Math.round(kilobytes)} kB`;
  const megabytes = kilobytes / 1000;
  return `${megabytes < 100 ? megabytes.toFixed(1) : count(Math.round(megabytes))} MB`;
}

/** How long something took: "0.4 s", "12 s", "3 min 5 s". */
export function duration(millis: number): string {
  if (millis < 9950) return `${(millis / 1000).toFixed(1)} s`;
  const seconds = Math.round(millis / 1000);
  if (seconds < 60) return `${seconds} s`;
  const rest = seconds % 60;
  return rest === 0 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 60)} min ${rest} s`;
}

/** How long ago `then` was, for a glance: "just now", "5 minutes ago", "yesterday, 4:10 PM", "Nov 3, 4:10 PM". */
export function ago(then: string, now: Date): string {
  const date = new Date(then);
  const minutes = Math.floor((now.getTime() - date.getTime()) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${counted(minutes, 'minute')} ago`;
  const today = startOfDay(now);
  const day = startOfDay(date);
  const days = Math.round((today.getTime() - day.getTime()) / 86_400_000);
  if (days === 0) return `today, ${clock(date)}`;
  if (days === 1) return `yesterday, ${clock(date)}`;
  return moment(then, now);
}

/** A date and time: "Nov 3, 4:10 PM", with the year when it is not this one. */
export function moment(then: string, now: Date): string {
  const date = new Date(then);
  const day = date.toLocaleDateString('en-US', {
    month: 'short',
    day: 'numeric',
    ...(date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }),
  });
  return `${day}, ${clock(date)}`;
}

/** A calendar date as PowerSchool gives it ("2026-11-20") in words: "Fri, Nov 20, 2026". */
export function calendarDate(date: string): string {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number);
  return new Date(year, month - 1, day).toLocaleDateString('en-US', {
    weekday: 'short',
    month: 'short',
    day: 'numeric',
    year: 'numeric',
  });
}

/** A time of day: "4:10 PM". */
export function clock(date: Date): string {
  return date.toLocaleTimeString('en-US', { hour: 'numeric', minute: '2-digit' }).replace('\u202f', ' ');
}

function startOfDay(date: Date): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}
