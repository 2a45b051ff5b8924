import { recognise } from '../setup/pasted';

/** Whether what is being pasted holds a secret: into a field that hides what it holds, or by the look of it. */
export function holdsSecret(event: ClipboardEvent): boolean {
  const { target } = event;
  if (target instanceof HTMLInputElement && target.type === 'password') return true;
  const text = event.clipboardData?.getData('text') ?? '';
  return recognise(text).clientSecret !== undefined || text.includes('PRIVATE KEY-----') || text.startsWith('PuTTY-User-Key-File-');
}
